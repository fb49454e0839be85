"""Telemetry by stretches of time: added to as it comes, and rolled up from five minutes to hours and days."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

MINUTES, HOUR, DAY = 300, 3600, 86_400
"""Lengths of stretches, in seconds."""
_LONGER = ((MINUTES, HOUR), (HOUR, DAY))
_COLUMNS = "reports, ready, ready_max, waiting, sent, delivered, failed, received, cpu, mem, disk, temp"
_ADDED = ("reports", "sent", "delivered", "failed", "received")
_LEAST, _MOST = ("ready", "disk"), ("ready_max", "waiting", "cpu", "mem", "temp")


def _joined() -> str:
    """Return the SQL that joins a stretch with what is there of it; what is not known (NULL) changes nothing."""
    sums = [f"{name} = t.{name} + excluded.{name}" for name in _ADDED]
    ends = [
        f"{name} = CASE WHEN t.{name} IS NULL OR excluded.{name} {sign} t.{name} THEN excluded.{name} ELSE t.{name} END"
        for names, sign in ((_LEAST, "<"), (_MOST, ">"))
        for name in names
    ]
    return f"ON CONFLICT (box_id, step, bucket) DO UPDATE SET {', '.join([*sums, *ends])}"


_JOIN = _joined()


class Stretch(NamedTuple):
    """What is known of a box over a stretch; ``bucket`` is unix seconds at its beginning."""

    bucket: int
    reports: int
    ready: int
    ready_max: int
    waiting: int
    sent: int
    delivered: int
    failed: int
    received: int
    cpu: float | None = None
    mem: float | None = None
    disk: float | None = None
    temp: float | None = None


def add(conn: sqlite3.Connection, box_id: int, stretch: Stretch) -> None:
    """Add a report to the five minutes that it falls into."""
    conn.execute(
        f"INSERT INTO telemetry AS t (box_id, step, bucket, {_COLUMNS})"  # noqa: S608 - our own columns
        f" VALUES (?, {MINUTES}, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) {_JOIN}",
        (box_id, stretch.bucket - stretch.bucket % MINUTES, *stretch[1:]),
    )


def roll_up(conn: sqlite3.Connection, now_s: int) -> None:
    """Make the hours and days anew from the last one that is there on, however long ago that was made."""
    for short, long in _LONGER:
        last = conn.execute("SELECT max(bucket) FROM telemetry WHERE step = ?", (long,)).fetchone()[0] or 0
        since = min(last, now_s - now_s % long - long)
        conn.execute("DELETE FROM telemetry WHERE step = ? AND bucket >= ?", (long, since))
        conn.execute(
            f"""INSERT INTO telemetry (box_id, step, bucket, {_COLUMNS})
                SELECT box_id, {long}, bucket - bucket % {long}, sum(reports), min(ready), max(ready_max),
                max(waiting), sum(sent), sum(delivered), sum(failed), sum(received), max(cpu), max(mem),
                min(disk), max(temp) FROM telemetry WHERE step = {short} AND bucket >= ? GROUP BY box_id, 3""",  # noqa: S608
            (since,),
        )


def drop_old(conn: sqlite3.Connection, step: int, older_than_s: int, most: int) -> int:
    """Delete stretches of a length that began before a time, at most so many; return how many went."""
    return conn.execute(
        "DELETE FROM telemetry WHERE (box_id, step, bucket) IN"
        " (SELECT box_id, step, bucket FROM telemetry WHERE step = ? AND bucket < ? LIMIT ?)",
        (step, older_than_s, most),
    ).rowcount


def series(conn: sqlite3.Connection, box_id: int, step: int, since_s: int) -> list[Stretch]:
    """Return a box's stretches of a length from a time on, oldest first."""
    rows = conn.execute(
        f"SELECT bucket, {_COLUMNS} FROM telemetry WHERE box_id = ? AND step = ? AND bucket >= ? ORDER BY bucket",  # noqa: S608
        (box_id, step, since_s),
    )
    return [Stretch(*row) for row in rows]


def of_fleet(conn: sqlite3.Connection, step: int, since_s: int) -> list[tuple[int, int, int, int, int]]:
    """Return the sums over all boxes: bucket, sent, delivered, failed, received; oldest first."""
    return conn.execute(
        "SELECT bucket, sum(sent), sum(delivered), sum(failed), sum(received)"
        " FROM telemetry WHERE step = ? AND bucket >= ? GROUP BY bucket ORDER BY bucket",
        (step, since_s),
    ).fetchall()
