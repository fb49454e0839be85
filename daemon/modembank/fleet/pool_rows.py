"""The rows of what the hub lent to this box out of its fleet's pool."""

from __future__ import annotations

import sqlite3

import msgspec

KEEP_MS = 14 * 86_400_000
"""How long what has ended is remembered: far longer than any assignment can be under way."""
_COLUMNS = (
    "id, fence, stage, code, epoch, run, until, not_after, accepted, message_id, recipient, text, issuer, at"
    " FROM fleet_pool"
)
_OPEN = "stage IN ('held', 'queued', 'started', 'sent', 'unknown')"
"""Of what has another stage nothing more comes; the words are those of the partial index."""


class Lent(msgspec.Struct, frozen=True):
    """A message of the pool as it is kept; see the table."""

    id: str
    fence: int
    stage: str
    code: str
    epoch: str
    run: str
    until: float
    not_after: float
    accepted: int
    message_id: int | None
    recipient: str
    text: str
    issuer: str
    at: int


def get(conn: sqlite3.Connection, message: str) -> Lent | None:
    """Return one by the hub's id."""
    row = conn.execute(f"SELECT {_COLUMNS} WHERE id = ?", (message,)).fetchone()
    return None if row is None else Lent(*row)


def open_ones(conn: sqlite3.Connection) -> list[Lent]:
    """Return all of which something may still come."""
    return [Lent(*row) for row in conn.execute(f"SELECT {_COLUMNS} WHERE {_OPEN}")]


def held(conn: sqlite3.Connection) -> int:
    """Return how many take of the box's window."""
    query = f"SELECT count(*) FROM fleet_pool WHERE {_OPEN} AND stage NOT IN ('sent', 'unknown')"  # noqa: S608 - ours
    return int(conn.execute(query).fetchone()[0])


def put(conn: sqlite3.Connection, lent: Lent) -> None:
    """Keep one as it is now."""
    conn.execute(
        "INSERT OR REPLACE INTO fleet_pool (id, fence, stage, code, epoch, run, until, not_after, accepted, message_id,"
        " recipient, text, issuer, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            lent.id, lent.fence, lent.stage, lent.code, lent.epoch, lent.run, lent.until, lent.not_after,
            lent.accepted, lent.message_id, lent.recipient, lent.text, lent.issuer, lent.at,
        ),
    )  # fmt: skip


def queue(conn: sqlite3.Connection, lent: Lent, message_id: int, now: int) -> bool:
    """Note that a held message is in the box's own queue now; False when it is not held any more."""
    changed = conn.execute(
        "UPDATE fleet_pool SET stage = 'queued', message_id = ?, recipient = '', text = '', at = ?"
        " WHERE id = ? AND fence = ? AND stage = 'held'",
        (message_id, now, lent.id, lent.fence),
    )
    return changed.rowcount == 1


def forget(conn: sqlite3.Connection, before: int) -> int:
    """Forget what ended before (unix ms), and what nothing was heard of for as long; return how many."""
    query = "DELETE FROM fleet_pool WHERE at < ? AND stage NOT IN ('held', 'queued', 'started')"
    return conn.execute(query, (before,)).rowcount
