"""The boot partition, which is mounted read-only but for the moments in which something is written there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modembank_box.errors import BoxError


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Let ``folder`` be written inside, and have it on the disk after that."""
    mounted = folder.is_mount()
    if mounted:
        _remount(folder, "rw")
    try:
        yield
    finally:
        os.sync()
        if mounted:
            _remount(folder, "ro")


def put(path: Path, content: bytes) -> None:
    """Write a file as a whole; FAT knows neither modes nor owners."""
    beside = path.with_name(f"{path.name[:8]}.new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _remount(folder: Path, how: str) -> None:
    command = ["mount", "-o", f"remount,{how}", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own words
    if done.returncode:
        message = (
            f"the boot partition cannot be made {'writable' if how == 'rw' else 'read-only'}: {done.stderr.strip()}"
        )
        raise BoxError(message)
