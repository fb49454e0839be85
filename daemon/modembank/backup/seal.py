"""The last line of a backup: a digest of everything before it.

SQLite's own check finds a page out of order, not a digit of a telephone number that a bad card changed. The line stands
behind the last page, where SQLite does not look: the file stays an ordinary database.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_BEGIN = b"\nmodembank backup sha256 "
_OCTETS = len(_BEGIN) + 64 + 1
_CHUNK = 1 << 20


def seal(path: Path, stopped: Callable[[], bool]) -> None:
    """Append the line and put the whole file on the disk; raises OSError. Ends early when ``stopped()``."""
    with path.open("r+b") as file:
        digest = _digest(file, path.stat().st_size, stopped)
        file.seek(0, os.SEEK_END)
        file.write(_BEGIN + digest + b"\n")
        file.flush()
        os.fsync(file.fileno())


def content_octets(path: Path) -> int:
    """Return how much of the file is the database: all but the line, when there is one."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _OCTETS))
        tail = file.read(_OCTETS)
    return size - _OCTETS if tail.startswith(_BEGIN) and tail.endswith(b"\n") else size


def seal_problem(path: Path) -> str | None:
    """Return what is wrong with the line of a file that must have one, None when it fits."""
    content = content_octets(path)
    if content == path.stat().st_size:
        return "it was cut short, its last line is missing"
    with path.open("rb") as file:
        digest = _digest(file, content, lambda: False)
        if file.read() != _BEGIN + digest + b"\n":
            return "its content is not what was written, the checksum does not fit"
    return None


def _digest(file: BinaryIO, octets: int, stopped: Callable[[], bool]) -> bytes:
    """Return the hexadecimal SHA-256 of the next ``octets`` octets."""
    state = hashlib.sha256()
    left = octets
    while left and not stopped() and (chunk := file.read(min(left, _CHUNK))):
        state.update(chunk)
        left -= len(chunk)
    return state.hexdigest().encode("ascii")
