"""Gathering: what comes while the store writes is written together, so that many callers share one write."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from modembank.errors import ModembankError
from modembank.store import Store, StoreError, Urgency

T = TypeVar("T")
R = TypeVar("R")
MOST_TOGETHER = 512
"""Items in one write: bounds how long other writes wait for a flood of these."""


class _Waiting(msgspec.Struct, Generic[T, R], frozen=True):
    item: T
    told: asyncio.Future[R]


class Gathering(Generic[T, R]):
    """Writes items in groups, in the order they came: one group at a time, all that comes meanwhile is the next.

    A lone item waits for nobody: its group is handed to the store within the same turn of the event loop.
    """

    def __init__(
        self,
        store: Store,
        write: Callable[[sqlite3.Connection, Sequence[T]], Sequence[R | ModembankError]],
        written: Callable[[Sequence[tuple[T, R]]], None],
    ) -> None:
        """``write`` runs on the writer's thread: one result, or the refusal of one item, for each.

        ``written`` is called on the event loop, before the callers are told, with what was not refused.
        """
        self._store = store
        self._write = write
        self._written = written
        self._waiting: list[_Waiting[T, R]] = []
        self._writing = False

    async def put(self, item: T) -> R:
        """Return the item's result when it is durable; raises its refusal, StoreFull, StoreError.

        The item is written even when the caller goes away meanwhile.
        """
        loop = asyncio.get_running_loop()
        told: asyncio.Future[R] = loop.create_future()
        self._waiting.append(_Waiting(item, told))
        if not self._writing:
            self._writing = True
            loop.call_soon(self._next)  # not at once: the other requests of this turn come along
        return await told

    def _next(self) -> None:
        group, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
        self._writing = bool(group)
        if group:
            self._submit(group, then=self._next)

    def _submit(self, group: Sequence[_Waiting[T, R]], then: Callable[[], None]) -> None:
        items = [each.item for each in group]

        def ended(done: asyncio.Future[Sequence[R | ModembankError]]) -> None:
            then()  # first, so that the writer has work while the callers are told
            self._ended(group, done)

        try:
            future = self._store.submit(lambda conn: self._write(conn, items), Urgency.NOW, reserve=False)
        except StoreError as error:
            _tell(group, [error] * len(group))
            then()
        else:
            future.add_done_callback(ended)

    def _ended(self, group: Sequence[_Waiting[T, R]], done: asyncio.Future[Sequence[R | ModembankError]]) -> None:
        error = done.exception()
        if error is None:
            results = done.result()
            pairs = zip(group, results, strict=True)
            self._written([(each.item, result) for each, result in pairs if not isinstance(result, ModembankError)])
            _tell(group, results)
        elif isinstance(error, StoreError) or len(group) == 1:
            _tell(group, [error] * len(group))
        else:  # one of them cannot be written: it must not take the others with it
            for each in group:
                self._submit([each], then=lambda: None)


def _tell(group: Sequence[_Waiting[T, R]], results: Sequence[R | BaseException]) -> None:
    for each, result in zip(group, results, strict=True):
        if each.told.done():  # its caller went away
            continue
        if isinstance(result, BaseException):
            each.told.set_exception(result)
        else:
            each.told.set_result(result)
