"""Messages that should have been sent or settled by now: what health looks at. Bounded, however long the queue is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from modembank.messages.model import MessageState
from modembank.messages.waiting import WaitingMessage

MOST_ROUTES = 500
"""Heads of queues (route and rank) that are looked at."""
MOST_SHOWN = 20
"""Messages of one head that are explained."""
MOST_COUNTED = 20_000
"""Rows that are read in all; beyond that a count is a floor. A few tenths of a second on a small computer."""
_MOST_FRESH = 50
"""Rows in a row that are not late, after which no late one is looked for: heads are read by age."""
# Since when it waits for us: its first try, or when it was accepted or became due; not the time of the next try.
_SINCE = (
    "CASE WHEN tries > 0 THEN (SELECT COALESCE(min(started_at), created_at) FROM attempts WHERE message_id = id)"
    " ELSE max(created_at, COALESCE(not_before, 0)) END"
)
_ROW = f"SELECT id, route_id, rank, state, ready, not_before, window, cause, {_SINCE} FROM messages"  # noqa: S608 - constants
_NEXT_HEAD = (
    "SELECT route_id, rank FROM messages WHERE ready = 1 AND (route_id, rank) > (?, ?) ORDER BY route_id, rank LIMIT 1"
)
_READY = f"{_ROW} WHERE ready = 1 AND route_id = ? AND rank = ? ORDER BY id LIMIT ?"
_TIMED = f"{_ROW} WHERE ready = 2 AND state > {int(MessageState.SCHEDULED)} ORDER BY not_before LIMIT ?"
_UNKNOWN = (
    # SQLite takes a partial index only when it sees its very condition, else it would read the whole table.
    "SELECT id, (SELECT max(COALESCE(finished_at, started_at)) FROM attempts WHERE message_id = m.id)"
    " FROM messages m INDEXED BY messages_problem WHERE state BETWEEN 60 AND 79 AND state = ? ORDER BY id LIMIT ?"
)


class LateGroup(msgspec.Struct, frozen=True):
    """Late messages of one head of a queue, or of those that wait for another try."""

    shown: tuple[WaitingMessage, ...]
    """The oldest of them."""
    count: int
    since: int
    """Since when the one that waits longest does (unix ms)."""
    more: bool
    """There may be more of them than were counted."""


class UnknownFound(msgspec.Struct, frozen=True):
    """Messages of which nobody knows whether they were sent."""

    count: int
    oldest: int
    """The row id of the one that is unknown for longest."""
    since: int


def late_groups(conn: sqlite3.Connection, before: int) -> tuple[LateGroup, ...]:
    """Return what has waited since before ``before`` (unix ms); what is held, or not yet due, does not count."""
    groups: list[LateGroup] = []
    left = MOST_COUNTED
    for sql, params in ((_TIMED, ()), *((_READY, head) for head in _heads(conn))):
        limit = max(left, MOST_SHOWN)
        group = _group(conn.execute(sql, (*params, limit)), before, limit)
        if group is not None:
            groups.append(group)
            left -= group.count
    return tuple(groups)


def oldest_waiting(conn: sqlite3.Connection) -> int | None:
    """Return since when (unix ms) the message waits that waits longest of those that may be sent now; None: none does.

    Only the first of each head is looked at, and those whose next try comes first: cheap, however long the queue is.
    """
    found = [row[-1] for row in conn.execute(_TIMED, (MOST_SHOWN,))]
    for head in _heads(conn):
        found += [row[-1] for row in conn.execute(_READY, (*head, 1))]
    return min(found, default=None)


def long_unknown(conn: sqlite3.Connection, before: int) -> UnknownFound | None:
    """Return the messages that are UNKNOWN since before ``before`` (unix ms)."""
    found = MessageState.UNKNOWN, MOST_COUNTED
    since = {message: at for message, at in conn.execute(_UNKNOWN, found) if at is not None and at < before}
    if not since:
        return None
    oldest = min(since, key=since.__getitem__)
    return UnknownFound(len(since), oldest, since[oldest])


def _heads(conn: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    last = -1, -1
    for _ in range(MOST_ROUTES):
        head: tuple[int, int] | None = conn.execute(_NEXT_HEAD, last).fetchone()
        if head is None:
            return
        yield head
        last = head


def _group(rows: sqlite3.Cursor, before: int, limit: int) -> LateGroup | None:
    late: list[tuple[Any, ...]] = []
    fresh = 0
    for row in rows:
        fresh = 0 if row[-1] < before else fresh + 1
        if fresh > _MOST_FRESH:
            break
        if not fresh:
            late.append(row)
    rows.close()
    if not late:
        return None
    shown = tuple(_waiting(row) for row in late[:MOST_SHOWN])
    return LateGroup(shown, len(late), min(row[-1] for row in late), more=len(late) == limit)


def _waiting(row: tuple[Any, ...]) -> WaitingMessage:
    message, route_id, rank, state, ready, not_before, window, cause, _ = row
    return WaitingMessage(message, route_id, rank, MessageState(state), ready == 1, not_before, window, cause)
