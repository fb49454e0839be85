"""Held messages: taken out of the queue after an outage, and put back or given up when an admin decides.

``messages.ready`` is 3 while one is held. Each step looks at a bounded number and is one transaction; the order is by
rank and age, so that what is released goes out as it would have.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from modembank.events import MessageStateChanged
from modembank.messages.model import HELD, PAUSED, Expire, MessageState
from modembank.messages.outbox import decisions, outages
from modembank.messages.outbox.changes import Changes, is_paused
from modembank.messages.outbox.outages import Outage, OutageKind

STEP = decisions.WAKE_LIMIT
"""Messages changed in one transaction at most."""
LOOK = 4 * STEP
"""Messages looked at in one read at most."""
Place = tuple[int, int]
"""(rank, message id): smaller goes first."""
START: Place = (-1, -1)
_DUE = "max(created_at, COALESCE(not_before, 0))"


class Looked(msgspec.Struct, frozen=True):
    """What one look at waiting messages found that is not to be sent now: at most STEP."""

    after: Place | None
    """Where to go on; None: all were looked at."""
    late: tuple[int, ...]
    """Past their validity."""
    old: tuple[int, ...]
    """Too old to go without an admin's word."""


class Judged(msgspec.Struct, frozen=True):
    """What one step of judge() did."""

    after: Place | None
    """Where to go on; None: all were looked at."""
    taken: tuple[int, ...] = ()
    """Messages that are not to be sent now."""
    held: int = 0
    expired: int = 0
    events: list[MessageStateChanged] = msgspec.field(default_factory=list)


class Chosen(msgspec.Struct, frozen=True):
    """Which held messages a decision is about: those due after ``after`` and before ``until`` (unix ms)."""

    after: int | None = None
    until: int | None = None

    def includes(self, due: int) -> bool:
        """Return whether a message that was due then is meant."""
        return (self.after is None or due > self.after) and (self.until is None or due < self.until)


class Decided(msgspec.Struct, frozen=True):
    """What one step of release() or give_up() did."""

    after: Place | None
    entries: tuple[tuple[int, int, int], ...] = ()
    """(route, rank, message) of what may be sent now."""
    later: int = 0
    """Released before their time has come."""
    expired: int = 0
    events: list[MessageStateChanged] = msgspec.field(default_factory=list)


class Held(msgspec.Struct, frozen=True):
    """How many messages of a route are held, of those whose age lies in one bucket, and when the oldest was due."""

    route_id: int
    bucket: int
    count: int
    oldest: int


def look(conn: sqlite3.Connection, outage: Outage, older_than_ms: int, after: Place, now: int) -> Looked:
    """Look at the next ready messages of the outage's route for what had grown old by its end.

    Validity goes first: what is past it expires as it always does.
    """
    rows = conn.execute(
        f"SELECT rank, id, expires_at, {_DUE} FROM messages WHERE ready = 1 AND route_id = ?"  # noqa: S608 - constants
        " AND (rank, id) > (?, ?) ORDER BY rank, id LIMIT ?",
        (outage.route_id, *after, LOOK),
    )
    late: list[int] = []
    old: list[int] = []
    seen = 0
    place = after
    for rank, message, expires_at, due in rows:
        if len(late) + len(old) == STEP:
            return Looked(place, tuple(late), tuple(old))
        if expires_at <= now:
            late.append(message)
        elif due < outage.until - older_than_ms:
            old.append(message)
        seen, place = seen + 1, (rank, message)
    return Looked(place if seen == LOOK else None, tuple(late), tuple(old))


def judge(conn: sqlite3.Connection, outage: Outage, looked: Looked, now: int, *, expire: bool) -> Judged:
    """Hold (or give up) what a look found, as far as it still waits; note that the outage is judged after the last."""
    events = decisions.expire(conn, looked.late, now)
    if expire:
        given_up = _expire(conn, looked.old, outage.cause, now)
        events += given_up
        held, expired = 0, len(given_up)
    else:
        held, expired = _hold(conn, looked.old, outage.cause), 0
    outages.count(conn, outage.id, held, expired, now if looked.after is None else None)
    return Judged(looked.after, (*looked.late, *looked.old), held, expired, events)


