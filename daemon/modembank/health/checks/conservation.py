"""The law that nothing accepted is lost: accepted = terminal + open, in counters and rows, and nothing is stranded."""

from __future__ import annotations

from modembank.clock import rfc3339
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Compare the counters of now, and the table as it was counted last."""
    breaches = await around.law.breaches()
    if not breaches:
        return []
    last = around.law.last
    evidence = {
        "breaches": list(breaches),
        "stranded": list(last.found.stranded[:20]) if last is not None else [],
        "recounted_at": rfc3339(last.at) if last is not None and not last.found.holds else None,
    }
    summary = f"The box's books do not add up: {breaches[0]}. Keep a copy of the database and report this as a fault."
    return [Finding("", Severity.CRITICAL, summary, evidence)]


CHECK = Check(
    kind="conservation",
    when="Accepted messages are not those that ended plus those that are open: by the counters every minute, by a count"
    " of the table every ten minutes or more seldom, so that reading takes one percent of the time at most",
    severity="critical",
    todo="Keep a copy of the database (`modembank backup`) and report it as a fault; nothing repairs books by itself",
    look=look,
    remedies=("recount",),
)
