"""Give up all that is held."""

from __future__ import annotations

from modembank.accounts.model import Actor
from modembank.health.model import Issue
from modembank.health.parts import Remedy
from modembank.health.surroundings import Surroundings


async def run(around: Surroundings, issue: Issue, actor: Actor) -> str:  # noqa: ARG001 - what all remedies take
    """Decide for all of it; raises Forbidden for all but admins, Conflict while it is still being judged."""
    done = await around.held.decide(actor, "expire", recorded=True)
    return f"messages given up: {done.expired}"


REMEDY = Remedy("expire_held", "Gives up what is held: nothing of it is sent any more", run)
