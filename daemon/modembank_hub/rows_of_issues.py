"""Rows of boxes' issues, by what their events told: raised and cleared, in whatever order these come."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

RAISED, CLEARED = "issue.raised", "issue.cleared"


class IssueRow(NamedTuple):
    """An issue that is open at a box."""

    box_id: int
    issue: str
    kind: str
    severity: str
    told_at: int


class Told(msgspec.Struct, frozen=True):
    """An event of an issue, ``what`` is RAISED or CLEARED; what it says is the box's word."""

    epoch: str
    seq: int
    what: str
    data: Mapping[str, Any]


def note(conn: sqlite3.Connection, box_id: int, event: Told, now_ms: int) -> None:
    """Note what an event says of an issue; what names none stays an event like any other."""
    told, seq = event.data, event.seq
    issue, kind, severity = (told.get(name, "") for name in ("id", "kind", "severity"))
    if not (isinstance(issue, str) and 0 < len(issue) <= 64):
        return
    conn.execute(
        """INSERT INTO box_issues (box_id, epoch, issue, kind, severity, raised_seq, cleared_seq, told_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (box_id, epoch, issue) DO UPDATE SET
           kind = CASE WHEN excluded.kind = '' THEN box_issues.kind ELSE excluded.kind END,
           severity = CASE WHEN excluded.raised_seq > box_issues.raised_seq AND excluded.severity <> ''
           THEN excluded.severity ELSE box_issues.severity END,
           raised_seq = CASE WHEN excluded.raised_seq > box_issues.raised_seq THEN excluded.raised_seq
           ELSE box_issues.raised_seq END,
           cleared_seq = CASE WHEN excluded.cleared_seq > box_issues.cleared_seq THEN excluded.cleared_seq
           ELSE box_issues.cleared_seq END,
           told_at = CASE WHEN excluded.told_at > box_issues.told_at THEN excluded.told_at
           ELSE box_issues.told_at END""",
        (
            box_id, event.epoch, issue, str(kind)[:64], str(severity)[:16],
            seq if event.what == RAISED else 0, seq if event.what == CLEARED else 0, now_ms,
        ),
    )  # fmt: skip


def open_ones(conn: sqlite3.Connection) -> list[IssueRow]:
    """Return the issues that are open: of the box's present life, and not where it has said since that it has none."""
    rows = conn.execute(
        """SELECT i.box_id, i.issue, i.kind, i.severity, i.told_at FROM box_issues i JOIN boxes b ON b.id = i.box_id
           WHERE i.raised_seq > i.cleared_seq AND b.epoch = i.epoch AND CASE WHEN
           b.tele_epoch = i.epoch AND b.tele_at > i.told_at AND coalesce(json_extract(b.tele, '$.issues'), 0) = 0
           THEN 0 ELSE 1 END = 1"""
    )
    return [IssueRow(*row) for row in rows]


def drop_old(conn: sqlite3.Connection, older_than: int, most: int) -> int:
    """Forget issues that are over, or of an earlier life of the box, since before a time; return how many."""
    return conn.execute(
        """DELETE FROM box_issues WHERE (box_id, epoch, issue) IN (SELECT i.box_id, i.epoch, i.issue
           FROM box_issues i JOIN boxes b ON b.id = i.box_id WHERE i.told_at < ?
           AND (i.cleared_seq > i.raised_seq OR i.epoch <> b.epoch) LIMIT ?)""",
        (older_than, most),
    ).rowcount
