"""Waiting for what is due in the database: rows that carry the time at which something is to be sent for them."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

from modembank.clock import Clock, to_ms
from modembank.store import Store

Row = TypeVar("Row")
Found_co = TypeVar("Found_co", covariant=True)
_AT_ONCE = 50
_LOOK_S = 10.0


class Finds(Protocol[Found_co]):
    """Finds what is due."""

    def __call__(self, conn: sqlite3.Connection, now_ms: int, limit: int) -> Sequence[Found_co]:
        """Return it, at most so much."""


class Due(Generic[Row]):
    """What is due, in pieces, for the one who sends it."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        due: Finds[Row],
        next_due: Callable[[sqlite3.Connection], int | None],
    ) -> None:
        """``due`` returns what is at a time (unix milliseconds), at most so many; ``next_due`` when the next is."""
        self._store = store
        self._clock = clock
        self._find = due
        self._next_at = next_due
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something is due, or may be."""
        self._woken.set()

    async def next(self) -> Sequence[Row]:
        """Return what is due as soon as anything is; raises StoreError."""
        while True:
            self._woken.clear()
            now = to_ms(self._clock.now())
            found = await self._store.read(partial(self._find, now_ms=now, limit=_AT_ONCE))
            if found:
                return found
            next_at = await self._store.read(self._next_at)
            wait_s = _LOOK_S if next_at is None else min(_LOOK_S, max(0.0, (next_at - now) / 1000))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()
