"""Rows of opt-outs, read and written inside a transaction of the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

_SINCE = "SELECT changed_at FROM opt_outs WHERE number = ? AND state = 1"
_OF_MANY = (
    "SELECT number, changed_at FROM (SELECT DISTINCT value FROM json_each(?)) CROSS JOIN opt_outs ON number = value"
    " WHERE state = 1"
)


def is_out(conn: sqlite3.Connection, number: str) -> bool:
    """Return whether a number has opted out."""
    return conn.execute(_SINCE, (number,)).fetchone() is not None


def among(conn: sqlite3.Connection, numbers: Iterable[str]) -> dict[str, int]:
    """Return those of the numbers that have opted out, with when (unix milliseconds)."""
    if conn.execute("SELECT 1 FROM opt_outs WHERE state = 1 LIMIT 1").fetchone() is None:
        return {}
    return dict(conn.execute(_OF_MANY, (msgspec.json.encode(list(numbers)).decode(),)))
