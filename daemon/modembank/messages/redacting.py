"""Taking away what was said: redaction and deletion, each with its audit entry in the write that does it.

The row stays. Who was written to and when is needed by delivery reports still to come, by quotas and limits, by the
question whose an answer is, and by the law that everything accepted is counted; what was written is not.
"""

from __future__ import annotations

import sqlite3

from modembank import audit
from modembank.accounts.model import Actor
from modembank.errors import Conflict, NotFound
from modembank.ids import public_id
from modembank.messages import search
from modembank.messages.conversing import note_deleted
from modembank.messages.model import TERMINAL, InboxHiding, MessageFlags, MessageState, OnUnknown
from modembank.messages.stored import StoredMessage, read_stories
from modembank.messages.views import INBOX_ID, MESSAGE_ID


def redact(conn: sqlite3.Connection, message_id: int, actor: Actor, now: int) -> None:
    """Take the text of a message away; one that is redacted already stays so.

    Raises NotFound when the actor may not see it, and Conflict while the text may still be sent.
    """
    message = _taken(conn, message_id, actor, "redacted")
    if message.flags & MessageFlags.REDACTED:
        return
    search.remove(conn, search.MESSAGES, message_id)
    flags = int(MessageFlags.REDACTED)
    conn.execute("UPDATE messages SET text = '', flags = flags | ? WHERE id = ?", (flags, message_id))
    audit.record(conn, actor, "message.redact", public_id(MESSAGE_ID, message_id), now)


def delete(conn: sqlite3.Connection, message_id: int, actor: Actor, now: int) -> None:
    """Let a message vanish from every list and look-up, without its text, its reference, and what people noted of it.

    Raises as ``redact`` does; what is deleted is not found any more.
    """
    _taken(conn, message_id, actor, "deleted")
    search.remove(conn, search.MESSAGES, message_id)
    flags = int(MessageFlags.REDACTED | MessageFlags.HIDDEN)
    conn.execute(
        "UPDATE messages SET text = '', reference = NULL, cause = NULL, flags = flags | ? WHERE id = ?",
        (flags, message_id),
    )
    audit.record(conn, actor, "message.delete", public_id(MESSAGE_ID, message_id), now)


def redact_inbound(conn: sqlite3.Connection, inbox_id: int, actor: Actor, now: int) -> None:
    """Take the content of an inbound message away, also what comes of it later; raises NotFound."""
    if _hiding(conn, inbox_id, actor) is None:
        _hide(conn, inbox_id, InboxHiding.REDACTED)
        audit.record(conn, actor, "inbox.redact", public_id(INBOX_ID, inbox_id), now)


def delete_inbound(conn: sqlite3.Connection, inbox_id: int, actor: Actor, now: int) -> None:
    """Let an inbound message vanish from every list and look-up, without its content; raises NotFound."""
    _hiding(conn, inbox_id, actor)
    _hide(conn, inbox_id, InboxHiding.DELETED)
    note_deleted(conn, inbox_id)
    audit.record(conn, actor, "inbox.delete", public_id(INBOX_ID, inbox_id), now)


def _taken(conn: sqlite3.Connection, message_id: int, actor: Actor, done: str) -> StoredMessage:
    """Return a message that the actor may see and of which nothing will be sent any more."""
    stories = read_stories(conn, (message_id,)).stories  # with the journal: it is what the caller was shown
    if not stories or not (actor.is_admin or stories[0].message.user_id == actor.user_id):
        raise NotFound(what="message", which=public_id(MESSAGE_ID, message_id))
    message = stories[0].message
    if message.state is MessageState.UNKNOWN:
        if message.on_unknown is OnUnknown.RESEND or message.ready is not None:
            raise Conflict(why=f"a part of it may be sent again: it can be {done} when that is settled")
    elif message.state is not MessageState.SENT and message.state not in TERMINAL:
        raise Conflict(why=f"it is {message.state.word}: cancel it, or wait until it was sent; then it can be {done}")
    return message


def _hiding(conn: sqlite3.Connection, inbox_id: int, actor: Actor) -> int | None:
    row = conn.execute("SELECT user_id, hidden FROM inbox WHERE id = ?", (inbox_id,)).fetchone()
    if row is None or row[1] == InboxHiding.DELETED or not (actor.is_admin or row[0] == actor.user_id):
        raise NotFound(what="inbound message", which=public_id(INBOX_ID, inbox_id))
    hidden: int | None = row[1]
    return hidden


def _hide(conn: sqlite3.Connection, inbox_id: int, how: InboxHiding) -> None:
    search.remove(conn, search.INBOX, inbox_id)
    conn.execute("UPDATE inbox SET text = '', octets = NULL, hidden = ? WHERE id = ?", (int(how), inbox_id))
