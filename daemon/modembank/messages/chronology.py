"""Finding a moment among messages: they are stored in the order in which they were accepted, by a clock that may jump.

There is no index of times, since it would cost every message that is accepted. A search by halves does it in some forty
look-ups, if times only grow. A clock that was wrong for a while leaves a stretch of other times in between, so the
search goes on behind what it found, in growing steps, until it meets nothing older any more.
"""

from __future__ import annotations

import sqlite3

_MOST_STRETCHES = 64


def first_accepted_at(conn: sqlite3.Connection, moment: int) -> int:
    """Return an id below which all messages are that were accepted before ``moment`` (unix ms).

    Short stretches behind it that a clock dated back may be missed.
    """
    first, last = _end(conn, "min"), _end(conn, "max")
    if first is None or last is None:
        return 0
    low = first
    for _ in range(_MOST_STRETCHES):
        low = _crossing(conn, moment, low, last + 1)
        older = _older_behind(conn, moment, low, last)
        if older is None:
            return low
        low = older
    return last + 1  # a clock beyond reason: all are looked at


def _crossing(conn: sqlite3.Connection, moment: int, low: int, high: int) -> int:
    """Return a row before which one is older and behind which one is not, between rows that are so."""
    while low < high:
        middle = (low + high) // 2
        row = _row_from(conn, middle)
        if row is None or row[0] >= high:
            high = middle
        elif row[1] < moment:
            low = row[0] + 1
        else:
            high = middle
    return low


def _older_behind(conn: sqlite3.Connection, moment: int, place: int, last: int) -> int | None:
    """Return an older row behind a place, if one is met in steps that double."""
    step = 1
    while place + step <= last:
        row = _row_from(conn, place + step)
        if row is not None and row[1] < moment:
            return row[0]
        step *= 2
    return None


def _row_from(conn: sqlite3.Connection, message: int) -> tuple[int, int] | None:
    row: tuple[int, int] | None = conn.execute(
        "SELECT id, created_at FROM messages WHERE id >= ? ORDER BY id LIMIT 1", (message,)
    ).fetchone()
    return row


def _end(conn: sqlite3.Connection, which: str) -> int | None:
    row = conn.execute(f"SELECT {which}(id) FROM messages").fetchone()  # noqa: S608 - min or max
    return None if row is None or row[0] is None else int(row[0])
