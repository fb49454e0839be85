"""Try a failing webhook's endpoint again now."""

from __future__ import annotations

from modembank.accounts.model import Actor
from modembank.errors import Conflict
from modembank.health.model import Issue
from modembank.health.parts import Remedy
from modembank.health.surroundings import Surroundings


async def run(around: Surroundings, issue: Issue, actor: Actor) -> str:  # noqa: ARG001 - what all remedies take
    """Let the next probe be now. Raises Conflict when the webhook is stopped or gone."""
    if not around.webhooks.retry_now(issue.subject):
        raise Conflict(why=f"the webhook {issue.subject} is stopped or was deleted")
    return f"{issue.subject} is tried again now"


REMEDY = Remedy("retry_webhook", "Tries the webhook's endpoint again now instead of at the next time", run)
