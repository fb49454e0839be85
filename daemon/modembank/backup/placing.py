"""Files that appear under their name whole or not at all."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ABANDONED_S = 3600
"""An unfinished file that nobody wrote to for so long belongs to a process that was killed."""
_BESIDE = ("-wal", "-shm", "-journal")


@contextmanager
def unfinished(target: Path, *, alone: bool = False) -> Iterator[Path]:
    """Yield an empty file beside ``target``, for its owner alone; unless it was renamed, it is gone afterwards.

    What killed processes left is cleared; ``alone``: nobody else can be at work on ``target``. Raises OSError when the
    folder cannot be written to.
    """
    _clear_abandoned(target, 0 if alone else _ABANDONED_S)
    fd, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".unfinished", dir=target.parent)
    os.close(fd)
    path = Path(name)
    try:
        yield path
    finally:
        for each in (path, *(path.with_name(path.name + ending) for ending in _BESIDE)):
            each.unlink(missing_ok=True)


def _clear_abandoned(target: Path, after_s: float) -> None:
    for old in target.parent.glob(f".{target.name}.*.unfinished*"):
        if not after_s or old.stat().st_mtime < time.time() - after_s:
            old.unlink(missing_ok=True)
