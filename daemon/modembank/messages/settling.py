"""Settling by a person: what became of a message that may or may not have been sent, when nobody else can tell."""

from __future__ import annotations

import sqlite3

import msgspec

from modembank import audit
from modembank.accounts.model import Actor
from modembank.clock import rfc3339
from modembank.errors import Conflict, FieldProblem, InvalidRequest, NotFound
from modembank.events import MessageStateChanged
from modembank.ids import public_id
from modembank.messages.model import MessageFlags, MessageState
from modembank.messages.outbox import aggregate, attempts_of
from modembank.messages.outbox.changes import Changes
from modembank.messages.views import MESSAGE_ID

STEP = 500
"""Messages looked at in one transaction."""
NOTE_LIMIT = 200
SETTLED_AS = {"delivered": MessageState.DELIVERED, "failed": MessageState.FAILED}


class Verdict(msgspec.Struct, frozen=True):
    """What a person says of a message."""

    actor: Actor
    state: MessageState
    note: str = ""

    @property
    def cause(self) -> str:
        """What the message tells from then on."""
        return f"settled: by {self.actor.name}" + (f": {self.note}" if self.note else "")


def verdict_of(actor: Actor, word: str, note: str) -> Verdict:
    """Return what a request says; raises InvalidRequest."""
    state = SETTLED_AS.get(word)
    if state is None:
        raise InvalidRequest(FieldProblem("/as", f"must be one of {', '.join(SETTLED_AS)}"))
    note = note.strip()
    if len(note) > NOTE_LIMIT or not note.isprintable():
        raise InvalidRequest(FieldProblem("/note", f"must be at most {NOTE_LIMIT} printable characters"))
    return Verdict(actor, state, note)


def settle(conn: sqlite3.Connection, message_id: int, verdict: Verdict, now: int) -> tuple[MessageStateChanged, ...]:
    """Settle one message and return the events to publish after the commit.

    Raises NotFound when the actor may not see it, and Conflict unless it is UNKNOWN.
    """
    changes = Changes(conn, now)
    row, actor = changes.read(message_id), verdict.actor
    if row is None or row.flags & MessageFlags.HIDDEN or not (actor.is_admin or row.user_id == actor.user_id):
        raise NotFound(what="message", which=public_id(MESSAGE_ID, message_id))
    # What the journal holds already counts: it is what the caller was shown.
    state = aggregate(row.state, row.on_unknown, row.segments, attempts_of(conn, message_id))
    if state is not MessageState.UNKNOWN:
        raise Conflict(why=f"it is {state.word}: only a message that is unknown can be settled")
    row.cause = verdict.cause
    changes.save(row, verdict.state)
    audit.record(conn, actor, "message.settle", public_id(MESSAGE_ID, message_id), now, {"as": verdict.state.word})
    return tuple(changes.finish())


def settle_many(
    conn: sqlite3.Connection, verdict: Verdict, before: int, after: int, now: int
) -> tuple[list[MessageStateChanged], int | None]:
    """Settle those of the next STEP UNKNOWN messages that were accepted before a time (unix ms).

    Returns the events, and the id to go on after (None: all were looked at). The first step records the order.
    """
    if after == 0:
        detail = {"as": verdict.state.word, "accepted_before": rfc3339(before)}
        audit.record(conn, verdict.actor, "messages.settle", "", now, detail)
    rows = conn.execute(
        "SELECT id, created_at FROM messages INDEXED BY messages_problem WHERE state BETWEEN 60 AND 79"
        " AND state = ? AND id > ? ORDER BY id LIMIT ?",
        (MessageState.UNKNOWN, after, STEP),
    ).fetchall()
    changes = Changes(conn, now)
    for message_id, created_at in rows:
        row = changes.read(message_id) if created_at < before else None
        if row is not None:
            row.cause = verdict.cause
            changes.save(row, verdict.state)
    return changes.finish(), rows[-1][0] if len(rows) == STEP else None
