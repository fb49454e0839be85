"""Holding a row inside a write, where another process may write at the same time."""

from __future__ import annotations

import sqlite3


def for_update(conn: object) -> str:
    """Return what ends a query whose row is to stay as it is until the write ends; nothing where writes are alone."""
    return "" if isinstance(conn, sqlite3.Connection) else " FOR UPDATE"
