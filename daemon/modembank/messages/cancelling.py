"""Cancelling: only what was never handed to a modem, decided in the write that cancels."""

from __future__ import annotations

import sqlite3

from modembank import audit
from modembank.accounts.model import Actor
from modembank.errors import Conflict, NotFound
from modembank.events import MessageStateChanged
from modembank.ids import public_id
from modembank.messages.model import TERMINAL, MessageFlags, MessageState
from modembank.messages.outbox import attempts_of, may_cancel
from modembank.messages.outbox.changes import Changes
from modembank.messages.views import MESSAGE_ID


def cancel(conn: sqlite3.Connection, message_id: int, actor: Actor, now: int) -> tuple[MessageStateChanged, ...]:
    """Cancel a message and return the events to publish after the commit; none when it was cancelled before.

    Raises NotFound when the actor may not see it, and Conflict when an attempt was made or it has ended.
    """
    changes = Changes(conn, now)
    row = changes.read(message_id)
    if row is None or row.flags & MessageFlags.HIDDEN or not (actor.is_admin or row.user_id == actor.user_id):
        raise NotFound(what="message", which=public_id(MESSAGE_ID, message_id))
    if row.state is MessageState.CANCELLED:
        return ()
    if row.state >= MessageState.SENT or not may_cancel(conn, message_id):
        raise Conflict(why=_why_not(conn, message_id, row.state))
    row.cause = f"cancelled: by {actor.name}"
    changes.save(row, MessageState.CANCELLED)
    audit.record(conn, actor, "message.cancel", public_id(MESSAGE_ID, message_id), now)
    return tuple(changes.finish())


def _why_not(conn: sqlite3.Connection, message_id: int, state: MessageState) -> str:
    if state in TERMINAL:
        return f"it is {state.word} already"
    if state is MessageState.UNKNOWN:
        return "it may have been sent already"
    if state is MessageState.SENT:
        return "it was sent already"
    attempts = attempts_of(conn, message_id)
    if any(attempt.outcome is None for attempt in attempts):
        return "it is being sent now"
    return f"an attempt was made already to send it (through {attempts[-1].slot})"
