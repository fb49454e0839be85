"""Readers at PostgreSQL: each a connection on a thread of its own, that connects again when it has been lost."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from modembank_hub.postgres.driver import Connection
from modembank_hub.postgres.errors import Lost

T = TypeVar("T")


class SharedReader:
    """One of them."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        """``connect`` raises StoreError."""
        self._connect = connect
        self._connection: Connection | None = None
        self._thread = ThreadPoolExecutor(1, "store.reader")

    async def open(self) -> None:
        """Nothing is connected before it is needed."""

    async def run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Return ``fn(connection)``, run on the connection's thread; raises StoreError, sqlite3.Error."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, fn)

    def abort(self) -> None:
        """End the statement that runs now, if one does; thread safe."""
        connection = self._connection
        if connection is not None:
            connection.interrupt()

    async def close(self) -> None:
        """Let go of the connection and the thread."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        connection, fresh = self._connection, False
        if connection is None or connection.lost:
            self._close()
            connection, fresh = self._connect(), True
            self._connection = connection
        try:
            return fn(connection.as_sqlite())
        except Lost:
            self._close()
            if fresh:
                raise
        return self._run(fn)  # the server was started anew meanwhile: a read can be made twice

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
