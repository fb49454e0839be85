"""Writing on the boot partition: mounted read-write for a moment, and one sector at a time."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modembank_box.errors import BoxError
from modembank_box.places import Places

SECTOR = 512
"""What a disk writes whole or not at all."""


@contextmanager
def writable(places: Places) -> Iterator[None]:
    """Let the boot partition be written within; one process at a time, and read-only again afterwards."""
    places.run.mkdir(parents=True, exist_ok=True)
    with (places.run / "boot.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.ismount(places.boot):  # in tests, and on a disk where nobody mounted it
            yield
            return
        _remount(places.boot, "rw")
        try:
            yield
        finally:
            os.sync()
            _remount(places.boot, "ro")


def write_sector(path: Path, content: bytes) -> None:
    """Overwrite the first sector of a file, which stays where it is on the disk: a power cut leaves the old or the new.

    Whoever truncates a file and writes it again, as grub-editenv does, has a moment in which it is empty.
    """
    if len(content) != SECTOR:
        raise ValueError(len(content))
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        os.pwrite(opened, content, 0)
        os.fsync(opened)
    finally:
        os.close(opened)


def _remount(folder: Path, how: str) -> None:
    done = subprocess.run(
        ["mount", "-o", f"remount,{how}", folder], check=False, capture_output=True, text=True, timeout=60
    )
    if done.returncode:
        message = f"the boot partition cannot be mounted {how}: {done.stderr.strip()}"
        raise BoxError(message)
