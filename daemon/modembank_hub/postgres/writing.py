"""Writers at PostgreSQL: threads that commit groups of functions, beside those of other processes.

A write without a lane has the database for itself, as SQLite's single writer gives it to each: it may read, decide and
write as if nobody else were there. Writes of a lane wait for those alone, and for others of the same lane, wherever
those run. Both are advisory locks that end with the transaction, so that a process that dies holds up nobody.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import structlog

from modembank.metrics import Metrics
from modembank.store import StoreError
from modembank.store.health import Room, StoreState
from modembank.store.work import Job, JobQueue
from modembank.store.writer import Result, Writer, hand_back
from modembank_hub.postgres.driver import Connection, NotConnected
from modembank_hub.postgres.errors import Collided, Lost
from modembank_hub.postgres.schema import LANE, LOCKS, WHOLE

LANES = 4
"""The same in every process: it is a lock's meaning."""
TRIES = 5
_ALONE = f"SELECT pg_advisory_xact_lock({LOCKS}, {WHOLE})"
_log = structlog.get_logger()


class NothingToCopy:
    """The server makes its own checkpoints."""

    def writing(self) -> AbstractContextManager[object]:
        """Wait for nothing."""
        return nullcontext()

    def committed(self) -> None:
        """Nothing is counted."""

    def after_commit(self, *, urgent_waits: bool) -> None:
        """Nothing is due."""

    def when_idle(self) -> None:
        """Nothing is due."""


class ServerRoom(Room):
    """The server's disk is its own: whether it is full is known when it says so."""

    def __init__(self) -> None:
        """Keep no reserve."""
        super().__init__(Path(), 0)

    def free_octets(self) -> int:
        """Nobody knows."""
        return 0


class SharedWriter(Writer):
    """A writer that connects again by itself; of one lane, or of all that have none."""

    def __init__(
        self,
        connection: Connection,
        connect: Callable[[], Connection],
        queue: JobQueue,
        lane: int | None,
        metrics: Metrics | None,
    ) -> None:
        """``connect`` connects anew, and first where ``connection`` is none yet; it raises StoreError."""
        super().__init__(connection.as_sqlite(), queue, ServerRoom(), NothingToCopy(), metrics)
        self._own = connection
        self._connect = connect
        self._committing = False
        self._lock = _ALONE
        if lane is not None:
            self._lock = (
                f"SELECT pg_advisory_xact_lock_shared({LOCKS}, {WHOLE}), pg_advisory_xact_lock({LOCKS}, {LANE + lane})"
            )

    def close(self) -> None:
        """Let go of the connection, once the thread has ended."""
        self._own.close()

    def _write(self, group: Sequence[Job]) -> None:
        """Run a group, and once more what was undone as a whole because of somebody else, or never came to a commit."""
        for left in reversed(range(TRIES)):
            fresh = self._own.lost
            try:
                if fresh:
                    self._reconnect()
                done = self._transact(group)
            except StoreError as error:
                self.state, self.detail = StoreState.FAILED, str(error)
                done = [Result(job, error=error) for job in group]
            except Collided as error:
                if left:
                    self._roll_back()
                    continue
                done = self._undo(group, error)
            except sqlite3.Error as error:
                if isinstance(error, Lost):
                    self._own.close()
                    if left and not fresh and not self._committing:  # the server was started anew meanwhile
                        continue
                done = self._undo(group, error)
            hand_back(done)
            return

    def _reconnect(self) -> None:
        before, self._own = self._own, self._connect()
        self._connection = self._own.as_sqlite()
        before.close()
        if not isinstance(before, NotConnected):
            _log.info("database_connected_again")

    def _roll_back(self) -> None:
        if self._own.in_transaction and not self._own.lost:
            self._connection.execute("ROLLBACK")

    def _begin(self) -> None:
        self._committing = False
        # Each statement is to see what was committed until now: the lock may have been waited for.
        self._connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
        self._connection.execute(self._lock)

    def _commit(self) -> None:
        self._committing = True
        self._connection.execute("COMMIT")
        self._committing = False
