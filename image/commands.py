"""Running programs: told on the terminal, with the image's time, and without the language and zone of who builds."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def run(
    words: Sequence[str | Path],
    *,
    epoch: int,
    cwd: Path | None = None,
    given: str | None = None,
    also: Mapping[str, str] | None = None,
) -> str:
    """Run a program and return what it prints; where it fails, so does the build, with all that it said."""
    line = shlex.join(str(word) for word in words)
    environment = os.environ | {
        "SOURCE_DATE_EPOCH": str(epoch),
        "E2FSPROGS_FAKE_TIME": str(epoch),
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
        **(also or {}),
    }
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{line[:400]}\n{done.stdout[-2000:]}{done.stderr[-4000:]}\nfailed with {done.returncode}")
    return done.stdout


def say(what: str) -> None:
    """Tell whoever waits how far it is."""
    print(what, file=sys.stderr, flush=True)
