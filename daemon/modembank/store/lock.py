"""Who may write: one daemon owns the database; small tools write beside it, never while it checkpoints.

Why small tools are safe. SQLite up to 3.51.2 can lose pages when one connection starts a checkpoint right after a
complete one while another connection's commit starts the log over (sqlite.org/wal.html, "The WAL-Reset Bug"). The
daemon's writer thread is the only one that checkpoints, so its own commits never meet its own checkpoints. A tool's
commit could. Therefore both take the turn lock: the daemon around each checkpoint, a tool around each of its writes,
and the two never overlap. A tool never checkpoints on its own; when its connection happens to be the last one to close
(the daemon ended meanwhile), SQLite checkpoints under an exclusive lock on the whole file, with nobody there to race.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from modembank.store.errors import StoreBusy, StoreError


class OwnerLock:
    """The right to be the daemon of a database: an advisory lock on a file beside it, gone when the process is."""

    def __init__(self, path: Path) -> None:
        """Name the lock file of the database at ``path``."""
        self._database = path
        self._file = path.with_name(path.name + ".lock")
        self._fd: int | None = None

    def take(self) -> None:
        """Own the database; raises StoreBusy naming the process that does."""
        fd = _open(self._file)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(fd, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise StoreBusy(path=self._database, pid=holder) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode("ascii"), 0)
        self._fd = fd

    def release(self) -> None:
        """Give it up; the file stays, as removing it would let two processes lock two files of one name."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class TurnLock:
    """Keeps checkpoints and the writes of small tools apart."""

    def __init__(self, path: Path) -> None:
        """Open the lock file of the database at ``path``."""
        self._fd = _open(path.with_name(path.name + ".turn"))

    @contextlib.contextmanager
    def held(self, *, wait: bool) -> Iterator[bool]:
        """Hold it inside the block; yields whether it is held (always, with ``wait``)."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
    except OSError as error:
        raise StoreError(detail=f"{path} cannot be opened: {error.strerror}") from error
