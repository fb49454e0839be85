"""What was decided about messages that could not be sent: tried later, failed, held, expired, or ready again."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from modembank.events import MessageStateChanged
from modembank.messages.model import PAUSED, SET_ASIDE, Decision, Expire, Fail, Hold, MessageState, OptedOut, RetryAt
from modembank.messages.outbox.aggregate import AttemptRow, Fate, all_sent, fates
from modembank.messages.outbox.changes import Changes, MessageRow, is_paused
from modembank.messages.outbox.journal import attempts_of

WAKE_LIMIT = 500
"""Messages woken or expired in one transaction."""
OPTED_OUT = "opted_out: the recipient wants no messages"
"""Cause of a message that is not sent for it."""


class Woken(msgspec.Struct, frozen=True):
    """What one call of wake() did."""

    entries: tuple[tuple[int, int, int], ...] = ()
    """(route, rank, message) of what is ready now."""
    expired: int = 0
    events: list[MessageStateChanged] = msgspec.field(default_factory=list)


def decide(conn: sqlite3.Connection, message_id: int, decision: Decision, now: int) -> list[MessageStateChanged] | None:
    """Apply a decision; None when it came too late (sent, settled or in flight meanwhile) and changed nothing."""
    changes = Changes(conn, now)
    row = changes.read(message_id)
    if row is None or row.state >= MessageState.UNKNOWN or row.state is MessageState.SENT:
        return None
    attempts = attempts_of(conn, message_id)
    found = set(fates(row.segments, attempts).values())
    if Fate.OPEN in found or all_sent(row.segments, attempts):
        return None
    state: MessageState = row.state
    match decision:
        case RetryAt(ms, cause):
            row.not_before = min(ms, row.expires_at)
            if row.ready not in SET_ASIDE:
                waits = is_paused(conn, row.batch_id, message_id) and max(found) <= Fate.FREE
                row.ready, row.cause = PAUSED if waits else 2, cause or row.cause
        case Fail(cause):
            row.cause = cause
            state = MessageState.FAILED
        case Hold(cause):
            row.cause = cause
            state = MessageState.UNKNOWN
        case Expire(cause, why):
            state = _given_up(row, attempts, cause, why)
        case OptedOut():
            state = _given_up(row, attempts, None, OPTED_OUT, MessageState.FAILED)
    changes.save(row, state)
    return changes.finish()


def wake(conn: sqlite3.Connection, now: int) -> Woken:
    """Make ready what waited until ``now``, at most WAKE_LIMIT; what is past its validity expires instead."""
    rows = conn.execute(
        "SELECT id, route_id, rank, expires_at, state FROM messages WHERE ready = 2 AND not_before <= ?"
        " ORDER BY not_before LIMIT ?",
        (now, WAKE_LIMIT),
    ).fetchall()
    entries = [(route, rank, message) for message, route, rank, expires_at, _ in rows if expires_at > now]
    changes = Changes(conn, now)
    for message, _, _, expires_at, state in rows:
        if expires_at > now and state != MessageState.SCHEDULED:
            conn.execute("UPDATE messages SET ready = 1 WHERE id = ?", (message,))
        elif row := changes.read(message):
            _move_on(changes, row, now)
    return Woken(tuple(entries), len(rows) - len(entries), changes.finish())


def expire(conn: sqlite3.Connection, messages: Sequence[int], now: int) -> list[MessageStateChanged]:
    """Expire those of ``messages`` that wait past their validity and are not in flight."""
    events: list[MessageStateChanged] = []
    for message in messages:
        waits = conn.execute(
            "SELECT 1 FROM messages WHERE id = ? AND ready IN (1, 2, 3, 4) AND expires_at <= ?", (message, now)
        ).fetchone()
        if waits is not None:
            events += decide(conn, message, Expire(), now) or []
    return events


def overdue(
    conn: sqlite3.Connection, after: tuple[int, int, int], now: int, most: int
) -> tuple[list[int], tuple[int, int, int] | None]:
    """Look at the next ``most`` ready messages; return those past their validity, and where to go on (None: ended)."""
    rows = conn.execute(
        "SELECT route_id, rank, id, expires_at FROM messages WHERE ready = 1 AND (route_id, rank, id) > (?, ?, ?)"
        " ORDER BY route_id, rank, id LIMIT ?",
        (*after, most),
    ).fetchall()
    late = [row[2] for row in rows if row[3] <= now]
    return late, (rows[-1][:3] if len(rows) == most else None)


def overdue_held(
    conn: sqlite3.Connection, after: tuple[int, int], now: int, most: int
) -> tuple[list[int], tuple[int, int] | None]:
    """Like overdue(), of the messages that are held until an admin decides."""
    rows = conn.execute(
        "SELECT rank, id, expires_at FROM messages WHERE ready = 3 AND (rank, id) > (?, ?) ORDER BY rank, id LIMIT ?",
        (*after, most),
    ).fetchall()
    late = [row[1] for row in rows if row[2] <= now]
    return late, (rows[-1][:2] if len(rows) == most else None)


def overdue_paused(conn: sqlite3.Connection, after: int, now: int, most: int) -> tuple[list[int], int | None]:
    """Like overdue(), of the messages that wait until their batch goes on."""
    rows = conn.execute(
        "SELECT id, expires_at FROM messages WHERE ready = 4 AND id > ? ORDER BY id LIMIT ?", (after, most)
    ).fetchall()
    late = [row[0] for row in rows if row[1] <= now]
    return late, (rows[-1][0] if len(rows) == most else None)


def forget_awaiting(conn: sqlite3.Connection, keys: list[tuple[int, int, int]]) -> int:
    """Wait no longer for delivery reports of these attempts; return how many there were."""
    for key in keys:
        conn.execute("UPDATE attempts SET awaiting = NULL WHERE message_id = ? AND segment = ? AND n = ?", key)
    return len(keys)


def _move_on(changes: Changes, row: MessageRow, now: int) -> None:
    if row.expires_at <= now:
        state = _given_up(row, attempts_of(changes.conn, row.id), None)
    else:
        row.ready = 1
        state = MessageState.QUEUED
    changes.save(row, state)


def _given_up(
    row: MessageRow,
    attempts: list[AttemptRow],
    cause: str | None,
    why: str | None = None,
    state: MessageState = MessageState.EXPIRED,
) -> MessageState:
    """A part that may have been sent makes it UNKNOWN: nobody may believe that the recipient has nothing."""
    found = list(fates(row.segments, attempts).values())
    sent = sum(fate >= Fate.SENT for fate in found)
    said = cause or row.cause
    last = f"; last: {said}" if said and why is None else ""
    why = why or "expired: its validity ended"
    if Fate.UNKNOWN in found or Fate.OPEN in found:
        row.cause = f"{why} and it may have been sent{last}"
        return MessageState.UNKNOWN
    parts = f" after {sent} of {row.segments} segments were sent" if sent else ""
    row.cause = f"{why}{parts}{last}"
    return state
