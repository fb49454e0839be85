"""Holding messages back until a person decides: nothing hands out what is held."""

from __future__ import annotations

import sqlite3

HELD = 3
"""The value of ``messages.ready`` while a message is held."""


def hold_waiting(conn: sqlite3.Connection, cause: str, now: int) -> int:
    """Hold every message that waits to be sent, now or at its time, until an admin decides; return how many."""
    del now  # its cause says since when
    return conn.execute("UPDATE messages SET ready = ?, cause = ? WHERE ready IN (1, 2)", (HELD, cause)).rowcount
