"""Rows of opt-outs, read and written inside a transaction of the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

_IS_OUT = "SELECT 1 FROM opt_outs WHERE number = ? AND state = 1"


def is_out(conn: sqlite3.Connection, number: str) -> bool:
    """Return whether a number has opted out."""
    return conn.execute(_IS_OUT, (number,)).fetchone() is not None


def among(conn: sqlite3.Connection, numbers: Iterable[str]) -> frozenset[str]:
    """Return those of the numbers that have opted out."""
    if conn.execute("SELECT 1 FROM opt_outs WHERE state = 1 LIMIT 1").fetchone() is None:
        return frozenset()
    return frozenset(number for number in numbers if is_out(conn, number))
