"""The store over PostgreSQL: what ``modembank.store`` is over SQLite, for a hub that several processes are."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import structlog

from modembank.ids import IdSequence
from modembank.metrics import Metrics
from modembank.store import Store, StoreError, StoreHealth, StoreState, Urgency
from modembank.store.readers import ReaderPool
from modembank.store.work import JobQueue
from modembank_hub.postgres.driver import Connection, NotConnected, Target, connect
from modembank_hub.postgres.reading import SharedReader
from modembank_hub.postgres.schema import check, migrate
from modembank_hub.postgres.writing import LANES, SharedWriter

T = TypeVar("T")
READERS = 3
_log = structlog.get_logger()


class SharedStore(Store):
    """All reading and writing of a hub's database at a server; made by open_at(), ended by close()."""

    lanes = LANES

    def __init__(
        self, target: Target, connection: Connection, queues: Sequence[JobQueue], metrics: Metrics | None
    ) -> None:
        """Start the writers' threads: the connection is for writes without a lane; use open_at()."""
        self.epoch = 0
        self._loop = asyncio.get_running_loop()
        self._queues = queues
        again = partial(connected, target)
        self._writers = [
            SharedWriter(NotConnected() if place else connection, again, queue, place - 1 if place else None, metrics)
            for place, queue in enumerate(queues)
        ]
        self._readers = ReaderPool([SharedReader(partial(connect, target, reading=True)) for _ in range(READERS)])
        self._closing: asyncio.Task[None] | None = None
        self._running = [asyncio.Event() for _ in self._writers]
        for writer, ended in zip(self._writers, self._running, strict=True):
            writer.start(partial(self._loop.call_soon_threadsafe, ended.set))

    @classmethod
    async def open_at(
        cls, target: Target, *, metrics: Metrics | None = None, lazy_s: float = 0.5, soon_s: float = 0.03
    ) -> SharedStore:
        """Open the database at a server, made and migrated as needed.

        Raises ServerAway, LoginRefused, NoPassword, NotOurs, SchemaTooNew, MigrationFailed, StoreError.
        """
        connection = await asyncio.to_thread(_ready, target)
        async with contextlib.AsyncExitStack() as undo:
            store = cls(target, connection, [JobQueue(soon_s, lazy_s) for _ in range(1 + LANES)], metrics)
            undo.push_async_callback(store.close)
            await store._readers.open()
            undo.pop_all()
        return store

    def submit(
        self,
        fn: Callable[[sqlite3.Connection], T],
        urgency: Urgency = Urgency.NOW,
        *,
        reserve: bool = True,
        lane: int | None = None,
    ) -> asyncio.Future[T]:
        """Like write(), without waiting; ``fn`` may be run again when another process stood in its way."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queues[0 if lane is None else 1 + lane].put(fn, urgency, future, reserve=reserve)
        return future

    async def flush(self) -> None:
        """Return when everything submitted so far is committed (or reported as failed)."""
        lanes = (None, *range(LANES))
        marks = [self.submit(lambda _: None, one, lane=lane) for one in (Urgency.NOW, Urgency.LAZY) for lane in lanes]
        for queue in self._queues:
            queue.flush()
        await asyncio.gather(*marks)

    @property
    def ids(self) -> IdSequence:
        """None are handed out here: the server does."""
        raise StoreError(detail="the server hands out ids")

    @property
    def health(self) -> StoreHealth:
        """How the writers are now: the worst of them."""
        worst = next((one for one in self._writers if one.state is not StoreState.OK), self._writers[0])
        commits = [one.last_commit_at for one in self._writers if one.last_commit_at is not None]
        return StoreHealth(
            state=worst.state,
            detail=worst.detail,
            free_octets=0,
            reserve_octets=0,
            last_commit_at=max(commits, default=None),
            queue_depth=sum(queue.depth() for queue in self._queues),
            overdue_s=self.overdue_s,
        )

    @property
    def overdue_s(self) -> float:
        """How long the oldest write has waited beyond its time."""
        return max(queue.overdue_s() for queue in self._queues)

    @property
    def wanted(self) -> bool:
        """Whether others wait while one function without a lane is being written."""
        return any(queue.is_wanted() for queue in self._queues)

    async def _close(self) -> None:
        for queue in self._queues:
            queue.close()
        for ended in self._running:
            await ended.wait()
        await self._readers.close()
        for writer in self._writers:
            await asyncio.to_thread(writer.close)


def connected(target: Target) -> Connection:
    """Return a connection to a database that is of this release; raises StoreError."""
    with contextlib.ExitStack() as undo:
        connection = connect(target)
        undo.callback(connection.close)
        try:
            check(connection, target)
        except sqlite3.Error as error:
            raise StoreError(detail=str(error)) from error
        undo.pop_all()
    return connection


def _ready(target: Target) -> Connection:
    """Return a connection, once the schema is the newest."""
    with contextlib.ExitStack() as undo:
        first = connect(target)
        undo.callback(first.close)
        try:
            migrate(first, target)
            _warn(first, target)
        except sqlite3.Error as error:
            raise StoreError(detail=str(error)) from error
        undo.pop_all()
    return first


def _warn(connection: Connection, target: Target) -> None:
    if connection.execute("SELECT current_setting('fsync')").fetchone() == ("off",):
        _log.warning("database_not_durable", server=target.name, why="fsync is off at the server")
