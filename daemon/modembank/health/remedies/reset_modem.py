"""Restart a modem."""

from __future__ import annotations

from modembank.accounts.model import Actor
from modembank.health.model import Issue
from modembank.health.parts import Remedy
from modembank.health.surroundings import Surroundings


async def run(around: Surroundings, issue: Issue, actor: Actor) -> str:  # noqa: ARG001 - what all remedies take
    """Have the modem restarted, or one that is out of service tried again now. Raises NotNow when it is disabled."""
    around.bank.reset(issue.subject)
    return f"asked for a restart of the modem in {issue.subject}"


REMEDY = Remedy(
    "reset_modem", "Restarts the modem after the segment in flight, or tries one out of service again now", run
)
