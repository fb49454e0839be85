"""Reading the audit log: pages of it, and steps along its chain."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from typing import Any

import msgspec

from modembank.audit.log import entry_hash, head
from modembank.audit.views import AuditEntry
from modembank.clock import rfc3339, to_ms
from modembank.ids import public_id

AUDIT_ID = "aud"
BEFORE_ALL = -(1 << 63)
"""Less than any id: somebody who slips a row in does not keep to those that we give."""
STEP = 1_000
"""Entries looked at in one step along the chain, each from a connection of its own moment."""
WALK_LIMIT = 10_000
"""Entries looked at for one page, however rare those are that are asked for."""
_EARLIEST_MS = to_ms(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
"""Before this nothing was recorded anywhere: an earlier time is that of a clock that was not set."""
_LAST_OF_WALK = "SELECT id FROM audit WHERE id < ? ORDER BY id DESC LIMIT 1 OFFSET ?"
_COLUMNS = "id, at, actor, user_id, source, action, subject, detail, hash"


class Wanted(msgspec.Struct, frozen=True):
    """Which entries; None: all. ``since`` is unix milliseconds."""

    actor: str | None = None
    action: str | None = None
    since: int | None = None


class Stepped(msgspec.Struct, frozen=True):
    """How far a step along the chain came: ``bad`` is the first entry that is not as it was written."""

    last_id: int
    last_hash: bytes
    looked_at: int
    bad: int | None = None
    ended: bool = False
    head: bytes = b""
    """At the end: the hash that the last entry must have."""


def page(
    conn: sqlite3.Connection, wanted: Wanted, before: int, limit: int
) -> tuple[list[tuple[int, AuditEntry]], int | None]:
    """Return the newest entries older than the id ``before``, with their ids, and before which to go on (None: end)."""
    last = conn.execute(_LAST_OF_WALK, (before, WALK_LIMIT - 1)).fetchone()
    rows = conn.execute(
        f"""SELECT {_COLUMNS}, (SELECT p.at FROM audit p WHERE p.id < a.id ORDER BY p.id DESC LIMIT 1) FROM audit a
            WHERE id < ?1 AND id >= ?6 AND (actor = ?2 COLLATE NOCASE OR ?2 IS NULL)
            AND (action = ?3 OR action LIKE ?3 || '.%' OR ?3 IS NULL) AND (at >= ?4 OR ?4 IS NULL)
            ORDER BY id DESC LIMIT ?5""",  # noqa: S608 - our own columns
        (before, wanted.actor, wanted.action, wanted.since, limit + 1, 0 if last is None else last[0]),
    )
    found = [(row[0], _entry(row)) for row in rows]
    if len(found) > limit:
        return found[:limit], found[limit - 1][0]
    return found, None if last is None else last[0]


def step(conn: sqlite3.Connection, after: int, before: bytes) -> Stepped:
    """Look at the STEP entries that follow the one of id ``after`` and hash ``before``."""
    rows = conn.execute(f"SELECT {_COLUMNS} FROM audit WHERE id > ? ORDER BY id LIMIT ?", (after, STEP)).fetchall()  # noqa: S608
    for looked_at, (entry_id, *fields, digest) in enumerate(rows):
        if entry_hash(before, *fields) != digest:
            return Stepped(after, before, looked_at, bad=max(entry_id, 0))
        after, before = entry_id, digest
    if len(rows) == STEP:
        return Stepped(after, before, STEP)
    return Stepped(after, before, len(rows), ended=True, head=head(conn))


def _entry(row: tuple[Any, ...]) -> AuditEntry:
    entry_id, at, actor, _, source, action, subject, detail, digest, at_before = row
    return AuditEntry(
        id=public_id(AUDIT_ID, max(entry_id, 0)),
        at=rfc3339(at),
        clock_ok=at >= _EARLIEST_MS and (at_before is None or at >= at_before),
        actor=actor,
        source=source,
        action=action,
        subject=subject,
        detail=_object(detail),
        hash=digest.hex(),
    )


def _object(detail: str) -> dict[str, Any]:
    """Read a detail; one that somebody spoilt is shown as it is, verifying names it."""
    try:
        read = json.loads(detail)
    except ValueError:
        read = None
    return read if isinstance(read, dict) else {"unreadable": detail[:200]}
