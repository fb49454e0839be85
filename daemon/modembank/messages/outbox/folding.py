"""When to fold: in the store's lazy window, or earlier when much has gathered, and only what is there to fold."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable

import structlog

from modembank.clock import Clock, to_ms
from modembank.messages.outbox.fold import OPEN_AFTER_MS, Fold, FoldResult
from modembank.store import Store, StoreClosed, Urgency

AGAIN_S = 1.0
"""After a fold that the store could not take."""
EARLY_ROWS = 256
"""So many settlements do not wait for the lazy window: whoever reads the journal reads all of it."""
_log = structlog.get_logger()


class Folding:
    """Keeps one lazy fold on its way, an early one besides when there is much; what comes meanwhile starts the next."""

    def __init__(self, store: Store, clock: Clock, folded: Callable[[FoldResult], None]) -> None:
        """``folded`` is called after the commit of each fold."""
        self._store = store
        self._clock = clock
        self._folded = folded
        self._under_way = 0
        self._waiting = 0
        self._open_timer: asyncio.TimerHandle | None = None

    def soon(self) -> None:
        """Something was journalled."""
        self._waiting += 1
        if self._waiting >= EARLY_ROWS:
            self._submit(Urgency.SOON)
        elif not self._under_way:
            self._submit(Urgency.LAZY)

    def watch_open(self) -> None:
        """An attempt has begun: if it is still under way in a while, it is to be seen as such."""
        if self._open_timer is None:
            later_s = OPEN_AFTER_MS / 1000 + 0.1
            self._open_timer = asyncio.get_running_loop().call_later(later_s, self._look_at_open)

    async def now(self) -> None:
        """Fold all that is settled, and return after the commit."""
        full = True
        while full:
            result = await self._store.write(self._fold, Urgency.NOW)
            self._folded(result)
            full = result.full and result.rows > 0

    def _look_at_open(self) -> None:
        self._open_timer = None
        self.soon()

    def _submit(self, urgency: Urgency) -> None:
        try:
            future = self._store.submit(self._fold, urgency)
        except StoreClosed:
            return  # the journal is durable; the next start folds it
        self._under_way += 1
        self._waiting = 0
        future.add_done_callback(self._ended)

    def _fold(self, conn: sqlite3.Connection) -> FoldResult:
        return Fold(conn, to_ms(self._clock.now())).run()

    def _ended(self, future: asyncio.Future[FoldResult]) -> None:
        self._under_way -= 1
        error = None if future.cancelled() else future.exception()
        if error is not None or future.cancelled():
            if not isinstance(error, StoreClosed):
                _log.error("fold_failed", error=repr(error), again_in_s=AGAIN_S)
                asyncio.get_running_loop().call_later(AGAIN_S, self.soon)
            return
        result = future.result()
        self._folded(result)
        if result.open:
            self.watch_open()
        if not self._under_way and (self._waiting or (result.full and result.rows)):
            self._submit(Urgency.LAZY)
