"""Networks of a kernel of one's own: a box with a card in each of two networks, where nothing of this machine is."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "image" / "files"
INSIDE = ROOT / "tests" / "box_net" / "namespaces"


def found_inside(script: str, *arguments: str, timeout_s: float = 100) -> dict[str, Any]:
    """Run one of the scripts in namespaces, as root of its own where the caller is not; return what it found."""
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    run = subprocess.run(
        ["unshare", "--mount", "--net", *as_root, "python3", INSIDE / script, FILES, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found
