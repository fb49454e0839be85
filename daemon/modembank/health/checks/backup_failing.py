"""Backups by the clock that are not made."""

from __future__ import annotations

from modembank.clock import rfc3339
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find that the latest try failed."""
    facts = around.backups.facts
    if not facts.failing:
        return []
    last = "there is none yet" if facts.last_good_at is None else f"the last is of {rfc3339(facts.last_good_at)}"
    summary = f"No backup was made: {facts.last_error}; {last}. It is tried again every hour."
    evidence = {
        "folder": str(facts.folder),
        "last_good_at": None if facts.last_good_at is None else rfc3339(facts.last_good_at),
        "error": facts.last_error,
    }
    return [Finding("", Severity.WARNING, summary, evidence)]


CHECK = Check(
    kind="backup_failing",
    when="The latest backup by the clock (`[backup]`) failed",
    severity="warning",
    todo="See to the folder: is it there, mounted, writable, with room?",
    look=look,
)
