"""Conversations as they are kept while messages come and go: a row for each number and user whose answers came.

The functions run inside the write that shows a message or takes it away; ``modembank.conversations`` reads the rows.
"""

from __future__ import annotations

import sqlite3

from modembank.messages.walks import INBOX_DELETED

NOBODY = 0
"""In a conversation, for messages that belong to no user; in the inbox it is NULL."""
_CAME = (
    "INSERT INTO conversations (number, user_id, last_inbox, unread) VALUES (?, ?, ?, 1)"
    " ON CONFLICT (number, user_id) DO UPDATE SET last_inbox = excluded.last_inbox, unread = unread + 1"
)
_BEFORE = (
    "SELECT id FROM inbox INDEXED BY inbox_sender"  # noqa: S608 - constants
    f" WHERE sender = ? AND id < ? AND user_id IS ? AND hidden IS NOT {INBOX_DELETED} ORDER BY id DESC LIMIT 1"
)


def note_inbound(conn: sqlite3.Connection, number: str, user_id: int | None, inbox_id: int) -> None:
    """Put a message that came at the end of its conversation, unread."""
    conn.execute(_CAME, (number, user_id or NOBODY, inbox_id))


def note_deleted(conn: sqlite3.Connection, inbox_id: int) -> None:
    """Let a message that was just deleted count no more; a conversation of which nothing is left ends."""
    row = conn.execute("SELECT sender, user_id FROM inbox WHERE id = ?", (inbox_id,)).fetchone()
    if row is None:
        return
    number, user_id = row
    conversation = (number, user_id or NOBODY)
    conn.execute(
        "UPDATE conversations SET unread = max(0, unread - 1) WHERE number = ? AND user_id = ? AND read_up_to < ?",
        (*conversation, inbox_id),
    )
    last = conn.execute(
        "SELECT 1 FROM conversations WHERE number = ? AND user_id = ? AND last_inbox = ?", (*conversation, inbox_id)
    ).fetchone()
    if last is None:
        return
    before = conn.execute(_BEFORE, (number, inbox_id, user_id)).fetchone()
    if before is None:
        conn.execute("DELETE FROM conversations WHERE number = ? AND user_id = ?", conversation)
    else:
        conn.execute(
            "UPDATE conversations SET last_inbox = ? WHERE number = ? AND user_id = ?", (before[0], *conversation)
        )
