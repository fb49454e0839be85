"""Files that others read while they are written: whole, or the one before."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write ``content`` beside ``path`` and let it take its place, on the disk before that; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    opened = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(opened, "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state as JSON that everyone may read."""
    write_whole(path, json.dumps(state, ensure_ascii=True, indent=1).encode() + b"\n")


def read_state(path: Path) -> dict[str, Any]:
    """Return the state in ``path``; empty where there is none, or none that can be read."""
    try:
        state = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}
