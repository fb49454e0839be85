"""Recording that somebody read what others wrote: exports each time, conversations now and then."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import structlog

from modembank.audit.log import Who, record
from modembank.clock import Clock, to_ms
from modembank.store import Store, StoreFull

AGAIN_S = 3_600
"""How long one entry stands for whatever else its reader reads of the same subject: a page that asks every second must
not bury the rest."""
MOST_KNOWN = 1_000
_log = structlog.get_logger()


class Readings:
    """Notes of who read what."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Nothing was read yet."""
        self._store = store
        self._clock = clock
        self._noted: dict[tuple[int, str, str], float] = {}

    async def note(self, who: Who, action: str, subject: str) -> None:
        """Record a reading durably before it is answered, unless an entry of the last hour stands for it."""
        key, now = (who.user_id, action, subject), self._clock.monotonic()
        if now - self._noted.get(key, float("-inf")) < AGAIN_S:
            return
        await note_reading(self._store, self._clock, who, action, subject)
        if len(self._noted) >= MOST_KNOWN:
            self._noted.clear()
        self._noted[key] = now


async def note_reading(
    store: Store, clock: Clock, who: Who, action: str, subject: str, detail: Mapping[str, object] | None = None
) -> None:
    """Record a reading durably before it is answered; on a full disk it is answered all the same, and logged."""
    now = to_ms(clock.now())

    def write(conn: sqlite3.Connection) -> None:
        record(conn, who, action, subject, now, detail)

    try:
        await store.write(write)
    except StoreFull:
        _log.warning("reading_not_recorded", actor=who.name, action=action)
