"""The messages of a batch in a few words each, for those who ask about ten thousand at once."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from modembank.ids import public_id
from modembank.messages.model import MessageState
from modembank.messages.outbox.journal import journal_rows
from modembank.messages.stored import read_stories
from modembank.messages.views import MESSAGE_ID
from modembank.messages.walks import MESSAGE_DELETED

_OF_BATCH = (
    "SELECT id, recipient, state FROM messages INDEXED BY messages_batch"  # noqa: S608 - constants
    f" WHERE batch_id = ?1 AND (?2 IS NULL OR user_id = ?2) AND flags & {MESSAGE_DELETED} = 0 ORDER BY id"
)


class BatchMember(NamedTuple):
    """One message of a batch."""

    id: str
    to: str
    state: MessageState


def members(conn: sqlite3.Connection, batch_id: int, user_id: int | None) -> tuple[BatchMember, ...]:
    """Return a batch's messages by id, of one user or (None) whosesoever; runs inside one read."""
    rows = conn.execute(_OF_BATCH, (batch_id, user_id)).fetchall()
    in_hand = {row[0] for row in rows} & {entry.message_id for entry in journal_rows(conn)} if rows else set()
    # What the journal knows and the rows do not yet, as in the views of single messages.
    newest = {story.message.id: story.message.state for story in read_stories(conn, in_hand).stories}
    return tuple(
        BatchMember(public_id(MESSAGE_ID, message), to, newest.get(message, MessageState(state)))
        for message, to, state in rows
    )
