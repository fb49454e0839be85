"""Small files beside the database that a power cut must not take back."""

from __future__ import annotations

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Return when a file's content, or a folder's entries, are on the disk; raises OSError."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace_text(path: Path, text: str) -> None:
    """Give a file new ASCII content, durable on return: after a power cut it holds the old or the new, whole.

    Nobody but its owner reads it. Raises OSError; then it may hold either.
    """
    fresh = path.with_suffix(".new")
    with open(fresh, "w", encoding="ascii", opener=_private) as file:
        file.write(text)
    sync(fresh)  # before it has the name: else the name may lead to an empty file
    fresh.replace(path)
    sync(path.parent)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
