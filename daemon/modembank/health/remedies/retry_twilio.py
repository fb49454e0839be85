"""Try the failing endpoints of a Twilio account again now."""

from __future__ import annotations

from modembank.accounts.model import Actor
from modembank.errors import Conflict
from modembank.health.model import Issue
from modembank.health.parts import Remedy
from modembank.health.surroundings import Surroundings


async def run(around: Surroundings, issue: Issue, actor: Actor) -> str:  # noqa: ARG001 - what all remedies take
    """Let what waits be tried now. Raises Conflict when the account is gone."""
    if not around.twilio.retry_now(issue.subject):
        raise Conflict(why=f"the account {issue.subject} was deleted")
    return f"what waits for {issue.subject} is tried again now"


REMEDY = Remedy("retry_twilio", "Tries what waits for the account's endpoints again now", run)
