"""Sending again what failed: new messages with the same texts, one for each that failed, once.

Each step is one transaction that makes the new messages and marks the old ones. Broken off, it can be called again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from modembank import optouts
from modembank.accounts import is_active
from modembank.accounts.quotas import QuotaExceeded, Spending
from modembank.errors import Conflict
from modembank.mailings import rows
from modembank.mailings.model import MailingState, Wish
from modembank.mailings.rows import Mailing
from modembank.messages import MessageState
from modembank.messages.batches import Added, Item, Items, add
from modembank.messages.model import MessageFlags
from modembank.messages.stored import encoding_of
from modembank.store import Store

STEP = 500
_FAILED = (MessageState.UNDELIVERED, MessageState.EXPIRED, MessageState.FAILED)
_SELECT = (
    "SELECT id, recipient, text, encoding, segments, reference FROM messages"
    " WHERE batch_id = ? AND id > ? AND state IN (?, ?, ?) AND flags & ? = 0 AND text <> '' ORDER BY id LIMIT ?"
)


class Retried(msgspec.Struct, frozen=True):
    """What one step did; ``after`` is where to go on, None at the end."""

    after: int | None
    added: Added | None = None


def retry_step(conn: sqlite3.Connection, store: Store, mailing_id: int, after: int, now: int) -> Retried:
    """Send the next failed messages again, but for numbers that opted out and what does not fit the user's quota.

    Ends when the mailing is cancelled meanwhile. Raises Conflict unless it is finished, or being sent again.
    """
    mailing = rows.read(conn, mailing_id)
    if mailing is None or (after and mailing.wish is Wish.CANCEL):
        return Retried(None)
    if after == 0 and mailing.state(now) is not MailingState.FINISHED:
        raise Conflict(why=f"it is {mailing.state(now).word}: what failed is sent again once it is finished")
    if after == 0 and not is_active(conn, mailing.user_id):
        raise Conflict(why="its user is disabled: nothing more is accepted of it")
    found = conn.execute(_SELECT, (mailing_id, after, *_FAILED, MessageFlags.RETRIED, STEP)).fetchall()
    out = optouts.among(conn, [row[1] for row in found])
    items, done = _affordable(conn, mailing, [row for row in found if row[1] not in out], now)
    added = None
    if items:
        mailing.finished_at = None
        mailing.expires_at = now + mailing.valid_for_s * 1000
        terms = msgspec.structs.replace(mailing.terms, not_before=None)
        first = store.ids.take(len(items))
        added = add(conn, mailing_id, terms, Items.of(items), expires_at=mailing.expires_at, first=first, now=now)
        mailing.segments += sum(item.segments for item in items)
        conn.executemany(
            "UPDATE messages SET flags = flags | ? WHERE id = ?", [(MessageFlags.RETRIED, message) for message in done]
        )
        rows.save(conn, mailing, now)
    return Retried(found[-1][0] if len(found) == STEP else None, added)


def _affordable(
    conn: sqlite3.Connection, mailing: Mailing, found: Sequence[tuple[int, str, str, int, int, str | None]], now: int
) -> tuple[list[Item], list[int]]:
    spending = Spending(conn)
    items, done = [], []
    for message, recipient, text, encoding, segments, reference in found:
        try:
            spending.spend(mailing.user_id, segments, now)
        except QuotaExceeded:
            continue
        items.append(Item(recipient, text, encoding_of(encoding), segments, reference))
        done.append(message)
    spending.finish()
    return items, done
