"""Give a failing provider nothing more."""

from __future__ import annotations

from modembank.accounts.model import Actor
from modembank.errors import Conflict
from modembank.health.model import Issue
from modembank.health.parts import Remedy
from modembank.health.surroundings import Surroundings


async def run(around: Surroundings, issue: Issue, actor: Actor) -> str:
    """Disable it until somebody enables it. Raises Conflict when it is disabled or gone, Forbidden."""
    provider = around.providers.named(issue.subject)
    if provider is None or provider.paused:
        raise Conflict(why=f"the provider {issue.subject} is disabled or was removed")
    await around.providers.disable(actor, provider.name, f"{actor.name} disabled it: it was failing")
    return f"{provider.name} is given nothing more until somebody enables it"


REMEDY = Remedy("disable_provider", "Gives the provider nothing more until somebody enables it", run)
