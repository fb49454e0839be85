"""Have AsyncAPI's own parser judge the document of the fleet: ``make asyncapi``.

The parser (the npm package @asyncapi/parser) is installed into a folder of its own, ``.asyncapi``; nothing that its
packages would run at their installation is run. It has to find nothing wrong with docs/fleet-asyncapi.json, and
something with each of the damaged ones that are made of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests")]

from fakes.asyncapi_damage import DAMAGE  # noqa: E402 - the path above leads to it

PARSER = "@asyncapi/parser@3.6.6"
FOLDER = ROOT / ".asyncapi"
DOCUMENT = ROOT / "docs" / "fleet-asyncapi.json"
JUDGE = Path(__file__).with_name("judge.cjs")


def main() -> int:
    """Judge; return the exit code."""
    prepare()
    damages = [damage for damage in DAMAGE if damage.parser_sees]
    good = json.loads(DOCUMENT.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as made:
        paths = [DOCUMENT]
        for number, damage in enumerate(damages):
            paths.append(Path(made) / f"{number}.json")
            damage.do(bad := json.loads(json.dumps(good)))
            paths[-1].write_text(json.dumps(bad), "utf-8")
        told = judged(paths)
    wrong = 0
    for name, diagnostics in zip([DOCUMENT.name, *(damage.name for damage in damages)], told, strict=True):
        errors = [one for one in diagnostics if one["level"] == "error"]
        wrong += bool(errors) is (name == DOCUMENT.name)
        shown = errors if name != DOCUMENT.name else diagnostics
        print(f"{name}: {len(errors)} errors, {len(diagnostics) - len(errors)} remarks")
        for one in shown[:3]:
            print(f"    {one['level']} {one['code']} at {one['at']}: {one['message']}")
    print("as it should be" if not wrong else f"{wrong} documents were not judged as they should be")
    return int(bool(wrong))


def prepare() -> None:
    """Install the parser, where it is not there."""
    stamp = FOLDER / "installed"
    if stamp.exists() and stamp.read_text() == PARSER:
        return
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("this needs npm: on Debian, apt install npm")
    print(f"installing {PARSER} into {FOLDER.name}", flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    quietly = ["--silent", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    subprocess.run([npm, "install", *quietly, "--prefix", FOLDER, PARSER], check=True)
    stamp.write_text(PARSER)


def judged(paths: list[Path]) -> list[list[dict[str, Any]]]:
    """Return what the parser has against each document."""
    node = shutil.which("node")
    if node is None:
        sys.exit("this needs Node.js: on Debian, apt install nodejs")
    run = subprocess.run(
        [node, JUDGE, *paths],
        env=os.environ | {"NODE_PATH": str(FOLDER / "node_modules")},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found: list[list[dict[str, Any]]] = json.loads(run.stdout)
    return found


if __name__ == "__main__":
    sys.exit(main())
