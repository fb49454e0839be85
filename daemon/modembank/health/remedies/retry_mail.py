"""Hand a forward's mails to its server again now."""

from __future__ import annotations

from modembank.accounts.model import Actor
from modembank.errors import Conflict
from modembank.health.model import Issue
from modembank.health.parts import Remedy
from modembank.health.surroundings import Surroundings


async def run(around: Surroundings, issue: Issue, actor: Actor) -> str:  # noqa: ARG001 - what all remedies take
    """Let the next try be now. Raises Conflict when the forward is gone."""
    if issue.subject == "mail_in":
        raise Conflict(why="the box tries to listen for mails again by itself, twice a minute")
    if not around.mail.retry_now(issue.subject):
        raise Conflict(why=f"there is no forward {issue.subject} any more")
    return f"{issue.subject} is tried again now"


REMEDY = Remedy("retry_mail", "Tries the forward's mail server again now instead of at the next time", run)
