"""A wall clock that cannot be right: limits, schedules and validity all go by it."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from modembank.clock import rfc3339, to_ms
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings

RELEASED_MS = to_ms(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
"""No clock that is right shows an earlier time; moved on with each release."""
TOLERANCE_MS = 60_000
"""By so much a time server may set the clock back without a word."""
_NEWEST = (
    "SELECT created_at FROM messages WHERE id = (SELECT max(id) FROM messages)",
    "SELECT received_at FROM inbox WHERE id = (SELECT max(id) FROM inbox)",
    "SELECT max(last_seen_at) FROM sims",
)


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Compare the clock with the release, with what is stored, and with what it showed before."""
    memory, now = around.memory, around.now_ms
    memory.latest_ms = max(memory.latest_ms, now, await around.store.read(_newest))
    behind = memory.latest_ms - now > TOLERANCE_MS
    if now >= RELEASED_MS and not behind:
        return []
    least = max(memory.latest_ms if behind else 0, RELEASED_MS)
    summary = (
        f"The clock of this box is behind: it must be after {rfc3339(least)[:19]}Z. Set it, or let the box reach a time"
        " server; limits, schedules and the validity of messages go by it."
    )
    evidence = {"not_before": rfc3339(least), "went_back": behind}
    return [Finding("", Severity.WARNING, summary, evidence)]


def _newest(conn: sqlite3.Connection) -> int:
    found = (conn.execute(query).fetchone() for query in _NEWEST)
    return max((row[0] for row in found if row is not None and row[0] is not None), default=0)


CHECK = Check(
    kind="clock_not_set",
    when="The clock shows a time before this release, before the newest stored message, or before what it once showed",
    severity="warning",
    todo="Set the clock, or give the box a time server or a clock with a battery",
    look=look,
)
