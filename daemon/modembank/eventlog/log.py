"""Rows of the event log: appended in the transaction of the change that they tell of, read in order."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple


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
    rows = conn.execute(
        "SELECT id, at, kind, user_id, subject, body FROM event_log WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
    )
    return [Logged(row[0], Entry(*row[1:])) for row in rows]
