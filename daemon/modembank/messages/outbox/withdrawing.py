"""Withdrawing: what waits for numbers that have opted out is ended, and what a loop held back is let go."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from modembank.events import MessageStateChanged
from modembank.messages.model import MessageFlags, OptedOut
from modembank.messages.outbox.decisions import WAKE_LIMIT, decide
from modembank.store import Store, Urgency

AT_ONCE = 500
"""Numbers looked at in one read."""
_WAITING = (
    "SELECT id FROM messages WHERE recipient = ? AND ready IS NOT NULL AND id > ? AND (flags & ?) = 0"
    " AND EXISTS (SELECT 1 FROM opt_outs WHERE number = recipient AND state = 1) ORDER BY id LIMIT ?"
)
_HELD_BACK = "SELECT id FROM messages WHERE recipient = ? AND ready = 2 AND cause LIKE ? ORDER BY id LIMIT ?"


class Withdrawing:
    """Ends messages in bounded steps, and tells of each."""

    def __init__(self, store: Store, publish: Callable[[Sequence[MessageStateChanged]], None]) -> None:
        """``publish`` is called with what is durable."""
        self._store = store
        self._publish = publish

    async def end_for(self, numbers: Sequence[str], now: int) -> int:
        """End what waits for those of the numbers that are out; return how many were ended."""
        ended = 0
        for start in range(0, len(numbers), AT_ONCE):
            ended += await self._end_some(tuple(numbers[start : start + AT_ONCE]), now)
        return ended

    async def end_all(self, now: int) -> int:
        """End what waits for any number that is out."""
        ended, last = 0, ""
        while numbers := await self._out_after(last):
            ended, last = ended + await self._end_some(numbers, now), numbers[-1]
        return ended

    async def _out_after(self, number: str) -> list[str]:
        return await self._store.read(lambda conn: out_after(conn, number))

    async def _end_some(self, numbers: Sequence[str], now: int) -> int:
        ended = after = 0
        while ids := await self._found(numbers, after):
            events = await self._ended(ids, now)
            self._publish(events)
            ended, after = ended + len(events), ids[-1]
        return ended

    async def _found(self, numbers: Sequence[str], after: int) -> list[int]:
        return await self._store.read(lambda conn: find(conn, numbers, after))

    async def _ended(self, ids: Sequence[int], now: int) -> list[MessageStateChanged]:
        return await self._store.write(lambda conn: end(conn, ids, now), Urgency.SOON)


def find(conn: sqlite3.Connection, numbers: Sequence[str], after: int) -> list[int]:
    """Return the next messages, by id, that wait for one of the numbers that has opted out."""
    found: list[int] = []
    for number in numbers:
        rows = conn.execute(_WAITING, (number, after, int(MessageFlags.CONSENT), WAKE_LIMIT))
        found += [row[0] for row in rows]
    return sorted(found)[:WAKE_LIMIT]


def end(conn: sqlite3.Connection, messages: Sequence[int], now: int) -> list[MessageStateChanged]:
    """End those of the messages that still wait and are not in flight."""
    events: list[MessageStateChanged] = []
    for message in messages:
        waits = conn.execute("SELECT 1 FROM messages WHERE id = ? AND ready IS NOT NULL", (message,)).fetchone()
        if waits is not None:
            events += decide(conn, message, OptedOut(), now) or []
    return events


def out_after(conn: sqlite3.Connection, number: str) -> list[str]:
    """Return the next numbers, in order, that have opted out; most of the table has, so its key serves."""
    rows = conn.execute(
        "SELECT number FROM opt_outs WHERE number > ? AND +state = 1 ORDER BY number LIMIT ?", (number, AT_ONCE)
    )
    return [row[0] for row in rows]


def changed_after(conn: sqlite3.Connection, place: tuple[int, str]) -> list[tuple[int, str]]:
    """Return the next numbers that are out since after a place, each as the place that it is (unix ms, number)."""
    return conn.execute(
        "SELECT changed_at, number FROM opt_outs WHERE (changed_at, number) > (?, ?) AND state = 1"
        " ORDER BY changed_at, number LIMIT ?",
        (*place, AT_ONCE),
    ).fetchall()


def let_go(conn: sqlite3.Connection, number: str, cause: str, now: int) -> int:
    """Have messages to a number that wait for a cause that begins so tried at once; return how many."""
    ids = [row[0] for row in conn.execute(_HELD_BACK, (number, f"{cause}%", WAKE_LIMIT))]
    conn.executemany("UPDATE messages SET not_before = ? WHERE id = ?", [(now, message) for message in ids])
    return len(ids)