def release(conn: sqlite3.Connection, chosen: Chosen, after: Place, now: int) -> Decided:
    """Put the chosen ones of the next STEP held messages back into the queue; what is past its validity expires.

    They are due from now on, or an outage that still goes on would undo the decision as it ends. Those of a batch that
    is paused wait for it.
    """
    rows, following = _next_held(conn, chosen, after)
    changes = Changes(conn, now)
    late = [message for message, _, _, expires_at, _ in rows if expires_at <= now]
    entries = []
    later = 0
    for message, route_id, rank, expires_at, not_before in rows:
        row = changes.read(message)
        if expires_at <= now or row is None:
            continue
        row.cause = None
        if is_paused(conn, row.batch_id, message):
            row.ready, later = PAUSED, later + 1
        elif not_before is not None and not_before > now:
            row.ready, later = 2, later + 1
        else:
            row.ready, row.not_before = 1, now
            entries.append((route_id, rank, message))
        due = row.ready == 1 and row.state is MessageState.SCHEDULED
        changes.save(row, MessageState.QUEUED if due else row.state)
    expired = decisions.expire(conn, late, now)
    return Decided(following, tuple(entries), later, len(late), [*changes.finish(), *expired])


def give_up(conn: sqlite3.Connection, chosen: Chosen, after: Place, now: int, by: str) -> Decided:
    """Expire the chosen ones of the next STEP held messages, on behalf of somebody."""
    rows, following = _next_held(conn, chosen, after)
    events: list[MessageStateChanged] = []
    for message, *_ in rows:
        cause = conn.execute("SELECT cause FROM messages WHERE id = ?", (message,)).fetchone()[0]
        events += _expire(conn, [message], f"{cause}; given up by {by}", now)
    return Decided(following, expired=len(events), events=events)


def hold_waiting(conn: sqlite3.Connection, cause: str, now: int) -> int:
    """Hold every message that waits to be sent, now, at its time or with its batch, until an admin decides.

    Returns how many they are.

    For data that is restored from a backup: whatever waits in it may have been sent since. ``cause`` is what each of
    them tells. Nothing may be dispatched meanwhile. When that data's box lived last is no outage of this one.
    """
    held = conn.execute("UPDATE messages SET ready = ?, cause = ? WHERE ready IN (1, 2, 4)", (HELD, cause)).rowcount
    outages.forget_alive(conn)
    outages.add(conn, Outage(None, OutageKind.RESTORED, now, now, judged_at=now, held=held))
    return held


def count_held(conn: sqlite3.Connection) -> int:
    """Return how many messages are held."""
    found: int = conn.execute("SELECT count(*) FROM messages WHERE ready = 3").fetchone()[0]
    return found


def ages(conn: sqlite3.Connection, bounds_ms: Iterable[int], now: int) -> list[Held]:
    """Return the held messages counted by route and age; bucket n holds ages from the n-th bound on. Reads them all."""
    steps = " + ".join(f"(due <= {now - bound})" for bound in bounds_ms)
    rows = conn.execute(
        f"SELECT route_id, {steps} AS bucket, count(*), min(due) FROM"  # noqa: S608 - numbers and constants
        f" (SELECT route_id, {_DUE} AS due FROM messages WHERE ready = 3) GROUP BY route_id, bucket"
    )
    return [Held(*row) for row in rows]


def _next_held(
    conn: sqlite3.Connection, chosen: Chosen, after: Place
) -> tuple[list[tuple[int, int, int, int, int | None]], Place | None]:
    rows = conn.execute(
        f"SELECT id, route_id, rank, expires_at, not_before, {_DUE} FROM messages"  # noqa: S608 - constants
        " WHERE ready = 3 AND (rank, id) > (?, ?) ORDER BY rank, id LIMIT ?",
        (*after, STEP),
    ).fetchall()
    following = (rows[-1][2], rows[-1][0]) if len(rows) == STEP else None
    return [row[:5] for row in rows if chosen.includes(row[5])], following


def _hold(conn: sqlite3.Connection, messages: Sequence[int], cause: str) -> int:
    return conn.executemany(
        "UPDATE messages SET ready = ?, cause = ? WHERE id = ? AND ready = 1",
        [(HELD, cause, message) for message in messages],
    ).rowcount


def _expire(conn: sqlite3.Connection, messages: Sequence[int], why: str, now: int) -> list[MessageStateChanged]:
    events: list[MessageStateChanged] = []
    for message in messages:
        events += decisions.decide(conn, message, Expire(why=why), now) or []
    return events
