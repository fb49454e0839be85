"""Rows of the event log: appended in the transaction of the change that they tell of, read in order."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

_AFTER = "SELECT id, at, kind, user_id, subject, body FROM event_log WHERE id > ? ORDER BY id LIMIT ?"


class Entry(NamedTuple):
    """One thing that happened; ``at`` is unix milliseconds."""

    at: int
    kind: str
    """``noun.what``, such as ``message.delivered``."""
    user_id: int | None
    """Whose it is; None: the box's, for admins."""
    subject: int | None
    """Row id of what it is about."""
    body: str | None = None
    """A JSON object with what cannot be read from the subject's row."""


class Logged(NamedTuple):
    """An entry with the id under which it is in the log."""

    id: int
    entry: Entry


def append(conn: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Append entries inside the write that makes them true."""
    conn.executemany("INSERT INTO event_log (at, kind, user_id, subject, body) VALUES (?, ?, ?, ?, ?)", entries)


def read_after(conn: sqlite3.Connection, after: int, limit: int) -> list[Logged]:
    """Return the oldest entries with a greater id than ``after``."""
    rows = conn.execute(_AFTER, (after, limit))
    return [Logged(row[0], Entry(*row[1:])) for row in rows]


def walk_after(conn: sqlite3.Connection, after: int, limit: int) -> sqlite3.Cursor:
    """Return the same rows to be read one by one: id, then the fields of an Entry. Close it."""
    return conn.execute(_AFTER, (after, limit))


def latest(conn: sqlite3.Connection) -> int:
    """Return the id of the newest entry, 0 in an empty log."""
    return int(conn.execute("SELECT COALESCE(max(id), 0) FROM event_log").fetchone()[0])


def before(conn: sqlite3.Connection, at: int) -> int:
    """Return the id after which everything is that happened at or after ``at``: of the last entry before it."""
    return int(conn.execute("SELECT COALESCE(max(id), 0) FROM event_log WHERE at < ?", (at,)).fetchone()[0])


def drop_oldest(
    conn: sqlite3.Connection, *, older_than: int, never_after: int, down_to: int, needed_after: int, most: int
) -> int:
    """Delete entries from the oldest on, at most ``most``; return how many.

    What is older than ``older_than`` (unix ms) goes, and of what is younger, what exceeds ``down_to`` entries; but what
    somebody has not had yet (its id is above ``needed_after``) stays until it is older than ``never_after``. The newest
    entry stays, so that an id never comes twice.
    """
    over = int(conn.execute("SELECT count(*) FROM event_log").fetchone()[0]) - down_to
    newest = latest(conn)
    last = 0
    rows = conn.execute("SELECT id, at FROM event_log WHERE id < ? ORDER BY id LIMIT ?", (newest, most))
    for place, (entry_id, at) in enumerate(rows, 1):
        may_go = entry_id <= needed_after and (at < older_than or place <= over)
        if not (may_go or at < never_after):
            break
        last = entry_id
    return conn.execute("DELETE FROM event_log WHERE id <= ?", (last,)).rowcount
