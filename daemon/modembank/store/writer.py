"""The writer's thread: owns the only writing connection and commits groups of functions."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec
import structlog

from modembank.failpoints import Failpoint, reach
from modembank.metrics import Metrics
from modembank.store.errors import StoreError, from_sqlite, is_fatal
from modembank.store.health import Room, StoreState, state_after
from modembank.store.work import Job, JobQueue

_IDLE_S = 5.0
_log = structlog.get_logger()


class Result(msgspec.Struct):
    """What became of one job."""

    job: Job
    value: Any = None
    error: BaseException | None = None


class CheckpointPolicy(Protocol):
    """What the writer tells of its commits; see Checkpointer."""

    def writing(self) -> AbstractContextManager[object]:
        """Return what must be held while a transaction is made."""

    def committed(self) -> None:
        """Count one commit."""

    def after_commit(self, *, urgent_waits: bool) -> None:
        """Checkpoint when it is worth it."""

    def when_idle(self) -> None:
        """Checkpoint when there is anything."""


class Writer:
    """Runs jobs in transactions until the queue is closed and empty."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        queue: JobQueue,
        room: Room,
        checkpoints: CheckpointPolicy,
        metrics: Metrics | None,
    ) -> None:
        """Prepare the thread; start() starts it."""
        self._connection = connection
        self._queue = queue
        self._room = room
        self._checkpoints = checkpoints
        self._metrics = metrics
        self._thread = threading.Thread(target=self._run, name="store.writer", daemon=True)
        self._ended: list[Callable[[], object]] = []
        self.state = StoreState.OK
        self.detail = ""
        self.last_commit_at: float | None = None
        """Monotonic seconds of the last commit."""

    def start(self, ended: Callable[[], object]) -> None:
        """Start; ``ended`` is called on the writer's thread when it has ended."""
        self._ended.append(ended)
        self._thread.start()

    def _run(self) -> None:
        try:
            while (group := self._queue.take(_IDLE_S)) is not None:
                if group:
                    self._write(group)
                    self._checkpoints.after_commit(urgent_waits=self._queue.has_urgent())
                else:
                    self._checkpoints.when_idle()
        finally:
            left = self._queue.abandon()
            if left:  # only when this thread broke: nobody may wait for ever
                self.state, self.detail = StoreState.FAILED, "the writer's thread ended"
                hand_back([Result(job, error=StoreError(detail=self.detail)) for job in left])
            for ended in self._ended:
                ended()

    def _write(self, group: Sequence[Job]) -> None:
        group, refused = self._admit(group)
        try:
            with self._checkpoints.writing():
                done = self._transact(group) if group else []
        except sqlite3.Error as error:
            done = self._undo(group, error)
        hand_back([*refused, *done])

    def _admit(self, group: Sequence[Job]) -> tuple[Sequence[Job], list[Result]]:
        """Part the new work off when only the reserve is left."""
        if all(job.reserve for job in group):
            return group, []
        full = self._room.check_reserve()
        if full is None:
            return group, []
        return (
            [job for job in group if job.reserve],
            [Result(job, error=full) for job in group if not job.reserve],
        )

    def _transact(self, group: Sequence[Job]) -> list[Result]:
        started = time.monotonic()
        if self._connection.in_transaction:  # an earlier ROLLBACK failed as well
            self._connection.execute("ROLLBACK")
        self._begin()
        done = [self._call(job) for job in group]
        reach(Failpoint.GROUP_WRITTEN)
        self._commit()
        reach(Failpoint.GROUP_COMMITTED)
        self.last_commit_at = time.monotonic()
        self._checkpoints.committed()
        if self.state is not StoreState.OK:
            _log.info("store_recovered", was=self.state.value)
            self.state, self.detail = StoreState.OK, ""
        if self._metrics is not None:
            self._metrics.commit_s.observe(self.last_commit_at - started)
            self._metrics.commit_writes.inc(len(group))
        return done

    def _begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def _commit(self) -> None:
        self._connection.execute("COMMIT")

    def _call(self, job: Job) -> Result:
        """Run one function; its error undoes its own changes only, unless the file itself failed."""
        connection = self._connection
        connection.execute("SAVEPOINT job")
        try:
            result = Result(job, job.work(connection))
        except BaseException as error:  # a function's error belongs to its caller, whatever it is
            if is_fatal(error):
                raise
            if not connection.in_transaction:
                raise _transaction_lost() from error
            connection.execute("ROLLBACK TO job")
            result = Result(job, error=error)
        connection.execute("RELEASE job")
        return result

    def _undo(self, group: Sequence[Job], error: sqlite3.Error) -> list[Result]:
        """Roll the whole group back and tell every caller of it."""
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        if is_fatal(error):
            self.state, self.detail = state_after(error), str(error)
        _log.error("commit_failed", error=str(error), state=self.state.value, lost=len(group))
        return [Result(job, error=_copy_for_caller(error)) for job in group]


def _copy_for_caller(error: sqlite3.Error) -> StoreError:
    told = from_sqlite(error)
    told.__cause__ = error
    return told


def _transaction_lost() -> sqlite3.Error:
    return sqlite3.OperationalError("a write function, or SQLite in it, ended the transaction")


def hand_back(results: Iterable[Result]) -> None:
    """Give the results to the callers: one wake-up per event loop."""
    loops: dict[asyncio.AbstractEventLoop, list[Result]] = {}
    for result in results:
        loops.setdefault(result.job.future.get_loop(), []).append(result)
    for loop, ours in loops.items():
        try:
            loop.call_soon_threadsafe(_settle, ours)
        except RuntimeError:  # the loop is closed: nobody is left to tell
            _log.info("write_results_unwanted", count=len(ours))


def _settle(results: list[Result]) -> None:
    for result in results:
        future, error = result.job.future, result.error
        if future.done():  # its caller was cancelled; the write stands nevertheless
            if error is not None:
                _log.warning("unobserved_write_failed", error=repr(error))
        elif error is None:
            future.set_result(result.value)
        elif isinstance(error, StopIteration):  # a future cannot carry it
            future.set_exception(RuntimeError(repr(error)))
        else:
            future.set_exception(error)
