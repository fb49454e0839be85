"""Counted batches: messages with texts of their own under one id, paused, let go and cancelled in bounded steps.

All functions run inside a write of the store. What a step changes, and where the next one begins, belongs into one
transaction: then a crash loses nothing and does nothing twice. Times are unix milliseconds.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from modembank.events import MessageStateChanged
from modembank.messages.model import PAUSED, MessageFlags, MessageState
from modembank.messages.outbox import (
    ACCEPTED_EVER,
    MAY_BE_SENT,
    Changes,
    add_batch_counts,
    add_counts,
    attempts_of,
    is_paused,
    may_cancel,
)
from modembank.messages.routes import intern_route
from modembank.messages.stored import encoding_code
from modembank.tpdu import Encoding

STEP = 500
"""Messages looked at in one transaction."""
Entries = tuple[tuple[int, int, int], ...]
"""(route, rank, message) of what may be sent now."""
_JOURNALLED = "SELECT DISTINCT message_id FROM journal WHERE kind IN (1, 2)"
_INSERT = (
    # FAIL spares SQLite a journal of the statement: one that fails is undone with the whole write anyway.
    "INSERT OR FAIL INTO messages (id, batch_id, user_id, recipient, text, encoding, segments, flags, route_id, rank,"  # noqa: S608 - constants
    " state, ready, not_before, expires_at, window, on_unknown, reference, created_at)"
    " SELECT ?1 + key, ?2, ?3, value ->> 0, value ->> 1,"
    f" CASE value ->> 2 {' '.join(f'WHEN {one.value!r} THEN {encoding_code(one)}' for one in Encoding)} END,"
    " value ->> 3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, value ->> 4, ?13"
    " FROM json_each(?14) WHERE key >= ?15 AND key < ?16"
)
_IN_STEP = "batch_id = ? AND id > ? AND id <= ?"


class Item(NamedTuple):
    """One message of a batch: its recipient as stored, and its own text, measured."""

    recipient: str
    text: str
    encoding: Encoding
    segments: int
    reference: str | None = None


class Items(msgspec.Struct, frozen=True):
    """A list of items, or the part of it from ``start`` up to ``stop``, as JSON: SQLite itself takes it apart.

    So the interpreter is free for whatever else the daemon does while thousands of rows are written. What stands behind
    the fields of an item is not looked at.
    """

    json: str
    start: int
    stop: int

    @classmethod
    def of(cls, items: Sequence[Item]) -> Items:
        """Return all of these."""
        return cls(msgspec.json.encode(items).decode(), 0, len(items))

    @property
    def count(self) -> int:
        """How many these are."""
        return self.stop - self.start

    def parted(self, at: int) -> tuple[Items, Items]:
        """Return the first so many, and the others."""
        middle = self.start + at
        return Items(self.json, self.start, middle), Items(self.json, middle, self.stop)


class Terms(msgspec.Struct, frozen=True):
    """What the messages of a batch have in common."""

    user_id: int
    flags: int
    route: str
    """Canonical spec."""
    rank: int
    not_before: int | None
    window: str | None
    on_unknown: int


class Added(msgspec.Struct, frozen=True):
    """What add() made: messages with the ids from ``first`` on."""

    first: int
    count: int
    state: MessageState
    entries: Entries


class Step(msgspec.Struct, frozen=True):
    """What one step did."""

    after: int | None
    """The message after which to go on; None: all were looked at."""
    changed: int = 0
    entries: Entries = ()
    set_aside: tuple[int, ...] = ()
    """Messages that are not to be sent now."""
    events: list[MessageStateChanged] = msgspec.field(default_factory=list)


def add(
    conn: sqlite3.Connection,
    batch: int,
    terms: Terms,
    items: Items,
    *,
    expires_at: int,
    first: int,
    now: int,
    waits: bool | None = None,
) -> Added:
    """Accept messages into a batch, with the ids from ``first`` on; those of a paused one wait, unless told so."""
    count = items.count
    due = terms.not_before is None or terms.not_before <= now
    state = MessageState.QUEUED if due else MessageState.SCHEDULED
    waits = is_paused(conn, batch, first) if waits is None else waits
    ready = PAUSED if waits else 1 if due else 2
    route_id = intern_route(conn, terms.route)
    flags = terms.flags | MessageFlags.COUNTED
    conn.execute(
        _INSERT,
        (
            *(first - items.start, batch, terms.user_id, flags, route_id, terms.rank, int(state), ready),
            *(terms.not_before, expires_at, terms.window, terms.on_unknown, now),
            *(items.json, items.start, items.stop),
        ),
    )
    add_counts(conn, Counter({state: count, ACCEPTED_EVER: count}))
    add_batch_counts(conn, Counter({(batch, state): count}))
    entries = tuple((route_id, terms.rank, message) for message in range(first, first + count)) if ready == 1 else ()
    return Added(first, count, state, entries)


def pause(conn: sqlite3.Connection, batch: int, free_to: int = 0) -> None:
    """From now on its messages behind ``free_to`` wait; those that are ready are to be walked through by pause_step().

    Those up to it are to be walked through with resume_step().
    """
    conn.execute("INSERT OR REPLACE INTO paused_batches (batch_id, going, free_to) VALUES (?, 0, ?)", (batch, free_to))


def let_go(conn: sqlite3.Connection, batch: int) -> None:
    """From now on its messages do not wait; those that do are to be walked through with resume_step()."""
    conn.execute("UPDATE paused_batches SET going = 1 WHERE batch_id = ?", (batch,))


def forget_pause(conn: sqlite3.Connection, batch: int) -> None:
    """None of its messages waits for it any more."""
    conn.execute("DELETE FROM paused_batches WHERE batch_id = ?", (batch,))


def pause_step(conn: sqlite3.Connection, batch: int, after: int) -> Step:
    """Have the next messages wait of which nothing was sent, or may have been; one that is under way ends first."""
    last, following = _bounds(conn, batch, after)
    under_way = set(_under_way(conn, batch, after, last))
    rows = conn.execute(f"SELECT id FROM messages WHERE {_IN_STEP} AND ready IN (1, 2)", (batch, after, last))  # noqa: S608 - constants
    waiting = [(PAUSED, row[0]) for row in rows.fetchall() if row[0] not in under_way]
    conn.executemany("UPDATE messages SET ready = ? WHERE id = ?", waiting)
    return Step(following, len(waiting), set_aside=tuple(message for _, message in waiting))


def resume_step(
    conn: sqlite3.Connection, batch: int, after: int, expires_at: int, now: int, up_to: int | None = None
) -> Step:
    """Let the next messages go that wait for their batch; they are due from now on, and valid until ``expires_at``.

    None behind ``up_to`` goes. Due from now on, or an outage that still goes on would hold them for their age as it
    ends.
    """
    last, following = _bounds(conn, batch, after)
    if up_to is not None and last >= up_to:
        last, following = up_to, None
    changes = Changes(conn, now)
    entries: list[tuple[int, int, int]] = []
    rows = conn.execute(
        f"SELECT id, route_id, rank, not_before FROM messages WHERE {_IN_STEP} AND ready = ?",  # noqa: S608 - constants
        (batch, after, last, PAUSED),
    ).fetchall()
    for message, route_id, rank, not_before in rows:
        row = changes.read(message)
        if row is None:
            continue
        if not_before is not None and not_before > now:
            row.ready = 2
        else:
            row.ready, row.not_before = 1, now
            entries.append((route_id, rank, message))
        due = row.ready == 1 and row.state is MessageState.SCHEDULED
        changes.save(row, MessageState.QUEUED if due else row.state)
    conn.executemany("UPDATE messages SET expires_at = ? WHERE id = ?", [(expires_at, row[0]) for row in rows])
    return Step(following, len(rows), tuple(entries), events=changes.finish())


def cancel_step(conn: sqlite3.Connection, batch: int, after: int, cause: str, now: int) -> Step:
    """Cancel those of the next messages that no attempt was made at."""
    last, following = _bounds(conn, batch, after)
    changes = Changes(conn, now)
    rows = conn.execute(
        f"SELECT id FROM messages WHERE {_IN_STEP} AND ready IN (1, 2, 3, 4)",  # noqa: S608 - constants
        (batch, after, last),
    ).fetchall()
    for (message,) in rows:
        row = changes.read(message)
        if row is None or not may_cancel(conn, message):
            continue
        row.cause = cause
        changes.save(row, MessageState.CANCELLED)
    # What was tried already goes on: it does not wait for a batch that will never go on.
    conn.execute(f"UPDATE messages SET ready = 1 WHERE {_IN_STEP} AND ready = ?", (batch, after, last, PAUSED))  # noqa: S608 - constants
    events = changes.finish()
    return Step(following, len(events), events=events)


def counts(conn: sqlite3.Connection, batch: int) -> dict[MessageState, int]:
    """Return how many messages of a batch are in each state, from its counters."""
    rows = conn.execute("SELECT state, n FROM batch_counts WHERE batch_id = ? AND n <> 0", (batch,))
    return {MessageState(state): n for state, n in rows}


def recount(conn: sqlite3.Connection, batch: int) -> dict[MessageState, int]:
    """Return the same from the messages themselves; reads all of them."""
    rows = conn.execute("SELECT state, count(*) FROM messages WHERE batch_id = ? GROUP BY state", (batch,))
    return {MessageState(state): n for state, n in rows}


def recipients(conn: sqlite3.Connection, batch: int, numbers: Sequence[str]) -> set[str]:
    """Return those of the numbers that have a message in the batch already; its messages are younger than it."""
    query = "SELECT 1 FROM messages WHERE recipient = ? AND id > ? AND batch_id = ? LIMIT 1"
    return {one for one in numbers if conn.execute(query, (one, batch, batch)).fetchone() is not None}


def _bounds(conn: sqlite3.Connection, batch: int, after: int) -> tuple[int, int | None]:
    """Return the last message of the step after one, and where the next step begins (None: this is the last)."""
    row = conn.execute(
        "SELECT id FROM messages WHERE batch_id = ? AND id > ? ORDER BY id LIMIT 1 OFFSET ?", (batch, after, STEP - 1)
    ).fetchone()
    return ((1 << 62), None) if row is None else (row[0], row[0])


def _under_way(conn: sqlite3.Connection, batch: int, after: int, last: int) -> Iterator[int]:
    """Return messages of a step of which a part is, or may be, out already: the rest must follow."""
    tried = conn.execute(
        f"{_JOURNALLED} UNION SELECT id FROM messages WHERE {_IN_STEP} AND state = ?",  # noqa: S608 - constants
        (batch, after, last, MessageState.SENDING),
    )
    for (message,) in tried.fetchall():
        attempts = attempts_of(conn, message)
        if any(attempt.outcome is None or attempt.outcome in MAY_BE_SENT for attempt in attempts):
            yield message
