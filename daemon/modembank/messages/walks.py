"""Walks down an index, the newest rows first, that never look at more than a bounded number of them."""

from __future__ import annotations

import sqlite3

import msgspec

from modembank.messages.model import InboxHiding, MessageFlags

WALK_LIMIT = 1_000
"""Rows looked at for one page: each may lie on another page of the file."""
INBOX_DELETED = int(InboxHiding.DELETED)
"""In ``inbox.hidden``."""
MESSAGE_DELETED = int(MessageFlags.HIDDEN)
"""In ``messages.flags``."""


class Way(msgspec.Struct, frozen=True):
    """Which rows to walk along; all made of constants."""

    table: str
    where: str
    """The index, and the terms that it holds."""
    shown: str
    """What is true of rows that were not deleted."""


class Walk(msgspec.Struct, frozen=True):
    """What a walk found, newest first, and the row down to which it has seen all; 0: it has reached the end."""

    ids: list[int]
    floor: int


_CAME = f"hidden IS NOT {INBOX_DELETED}"
_WENT = f"flags & {MESSAGE_DELETED} = 0"
INBOX = Way("inbox", "NOT INDEXED WHERE", _CAME)
INBOX_OF_USER = Way("inbox", "INDEXED BY inbox_user WHERE user_id = ? AND", _CAME)
INBOX_FROM = Way("inbox", "INDEXED BY inbox_sender WHERE sender = ? AND", _CAME)
MESSAGES_TO = Way("messages", "INDEXED BY messages_recipient WHERE recipient = ? AND", _WENT)


def walk_down(
    conn: sqlite3.Connection,
    way: Way,
    values: tuple[object, ...],
    before: int,
    needs: int,
    user_id: int | None = None,
) -> Walk:
    """Return up to ``needs`` rows below ``before`` that were not deleted, of one user or (None) of all.

    ``values`` are those of the way's terms.
    """
    fits = f"{way.shown} AND (?1 IS NULL OR user_id = ?1)"
    rows = conn.execute(
        f"SELECT id FROM (SELECT id, {fits} AS fits FROM {way.table} {way.where} id < ? ORDER BY id DESC LIMIT ?)"  # noqa: S608 - constants
        " WHERE fits LIMIT ?",
        (user_id, *values, before, WALK_LIMIT, needs),
    )
    ids = [row[0] for row in rows]
    if len(ids) == needs:
        return Walk(ids, ids[-1])
    last = conn.execute(
        f"SELECT id FROM {way.table} {way.where} id < ? ORDER BY id DESC LIMIT 1 OFFSET ?",  # noqa: S608 - constants
        (*values, before, WALK_LIMIT - 1),
    ).fetchone()
    return Walk(ids, 0 if last is None else int(last[0]))
