"""A check that could not look: what it would find is not known."""

from __future__ import annotations

from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Tell of every check that failed when it looked last."""
    return [
        Finding(
            kind,
            Severity.WARNING,
            f"The check {kind} could not be made ({error}); what it would find is not known. The log has more.",
            {"error": error},
        )
        for kind, error in sorted(around.memory.failed_checks.items())
    ]


CHECK = Check(
    kind="issue_check_failed",
    when="A check raised an error, or did not end within a minute; until it succeeds again",
    severity="warning",
    todo="Look into the log; when the database is well, report it as a fault",
    look=look,
)
