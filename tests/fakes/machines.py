"""The root of a machine into which the service was installed, for systemd's own tools: they all take --root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PREFIX = Path("usr/local/lib")
NEWER = {"ImportCredential": 254, "RestartSteps": 254, "RestartMaxDelaySec": 254}
"""Settings that an older systemd does not know and says so, and the version that does."""


def install(root: Path, *options: str, prefix: str = "/usr/local") -> None:
    """Run tools/install.sh."""
    env = os.environ | {"DESTDIR": str(root), "PREFIX": prefix}
    subprocess.run(["sh", ROOT / "tools" / "install.sh", *options], env=env, check=True)


def machine(root: Path) -> Path:
    """Lay out a Debian with its units, an empty list of users, the program, and our files."""
    system = next(path for path in (Path("/usr/lib/systemd/system"), Path("/lib/systemd/system")) if path.is_dir())
    shutil.copytree(system, root / "usr/lib/systemd/system", symlinks=True)
    (root / "etc").mkdir()
    for name in ("passwd", "group", "shadow", "gshadow"):
        (root / "etc" / name).touch()
    for name in ("usr/local/bin/modembank", "usr/local/bin/modembank-box", "usr/bin/kill"):
        program = root / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    install(root, "--box")
    return root


def tool(*command: str | Path, status: int = 0) -> list[str]:
    """Run one of systemd's tools as root of its own; return what it says that is not about its age."""
    as_root = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
    run = subprocess.run([*as_root, *command], capture_output=True, text=True, timeout=60, check=False)
    said = [line for line in (run.stdout + run.stderr).splitlines() if not _is_about_age(line)]
    assert run.returncode == status, said
    return said


def _is_about_age(line: str) -> bool:
    found = re.search(r"Unknown key(?: name)? '(\w+)'", line)
    return found is not None and version() < NEWER.get(found[1], 0)


def version() -> int:
    said = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    return int(re.match(r"systemd (\d+)", said)[1])
