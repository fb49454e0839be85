"""Reading the queue of what may be sent: routes, messages by rank and age, and what waits for a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import msgspec

from modembank.messages.model import MessageFlags, MessageState, OnUnknown, QueuedMessage, Route, Stage
from modembank.messages.outbox.aggregate import MAY_BE_SENT, AttemptRow, done_segments
from modembank.messages.outbox.journal import journalled_attempts, merged, stored_attempts

_SELECT = (
    "SELECT id, user_id, recipient, text, segments, flags, route_id, rank, expires_at, window, on_unknown, tries,"
    " ready, state, subject FROM messages WHERE id = ?"
)


class _Spec(msgspec.Struct, frozen=True):
    sims: tuple[int, ...] = ()
    pool: str | None = None
    channel: str = "sms"
    stages: tuple[Stage, ...] = ()


def read_route(conn: sqlite3.Connection, route_id: int) -> Route | None:
    """Return a route, or None when there is none."""
    row = conn.execute("SELECT spec FROM routes WHERE id = ?", (route_id,)).fetchone()
    if row is None:
        return None
    spec = msgspec.json.decode(row[0], type=_Spec)
    return Route(route_id, spec.sims, spec.pool, spec.channel, spec.stages)


def waiting_routes(conn: sqlite3.Connection) -> list[Route]:
    """Return the routes that have messages ready; hops from route to route along the index."""
    found: list[Route] = []
    last = -1
    while True:
        row = conn.execute("SELECT min(route_id) FROM messages WHERE ready = 1 AND route_id > ?", (last,)).fetchone()
        if row[0] is None:
            return found
        last = row[0]
        route = read_route(conn, last)
        found.append(route if route is not None else Route(last))


def load(conn: sqlite3.Connection, route_id: int, limit: int, exclude: Collection[int]) -> list[QueuedMessage]:
    """Return at most ``limit`` messages that may be sent now, by rank and age; fewer means that there are no more."""
    ids = conn.execute("SELECT id FROM messages WHERE ready = 1 AND route_id = ? ORDER BY rank, id", (route_id,))
    wanted = (row[0] for row in ids if row[0] not in exclude)
    found: list[QueuedMessage] = []
    for message in _read_each(conn, wanted):
        found.append(message)
        if len(found) == limit:
            break
    ids.close()
    return found


def load_some(conn: sqlite3.Connection, ids: Iterable[int]) -> list[QueuedMessage]:
    """Return those of the messages that may be sent now."""
    return list(_read_each(conn, ids))


def next_timed(conn: sqlite3.Connection) -> int | None:
    """Return when the next message that waits for a time is due (unix ms), or None."""
    row = conn.execute("SELECT min(not_before) FROM messages WHERE ready = 2").fetchone()
    return None if row is None else row[0]


def _read_each(conn: sqlite3.Connection, ids: Iterable[int]) -> Iterator[QueuedMessage]:
    journalled = journalled_attempts(conn)  # once: each message's own look would read all of the journal
    for message_id in ids:
        row = conn.execute(_SELECT, (message_id,)).fetchone()
        if row is None or row[12] != 1 or row[13] >= MessageState.SENT:
            continue
        journal = journalled.get(message_id, [])
        tried = row[11] > 0 or row[13] == MessageState.SENDING or journal
        message = _queued(row, merged(stored_attempts(conn, message_id), journal) if tried else [])
        if message is not None:
            yield message


def _queued(row: tuple[Any, ...], attempts: list[AttemptRow]) -> QueuedMessage | None:
    """Return the message, or None when an attempt is in flight or nothing of it is left to send."""
    policy, segments = OnUnknown(row[10]), row[4]
    done = done_segments(policy, segments, attempts)
    if any(attempt.outcome is None for attempt in attempts) or len(done) >= segments:
        return None
    out = [attempt for attempt in attempts if attempt.outcome in MAY_BE_SENT]
    earlier = [attempt for attempt in out if attempt.segment in done]
    tries = max([row[11], *(attempt.n for attempt in attempts)])
    sim_id = earlier[-1].sim_id if earlier else None
    concat = (earlier or out)[-1].concat if out else None
    values = (*row[:5], MessageFlags(row[5]), *row[6:10], policy, tries, sim_id, done, concat, row[14])
    return QueuedMessage(*values)
