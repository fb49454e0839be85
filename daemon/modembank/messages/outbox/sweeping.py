"""Rare housekeeping in bounded steps: what waits past its validity, reports that will never come, orphans."""

from __future__ import annotations

import sqlite3

from modembank.events import MessageStateChanged
from modembank.messages.outbox import decisions, reports
from modembank.store import Store, Urgency

LOOK_AT = 2_000
"""Ready messages looked at in one step."""
_START = (-1, -1, -1)
_START_HELD = (-1, -1)


class Sweeper:
    """Remembers where the last step ended."""

    def __init__(self, store: Store) -> None:
        """Begin at the front of the queue."""
        self._store = store
        self._after: tuple[int, int, int] = _START
        self._after_held: tuple[int, int] = _START_HELD
        self._after_paused = 0

    async def step(self, now: int) -> tuple[int, list[MessageStateChanged]]:
        """Do one step; return how many messages expired, and the events to publish."""
        late, after = await self._store.read(lambda conn: decisions.overdue(conn, self._after, now, LOOK_AT))
        self._after = _START if after is None else after
        held, after_held = await self._store.read(
            lambda conn: decisions.overdue_held(conn, self._after_held, now, LOOK_AT)
        )
        self._after_held = _START_HELD if after_held is None else after_held
        paused, after_paused = await self._store.read(
            lambda conn: decisions.overdue_paused(conn, self._after_paused, now, LOOK_AT)
        )
        self._after_paused = after_paused or 0
        late = [*late, *held, *paused][: decisions.WAKE_LIMIT]
        events = await self._store.write(lambda conn: decisions.expire(conn, late, now), Urgency.LAZY) if late else []
        if after is None:  # once a round
            stale = await self._store.read(lambda conn: stale_awaiting(conn, now))
            await self._store.write(lambda conn: self._forget(conn, stale, now), Urgency.LAZY)
        return len(events), events

    def _forget(self, conn: sqlite3.Connection, stale: list[tuple[int, int, int]], now: int) -> None:
        decisions.forget_awaiting(conn, stale)
        reports.forget_orphans(conn, now)


def stale_awaiting(conn: sqlite3.Connection, now: int, most: int = 500) -> list[tuple[int, int, int]]:
    """Return attempts whose delivery report will not come any more: the message's validity and a grace are over."""
    rows = conn.execute(
        "SELECT a.message_id, a.segment, a.n FROM attempts a JOIN messages m ON m.id = a.message_id"
        " WHERE a.awaiting = 1 AND m.expires_at < ? LIMIT ?",
        (now - reports.REPORT_GRACE_MS, most),
    )
    return rows.fetchall()
