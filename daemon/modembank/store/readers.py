"""A few read-only connections, each on a thread of its own: reads never wait for writes, and cannot write."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar, cast

import aiosqlite

from modembank.store.errors import StoreClosed, from_sqlite, is_fatal

T = TypeVar("T")
Row = tuple[object, ...]
_CACHE_KIB = 8_192
_BUSY_TIMEOUT_MS = 5_000


class Reads(Protocol):
    """A connection that only reads, on a thread of its own."""

    async def open(self) -> None:
        """Connect."""

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Return ``fn(connection)``, run on the connection's thread."""
        ...

    def abort(self) -> None:
        """End the statement that runs now, if one does; thread safe."""

    async def close(self) -> None:
        """Let go of the connection."""


class Reader(aiosqlite.Connection):
    """A read-only connection that runs whole functions, which aiosqlite keeps to itself."""

    def __init__(self, path: Path) -> None:
        """Prepare; awaiting it connects."""
        uri = f"{path.absolute().as_uri()}?mode=ro"
        super().__init__(lambda: _connect(uri), iter_chunk_size=64)
        self._thread.daemon = True  # a daemon that dies must not hang on a read

    async def open(self) -> None:
        """Connect; raises sqlite3.Error."""
        await self

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Return ``fn(connection)``, run on the connection's thread."""
        return cast("T", await self._execute(fn, self._conn))  # type: ignore[no-untyped-call]  # untyped in aiosqlite

    def abort(self) -> None:
        """End the statement that runs now, if one does; thread safe."""
        self._conn.interrupt()


class ReaderPool:
    """Lends readers to one function at a time; a cancelled caller's reader returns when its thread is done."""

    def __init__(self, readers: Sequence[Reads]) -> None:
        """Prepare; ``open`` connects them."""
        self._readers = readers
        self._free: asyncio.LifoQueue[Reads | None] = asyncio.LifoQueue()  # the last used has the warmest cache
        self._returning: set[asyncio.Task[None]] = set()
        self._closed = False

    async def open(self) -> None:
        """Connect all; raises sqlite3.Error."""
        for reader in self._readers:
            await reader.open()
            self._free.put_nowait(reader)

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Return ``fn(connection)``; raises StoreError for a broken file, StoreClosed, and whatever fn raises."""
        if self._closed:
            raise StoreClosed
        reader = await self._free.get()
        if reader is None:  # closed while we waited: the next waiter is to know it too
            self._free.put_nowait(None)
            raise StoreClosed
        cancelled = False
        try:
            return await reader.run(fn)
        except asyncio.CancelledError:
            cancelled = True
            reader.abort()
            self._return_later(reader)
            raise
        except sqlite3.Error as error:
            if is_fatal(error):
                raise from_sqlite(error) from error
            raise
        finally:
            if not cancelled:
                self._free.put_nowait(reader)

    async def close(self) -> None:
        """Wait for the reads under way and close all connections."""
        self._closed = True
        for _ in self._readers:
            await self._free.get()
        self._free.put_nowait(None)
        for reader in self._readers:
            await reader.close()

    def _return_later(self, reader: Reads) -> None:
        """The thread may still be inside the function: behind a no-op of ours it is certainly out of it."""

        async def wait() -> None:
            await reader.run(lambda _: None)
            self._free.put_nowait(reader)

        task = asyncio.create_task(wait(), name="store.reader_return")
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)


def snapshot(fn: Callable[[sqlite3.Connection], T]) -> Callable[[sqlite3.Connection], T]:
    """Return ``fn`` wrapped so that all its statements see one and the same commit."""

    def run(connection: sqlite3.Connection) -> T:
        connection.execute("BEGIN")
        try:
            return fn(connection)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    return run


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection
