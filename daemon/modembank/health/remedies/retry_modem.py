"""Try a modem that is out of service again, now."""

from __future__ import annotations

from modembank.accounts.model import Actor
from modembank.errors import Conflict
from modembank.health.model import Issue
from modembank.health.parts import Remedy
from modembank.health.surroundings import Surroundings


async def run(around: Surroundings, issue: Issue, actor: Actor) -> str:  # noqa: ARG001 - what all remedies take
    """Do not wait for the next try. Raises Conflict when the modem serves, NotNow when it is disabled."""
    if around.bank.modem(issue.subject).able_to_send:
        raise Conflict(why=f"the modem in {issue.subject} is in service")
    around.bank.reset(issue.subject)
    return f"asked for another try at {issue.subject} now"


REMEDY = Remedy("retry_modem", "Tries the port and its modem again now instead of at the next time", run)
