"""A USB stick with an update on it: mounted so that nothing of it can do anything, looked through, and let go."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from modembank_box.bundles import Bundle, Refused
from modembank_box.errors import BoxError
from modembank_box.installing import Install
from modembank_box.orders import LARGEST_BUNDLE
from modembank_box.release import is_older

FILE_SYSTEMS = {"vfat": "", "exfat": "", "ext4": ",noload"}
"""Those that are mounted, with what else they are mounted with: not even a journal is played back."""
MOST = 20
_NAME = re.compile(r"modembank-[0-9A-Za-z._+-]{1,100}\.raucb")


@contextmanager
def mounted(device: str, folder: Path) -> Iterator[Path]:
    """Mount a stick read-only. Raises BoxError."""
    kind = subprocess.run(
        ["blkid", "-p", "-s", "TYPE", "-o", "value", device], check=False, capture_output=True, text=True, timeout=60
    )
    file_system = kind.stdout.strip()
    if file_system not in FILE_SYSTEMS:
        message = f"{file_system or device} is no file system that updates are looked for on"
        raise BoxError(message)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    how = f"ro,noexec,nodev,nosuid{FILE_SYSTEMS[file_system]}"
    done = subprocess.run(
        ["mount", "-t", file_system, "-o", how, device, folder],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode:
        message = f"{device} cannot be mounted: {done.stderr.strip()[:300]}"
        raise BoxError(message)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=False, timeout=120)
        with suppress(OSError):
            folder.rmdir()


def bundles_on(folder: Path) -> list[Path]:
    """Return the files there that are named like updates, few enough to look at each."""
    found = []
    for entry in os.scandir(folder):
        if _NAME.fullmatch(entry.name):
            told = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(told.st_mode) and 0 < told.st_size <= LARGEST_BUNDLE:
                found.append(Path(entry.path))
    return sorted(found, reverse=True)[:MOST]


@contextmanager
def held(paths: list[Path]) -> Iterator[dict[str, str]]:
    """Open files and yield names of them for RAUC, which does not see where the stick is mounted."""
    with ExitStack() as done:
        named = {}
        for path in paths:
            with suppress(OSError):
                opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
                done.callback(os.close, opened)
                named[path.name] = f"/proc/{os.getpid()}/fd/{opened}"
        yield named


def newest(install: Install, running: str, files: dict[str, str]) -> tuple[Bundle | None, str]:
    """Return the newest update that is newer than what runs; and, where there is none, why one was refused."""
    best: Bundle | None = None
    refused = ""
    for name, path in files.items():
        try:
            bundle = install.checked(path)
        except Refused as error:
            refused = refused or f"{name}: {error}"
            continue
        if is_older(running, bundle.version) and (best is None or is_older(best.version, bundle.version)):
            best = bundle
    return best, refused
