"""Rows of the lossless streams: stored once, however often and in which order it comes; and how far each is whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple


class EventRow(NamedTuple):
    """An event as it is stored."""

    stream_id: int
    seq: int
    received_at: int
    at: int | None
    boot: int
    type: str
    severity: str
    subject: str
    body: str


def stream_of(conn: sqlite3.Connection, box_id: int, epoch: str, name: str, base: int) -> tuple[int, int]:
    """Return a stream's row id and how far it is whole; a new one begins at ``base``."""
    row = conn.execute(
        "SELECT id, acked FROM streams WHERE box_id = ? AND epoch = ? AND name = ?", (box_id, epoch, name)
    ).fetchone()
    if row is None:
        row = conn.execute(
            "INSERT INTO streams (box_id, epoch, name, acked) VALUES (?, ?, ?, ?) RETURNING id, acked",
            (box_id, epoch, name, base - 1),
        ).fetchone()
    return int(row[0]), int(row[1])


def add_events(conn: sqlite3.Connection, rows: Iterable[EventRow]) -> None:
    """Store events; those that are there stay as they are."""
    conn.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)


def add_result(conn: sqlite3.Connection, stream_id: int, seq: int, now_ms: int, command: str, body: str) -> bool:
    """Store a result; return whether it is a new one."""
    added = conn.execute(
        "INSERT INTO results VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", (stream_id, seq, now_ms, command, body)
    )
    return added.rowcount > 0


def add_gap(conn: sqlite3.Connection, stream_id: int, first: int, last: int, why: str, now_ms: int) -> None:
    """Note that a stretch will never come."""
    conn.execute(
        "INSERT INTO gaps VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", (stream_id, first, last, why, now_ms)
    )


def extend(conn: sqlite3.Connection, stream_id: int, acked: int, first: int, last: int) -> int:
    """Count a stretch as stored; return how far the stream is whole now."""
    if first > acked + 1:
        _keep_span(conn, stream_id, first, last)
        return acked
    whole = max(acked, last)
    while True:  # what was stored beyond may follow now
        span = conn.execute(
            "SELECT first, last FROM spans WHERE stream_id = ? ORDER BY first LIMIT 1", (stream_id,)
        ).fetchone()
        if span is None or span[0] > whole + 1:
            break
        whole = max(whole, span[1])
        conn.execute("DELETE FROM spans WHERE stream_id = ? AND first = ?", (stream_id, span[0]))
    if whole > acked:
        conn.execute("UPDATE streams SET acked = ? WHERE id = ?", (whole, stream_id))
    return whole


def _keep_span(conn: sqlite3.Connection, stream_id: int, first: int, last: int) -> None:
    """Join a stretch with those that it touches."""
    touching = conn.execute(
        "SELECT min(first), max(last) FROM spans WHERE stream_id = ? AND first <= ? AND last >= ?",
        (stream_id, last + 1, first - 1),
    ).fetchone()
    if touching[0] is not None:
        conn.execute(
            "DELETE FROM spans WHERE stream_id = ? AND first <= ? AND last >= ?", (stream_id, last + 1, first - 1)
        )
        first, last = min(first, touching[0]), max(last, touching[1])
    conn.execute("INSERT INTO spans VALUES (?, ?, ?)", (stream_id, first, last))


def whole_until(conn: sqlite3.Connection, box_id: int, epoch: str) -> dict[str, int]:
    """Return by stream how far it is whole, for those that anything is known of."""
    rows = conn.execute("SELECT name, acked FROM streams WHERE box_id = ? AND epoch = ?", (box_id, epoch))
    return {name: acked for name, acked in rows if acked >= 0}


def events_before(conn: sqlite3.Connection, box_id: int, before: tuple[int, int] | None, limit: int) -> list[EventRow]:
    """Return a box's events, newest first: those of the newest epoch before all others."""
    place = before or (1 << 62, 1 << 62)
    rows = conn.execute(
        """SELECT e.* FROM streams s JOIN events e ON e.stream_id = s.id WHERE s.box_id = ?1 AND s.name = 'ev'
           AND s.id <= ?2 AND (s.id < ?2 OR e.seq < ?3) ORDER BY s.id DESC, e.seq DESC LIMIT ?4""",
        (box_id, *place, limit),
    )
    return [EventRow(*row) for row in rows]


def gaps_of(conn: sqlite3.Connection, box_id: int, limit: int) -> list[tuple[str, int, int, str, int]]:
    """Return what is missing of a box's streams for ever, newest first: stream, from, to, why, when it was told."""
    return conn.execute(
        """SELECT s.name, g.first, g.last, g.why, g.at FROM gaps g JOIN streams s ON s.id = g.stream_id
           WHERE s.box_id = ? ORDER BY g.at DESC, g.first DESC LIMIT ?""",
        (box_id, limit),
    ).fetchall()


def drop_old(conn: sqlite3.Connection, older_than: int, most: int) -> int:
    """Delete events and results that came before a time, at most so many of each stream; return how many went."""
    gone = 0
    for (stream_id,) in conn.execute("SELECT id FROM streams").fetchall():
        for table in ("events", "results"):
            gone += conn.execute(
                f"""DELETE FROM {table} WHERE stream_id = ?1 AND seq <= (SELECT max(seq) FROM
                    (SELECT seq, received_at FROM {table} WHERE stream_id = ?1 ORDER BY seq LIMIT ?3) AS oldest
                    WHERE received_at < ?2)""",  # noqa: S608 - our own names
                (stream_id, older_than, most),
            ).rowcount
    return gone
