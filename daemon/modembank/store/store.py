"""The store: one database file, one writer, a few readers."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import structlog

from modembank.ids import IdSequence
from modembank.metrics import Metrics
from modembank.store.errors import StoreError
from modembank.store.health import RESERVE_OCTETS, Room, StoreHealth
from modembank.store.opening import Opened, open_beside, open_owned
from modembank.store.readers import Reader, ReaderPool, snapshot
from modembank.store.schema import BOX, Schema
from modembank.store.work import JobQueue, Urgency
from modembank.store.writer import Writer

T = TypeVar("T")
Params = Sequence[object] | dict[str, object]
READERS = 3
_log = structlog.get_logger()


class StoreOptions(msgspec.Struct, frozen=True):
    """How long writes may gather (seconds), and how much room is kept for what was already accepted (octets)."""

    lazy_s: float = 0.5
    soon_s: float = 0.03
    reserve_octets: int = RESERVE_OCTETS
    readers: int = READERS


class Store:
    """All reading and writing of the box's database; made by open(), ended by close()."""

    lanes = 1
    """Into how many parts writes may be divided that touch nothing of each other's, to be made at the same time."""

    def __init__(self, opened: Opened, path: Path, options: StoreOptions, metrics: Metrics | None) -> None:
        """Start the writer's thread on an opened database; use open()."""
        self._opened = opened
        self._loop = asyncio.get_running_loop()
        self._queue = JobQueue(options.soon_s, options.lazy_s)
        self._room = Room(path, options.reserve_octets)
        self._readers = ReaderPool([Reader(path) for _ in range(options.readers)])
        self._writer = Writer(opened.connection, self._queue, self._room, opened.checkpoints, metrics)
        self._ended = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        self.epoch = opened.epoch
        """Which life of the box this is: changes when a backup is restored."""
        self._ids = IdSequence(opened.last_id, opened.epoch)
        self._writer.start(lambda: self._loop.call_soon_threadsafe(self._ended.set))

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        metrics: Metrics | None = None,
        lazy_s: float = 0.5,
        soon_s: float = 0.03,
        reserve_octets: int = RESERVE_OCTETS,
        beside: bool = False,
        schema: Schema = BOX,
    ) -> Self:
        """Open the database at ``path``, made and migrated as needed.

        ``beside`` is for small tools: when a daemon owns the database, write next to it (see modembank.store.lock for
        why that is safe); when none does, behave like one. ``schema`` is that of another database than the box's.
        Raises StoreBusy, SchemaTooNew, SchemaTooOld (beside only), MigrationFailed, StoreCorrupt, ForeignDatabase,
        StoreError.
        """
        now_ms = round(time.time() * 1000)
        opening = open_beside if beside else open_owned
        opened = await asyncio.to_thread(lambda: opening(path, now_ms, schema=schema))
        options = StoreOptions(lazy_s, soon_s, reserve_octets, 1 if beside else READERS)
        async with contextlib.AsyncExitStack() as undo:
            store = cls(opened, path, options, metrics)
            undo.push_async_callback(store.close)
            await store._readers.open()
            undo.pop_all()
        return store

    async def write(
        self,
        fn: Callable[[sqlite3.Connection], T],
        urgency: Urgency = Urgency.NOW,
        *,
        reserve: bool = True,
        lane: int | None = None,
    ) -> T:
        """Run ``fn(connection)`` in a transaction and return its result after the commit.

        ``fn`` runs on the writer's thread, must be complete in itself and must not begin or end transactions. What it
        raises undoes its own changes only and is raised here. Cancelling the caller does not undo a submitted write.
        New work passes ``reserve=False``: it is refused with StoreFull while only the reserve is left, so that what was
        accepted before can still be settled. ``lane`` (0 to ``lanes`` - 1) says that it touches nothing of what writes
        of other lanes touch; one without a lane has the whole database for itself. Raises StoreFull or StoreError when
        the commit failed, StoreClosed.
        """
        return await self.submit(fn, urgency, reserve=reserve, lane=lane)

    def submit(
        self,
        fn: Callable[[sqlite3.Connection], T],
        urgency: Urgency = Urgency.NOW,
        *,
        reserve: bool = True,
        lane: int | None = None,
    ) -> asyncio.Future[T]:
        """Like write(), without waiting: the future is done after the commit. Call it on an event loop's thread."""
        del lane  # one writer makes them all, in order
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put(fn, urgency, future, reserve=reserve)
        return future

    async def flush(self) -> None:
        """Return when everything submitted so far is committed (or reported as failed)."""
        marks = [self.submit(lambda _: None, urgency) for urgency in (Urgency.NOW, Urgency.LAZY)]
        self._queue.flush()
        await asyncio.gather(*marks)

    async def read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Return ``fn(connection)`` from a read-only connection; all its statements see one commit, the last."""
        return await self._readers.run(snapshot(fn))

    async def fetch_all(self, sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """Return all rows of one query."""
        return await self._readers.run(lambda connection: connection.execute(sql, params).fetchall())

    async def fetch_one(self, sql: str, params: Params = ()) -> tuple[Any, ...] | None:
        """Return the first row of one query, or None."""

        def first(connection: sqlite3.Connection) -> tuple[Any, ...] | None:
            cursor = connection.execute(sql, params)
            row: tuple[Any, ...] | None = cursor.fetchone()
            cursor.close()  # ends the read, even when more rows were there
            return row

        return await self._readers.run(first)

    @property
    def ids(self) -> IdSequence:
        """Row ids of messages, inbox and batches; only the database's owner hands them out (StoreError beside it)."""
        if self._opened.owner is None:
            raise StoreError(detail="only the daemon that owns the database hands out ids")
        return self._ids

    @property
    def health(self) -> StoreHealth:
        """How the store is now; cheap enough for every watchdog tick and every accepted message."""
        writer = self._writer
        return StoreHealth(
            state=writer.state,
            detail=writer.detail,
            free_octets=self._room.free_octets(),
            reserve_octets=self._room.reserve_octets,
            last_commit_at=writer.last_commit_at,
            queue_depth=self._queue.depth(),
            overdue_s=self._queue.overdue_s(),
        )

    @property
    def overdue_s(self) -> float:
        """How long the oldest write has waited beyond its time; cheap enough to ask at every beat."""
        return self._queue.overdue_s()

    @property
    def wanted(self) -> bool:
        """Whether others wait while one function is being written: a hint to that one, when it is long, to end."""
        return self._queue.is_wanted()

    @property
    def writable(self) -> bool:
        """Whether new work may be accepted now."""
        return self.health.writable

    async def close(self) -> None:
        """Commit everything submitted, refuse the rest, end the readers, empty the log; may be called again."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="store.close")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._queue.close()
        await self._ended.wait()
        await self._readers.close()
        await asyncio.to_thread(self._opened.close, self._ids.take(0) - 1)
