"""Rows of conversations, read and marked inside a transaction of the store; every walk is bounded and by an index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Literal

import msgspec

from modembank.messages.walks import INBOX_DELETED, INBOX_FROM, MESSAGES_TO, WALK_LIMIT, walk_down

EXCERPT = 160
"""Characters of a text that a list shows."""
MOST_UNREAD = 1_000
"""Messages that are counted when only a part of a conversation is marked as read."""
_FROM_THE_TOP = (1 << 63) - 1
_LAST_SENT = (  # a walk as all others, but inside the list's own statement: a page has fifty
    f"(SELECT id FROM (SELECT id, {MESSAGES_TO.shown} AND (c.user_id = 0 OR user_id = c.user_id) AS fits"  # noqa: S608 - constants
    f" FROM {MESSAGES_TO.table} INDEXED BY messages_recipient WHERE recipient = c.number ORDER BY id DESC"
    f" LIMIT {WALK_LIMIT}) WHERE fits LIMIT 1)"
)
_COLUMNS = (
    f"c.number, c.user_id, u.name, c.last_inbox, c.unread, substr(i.text, 1, {EXCERPT}), i.kind, i.received_at,"
    f" {_LAST_SENT}"
)
_JOINS = "CROSS JOIN inbox i ON i.id = c.last_inbox LEFT JOIN users u ON u.id = c.user_id"
LIST_OF_ALL = (
    f"SELECT {_COLUMNS} FROM conversations c INDEXED BY conversations_last {_JOINS}"  # noqa: S608 - constants
    " WHERE c.last_inbox < ? ORDER BY c.last_inbox DESC LIMIT ?"
)
LIST_OF_USER = (
    f"SELECT {_COLUMNS} FROM conversations c INDEXED BY conversations_user {_JOINS}"  # noqa: S608 - constants
    " WHERE c.user_id = ? AND c.last_inbox < ? ORDER BY c.last_inbox DESC LIMIT ?"
)
COUNT_UNREAD = (
    "SELECT count(*) FROM (SELECT 1 FROM inbox INDEXED BY inbox_sender WHERE sender = ?1 AND id > ?2"  # noqa: S608 - constants
    f" AND coalesce(user_id, 0) = ?3 AND hidden IS NOT {INBOX_DELETED} LIMIT {MOST_UNREAD})"
)

WAY_OF = (
    "SELECT i.sim_id, iif(p.removed_at IS NULL, p.name, NULL), coalesce(p.channel, 'sms')"
    " FROM inbox i LEFT JOIN providers p ON p.id = -i.sim_id WHERE i.id = ?"
)


class Way(msgspec.Struct, frozen=True):
    """What a message came in through."""

    sim_id: int
    """Negative: a provider."""
    provider: str | None
    """Its name, unless it was removed."""
    channel: Literal["sms", "email", "whatsapp"]


class Row(msgspec.Struct, frozen=True):
    """A conversation with its newest inbound message and the newest message to the number, if any."""

    number: str
    user_id: int
    user: str | None
    last_inbox: int
    unread: int
    text: str
    kind: str
    received_at: int
    last_sent: int | None


class Place(msgspec.Struct, frozen=True):
    """Where something said is kept: the row ids of both tables come from one sequence, in the order of time."""

    id: int
    inbound: bool


def is_of_others(conn: sqlite3.Connection, places: Iterable[Place], user_id: int) -> bool:
    """Return whether something at these places belongs to a user other than that one; what is nobody's does not."""
    for place in places:
        table = "inbox" if place.inbound else "messages"
        row = conn.execute(f"SELECT user_id FROM {table} WHERE id = ?", (place.id,)).fetchone()  # noqa: S608 - ours
        if row is not None and (row[0] or user_id) != user_id:
            return True
    return False


def page(conn: sqlite3.Connection, user_id: int | None, before: int | None, most: int) -> list[Row]:
    """Return conversations of one user or (None) of all, the newest inbound message first."""
    below = _FROM_THE_TOP if before is None else before
    if user_id is None:
        found = conn.execute(LIST_OF_ALL, (below, most)).fetchall()
    else:
        found = conn.execute(LIST_OF_USER, (user_id, below, most)).fetchall()
    return [Row(*each) for each in found]


def thread(
    conn: sqlite3.Connection, number: str, user_id: int | None, before: int | None, most: int
) -> tuple[list[Place], int]:
    """Return what was said newest first, and the row down to which all was looked at; 0: there is nothing below."""
    below = _FROM_THE_TOP if before is None else before
    came = walk_down(conn, INBOX_FROM, (number,), below, most, user_id)
    went = walk_down(conn, MESSAGES_TO, (number,), below, most, user_id)
    floor = max(came.floor, went.floor)
    both = [*(Place(each, True) for each in came.ids), *(Place(each, False) for each in went.ids)]
    seen = sorted((place for place in both if place.id >= floor), key=lambda place: place.id, reverse=True)
    return seen[:most], floor


def last_way(conn: sqlite3.Connection, number: str, user_id: int | None) -> Way | None:
    """Return what brought the newest message of a number; None when nothing came."""
    newest = walk_down(conn, INBOX_FROM, (number,), _FROM_THE_TOP, 1, user_id).ids
    row = conn.execute(WAY_OF, newest).fetchone() if newest else None
    return None if row is None else Way(int(row[0]), *row[1:])


def mark_read(conn: sqlite3.Connection, number: str, user_id: int | None, up_to: int | None) -> int:
    """Note that a number's messages are read, up to a row or all; return how many are not."""
    whose = "" if user_id is None else " AND user_id = ?"
    values = (number,) if user_id is None else (number, user_id)
    found = conn.execute(
        f"SELECT user_id, last_inbox, read_up_to FROM conversations WHERE number = ?{whose}",  # noqa: S608 - constants
        values,
    ).fetchall()
    left = 0
    for owner, last, before in found:
        upto = max(before, last if up_to is None else min(up_to, last))
        unread = 0 if upto >= last else conn.execute(COUNT_UNREAD, (number, upto, owner)).fetchone()[0]
        conn.execute(
            "UPDATE conversations SET read_up_to = ?, unread = ? WHERE number = ? AND user_id = ?",
            (upto, unread, number, owner),
        )
        left += unread
    return left
