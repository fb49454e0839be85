"""When the log is copied into the database file: in small steps, when nobody urgent waits."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import structlog

from modembank.failpoints import Failpoint, reach
from modembank.store.lock import TurnLock

STEP_PAGES = 1_000
"""Pages that are worth a checkpoint: small enough for a short stall, large enough to write hot pages only once."""
_MUST_PAGES = 3 * STEP_PAGES
"""Pages at which it is done even though urgent writes wait."""
_LEAST_PAGES = STEP_PAGES // 4
"""Pages worth it when the box is idle."""
_LOOK_EVERY_COMMITS = 2_048
_TRUNCATE_OCTETS = 64 << 20
_FRAME_OCTETS = 4096 + 24  # sqlite.org/fileformat.html, 4.1: a page and its frame header

_log = structlog.get_logger()


class Checkpointer:
    """Checkpoints for the writer's own connection, which is the only one that ever does."""

    def __init__(self, connection: sqlite3.Connection, path: Path, turn: TurnLock) -> None:
        """Watch the log of ``path``; every method is called by the writer's thread."""
        self._connection = connection
        self._wal = path.with_name(path.name + "-wal")
        self._turn = turn
        self._commits = 0
        self._per_commit = 4.0
        self._kept = 0
        self._size = self._wal_octets()
        self.done = 0
        """Checkpoints made so far."""

    def writing(self) -> AbstractContextManager[object]:
        """Nothing to wait for: the thread that writes is the one that checkpoints."""
        return nullcontext()

    def committed(self) -> None:
        """Count one commit."""
        self._commits += 1

    def after_commit(self, *, urgent_waits: bool) -> None:
        """Make a step when enough pages have gathered."""
        pages = self._pages()
        if pages < STEP_PAGES and self._commits < _LOOK_EVERY_COMMITS:
            return
        if not urgent_waits or pages >= _MUST_PAGES:
            self._step()

    def when_idle(self) -> None:
        """Make a step when there is anything worth it."""
        if self._pages() >= _LEAST_PAGES:
            self._step()

    def at_close(self) -> None:
        """Copy everything and empty the log, unless a small tool writes just now: then the log simply stays."""
        with self._turn.held(wait=False) as held:
            if held:
                reach(Failpoint.CHECKPOINT)
                self._run("TRUNCATE")  # who still reads, a backup above all, is not waited for: the log stays

    def _pages(self) -> int:
        """Estimate the pages logged since the last step.

        SQLite does not tell without checkpointing: the file's growth is exact as long as the log grows, and once the
        log is written over from its start, commits times the pages that a commit took so far is near enough.
        """
        grown = max(0, self._wal_octets() - self._size) // _FRAME_OCTETS
        return max(grown, round(self._commits * self._per_commit))

    def _step(self) -> None:
        with self._turn.held(wait=False) as held:
            if not held:
                return
            reach(Failpoint.CHECKPOINT)
            mode = "TRUNCATE" if self._wal_octets() > _TRUNCATE_OCTETS else "PASSIVE"
            try:
                busy, logged, copied = self._run(mode)
            except sqlite3.Error as error:
                # What is committed is safe in the log; the next step tries again.
                _log.warning("checkpoint_failed", error=str(error))
                self._commits = 0
                return
        self._learn(logged, copied, busy=bool(busy))

    def _run(self, mode: str) -> tuple[int, int, int]:
        timeout_ms: int = self._connection.execute("PRAGMA busy_timeout").fetchone()[0]
        self._connection.execute("PRAGMA busy_timeout = 0")  # never wait for a reader here
        try:
            busy, logged, copied = self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {timeout_ms}")
        return busy, logged, copied

    def _learn(self, logged: int, copied: int, *, busy: bool) -> None:
        fresh = logged - self._kept  # a log that was copied whole is started over by the next commit
        if self._commits and fresh > 0:
            self._per_commit = 0.5 * self._per_commit + 0.5 * max(1.0, fresh / self._commits)
        self._kept = logged if copied < logged else 0
        self.done += 1
        self._commits = 0
        self._size = self._wal_octets()
        _log.debug("checkpoint", logged=logged, copied=copied, busy=busy)

    def _wal_octets(self) -> int:
        try:
            return self._wal.stat().st_size
        except OSError:
            return 0
