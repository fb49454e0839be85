"""The issues' rows: written when something changes, read at start and for lists, forgotten in bounded steps."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from modembank.health.model import Issue, Severity
from modembank.health.views import RemedyRun

KEEP_MS = 90 * 86_400_000
"""How long an issue is remembered after it was cleared."""
MOST_KEPT = 10_000
"""Cleared issues that are remembered at most."""
FORGET_STEP = 200
"""Rows deleted in one transaction."""
_COLUMNS = "id, kind, subject, severity, summary, evidence, raised_at, changed_at, cleared_at, remedied"
_SELECT = f"SELECT {_COLUMNS} FROM issues"  # noqa: S608 - constants
_PUT = (
    f"INSERT INTO issues ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"  # noqa: S608
    " severity = excluded.severity, summary = excluded.summary, evidence = excluded.evidence,"
    " changed_at = excluded.changed_at, cleared_at = excluded.cleared_at, remedied = excluded.remedied"
)


def put(conn: sqlite3.Connection, issue: Issue) -> None:
    """Write an issue as it is now."""
    conn.execute(
        _PUT,
        (
            issue.id,
            issue.kind,
            issue.subject,
            issue.severity.value,
            issue.summary,
            msgspec.json.encode(issue.evidence).decode(),
            issue.raised_at,
            issue.changed_at,
            issue.cleared_at,
            msgspec.json.encode(issue.remedied).decode(),
        ),
    )


def set_remedied(conn: sqlite3.Connection, issue_id: int, remedied: tuple[RemedyRun, ...]) -> None:
    """Write which remedies were run on an issue."""
    conn.execute("UPDATE issues SET remedied = ? WHERE id = ?", (msgspec.json.encode(remedied).decode(), issue_id))


def open_issues(conn: sqlite3.Connection) -> list[Issue]:
    """Return all that are open."""
    return [_issue(row) for row in conn.execute(f"{_SELECT} WHERE cleared_at IS NULL ORDER BY id")]


def last_id(conn: sqlite3.Connection) -> int:
    """Return the highest id, 0 when there is none."""
    found: int = conn.execute("SELECT COALESCE(max(id), 0) FROM issues").fetchone()[0]
    return found


def one(conn: sqlite3.Connection, issue_id: int) -> Issue | None:
    """Return an issue, or None."""
    row = conn.execute(f"{_SELECT} WHERE id = ?", (issue_id,)).fetchone()
    return None if row is None else _issue(row)


def cleared_before(conn: sqlite3.Connection, before: int, most: int) -> list[Issue]:
    """Return cleared issues with ids below ``before``, newest first."""
    rows = conn.execute(f"{_SELECT} WHERE cleared_at IS NOT NULL AND id < ? ORDER BY id DESC LIMIT ?", (before, most))
    return [_issue(row) for row in rows]


def forget(conn: sqlite3.Connection, now: int) -> int:
    """Delete some of what was cleared long ago or is too many; return how many, FORGET_STEP when there may be more."""
    surplus = conn.execute("SELECT count(*) FROM issues WHERE cleared_at IS NOT NULL").fetchone()[0] - MOST_KEPT
    old = conn.execute(
        "SELECT id FROM issues WHERE cleared_at < ?1 ORDER BY cleared_at LIMIT ?2", (now - KEEP_MS, FORGET_STEP)
    ).fetchall()
    if not old and surplus > 0:
        old = conn.execute(
            "SELECT id FROM issues WHERE cleared_at IS NOT NULL ORDER BY cleared_at LIMIT ?",
            (min(surplus, FORGET_STEP),),
        ).fetchall()
    conn.executemany("DELETE FROM issues WHERE id = ?", old)
    return len(old)


def _issue(row: tuple[Any, ...]) -> Issue:
    issue_id, kind, subject, severity, summary, evidence, raised_at, changed_at, cleared_at, remedied = row
    return Issue(
        id=issue_id,
        kind=kind,
        subject=subject,
        severity=Severity(severity),
        summary=summary,
        evidence=msgspec.json.decode(evidence),
        raised_at=raised_at,
        changed_at=changed_at,
        cleared_at=cleared_at,
        remedied=msgspec.json.decode(remedied, type=tuple[RemedyRun, ...]),
    )
