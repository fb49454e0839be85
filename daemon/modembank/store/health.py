"""What the store can say of itself: whether it takes writes, how much room is left, whether the writer is alive."""

from __future__ import annotations

import enum
import os
import sqlite3
from pathlib import Path

import msgspec

from modembank.store.errors import StoreFull, from_sqlite

RESERVE_OCTETS = 16 << 20
"""Room kept for settling what was already accepted: new work is refused below it."""


class StoreState(enum.StrEnum):
    """How the last write went."""

    OK = "ok"
    FULL = "full"
    """There was no room; the next write tries again."""
    FAILED = "failed"
    """The file or the disk failed; the next write tries again."""


class StoreHealth(msgspec.Struct, frozen=True):
    """A moment's view; times are monotonic seconds."""

    state: StoreState
    detail: str
    free_octets: int
    reserve_octets: int
    last_commit_at: float | None
    queue_depth: int
    overdue_s: float
    """For how long the most overdue write waits for the writer, or the one in hand for its commit."""

    @property
    def writable(self) -> bool:
        """Whether new work may be accepted: there is room beyond the reserve and the writer did not break."""
        return self.state is not StoreState.FAILED and self.free_octets >= self.reserve_octets


class Room:
    """How much room the file system has, seen by whoever runs the daemon."""

    def __init__(self, path: Path, reserve_octets: int = RESERVE_OCTETS) -> None:
        """Watch the file system that holds ``path``'s folder."""
        self._folder = path.absolute().parent
        self.reserve_octets = reserve_octets

    def free_octets(self) -> int:
        """Return the free octets, 0 when the file system cannot even say that."""
        try:
            found = os.statvfs(self._folder)
        except OSError:
            return 0
        return found.f_bavail * found.f_frsize

    def check_reserve(self) -> StoreFull | None:
        """Return the error for new work when only the reserve is left."""
        free = self.free_octets()
        if free >= self.reserve_octets:
            return None
        return StoreFull(detail=f"{free >> 20} MiB free, the last {self.reserve_octets >> 20} MiB are kept in reserve")


def state_after(error: sqlite3.Error) -> StoreState:
    """Return the state that an error of a whole transaction puts the store in."""
    return StoreState.FULL if isinstance(from_sqlite(error), StoreFull) else StoreState.FAILED
