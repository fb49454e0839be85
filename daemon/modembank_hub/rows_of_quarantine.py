"""What could not be read: kept with its topic and the reason, bounded, for whoever looks."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

KEPT_OCTETS = 16_384
"""Of a payload: its beginning."""


class Quarantined(NamedTuple):
    """A payload as it is kept."""

    id: int
    at: int
    topic: str
    code: str
    reason: str
    octets: int
    payload: bytes


def add(conn: sqlite3.Connection, at: int, topic: str, code: str, reason: str, payload: bytes) -> None:
    """Keep one."""
    conn.execute(
        "INSERT INTO quarantine (at, topic, code, reason, octets, payload) VALUES (?, ?, ?, ?, ?, ?)",
        (at, topic[:600], code, reason[:400], len(payload), payload[:KEPT_OCTETS]),
    )


def page(conn: sqlite3.Connection, before: int | None, limit: int) -> list[Quarantined]:
    """Return them, newest first."""
    rows = conn.execute(
        "SELECT id, at, topic, code, reason, octets, payload FROM quarantine WHERE id < ?1 OR ?1 IS NULL"
        " ORDER BY id DESC LIMIT ?2",
        (before, limit),
    )
    return [Quarantined(*row) for row in rows]


def count(conn: sqlite3.Connection) -> int:
    """Return how many are kept."""
    return int(conn.execute("SELECT count(*) FROM quarantine").fetchone()[0])


def clear(conn: sqlite3.Connection, until: int) -> int:
    """Delete those up to an id; return how many went."""
    return conn.execute("DELETE FROM quarantine WHERE id <= ?", (until,)).rowcount


def keep_newest(conn: sqlite3.Connection, most: int) -> int:
    """Delete the oldest beyond so many; return how many went."""
    return conn.execute("DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ?", (most,)).rowcount
