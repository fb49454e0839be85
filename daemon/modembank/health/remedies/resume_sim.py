"""Let a paused SIM send again."""

from __future__ import annotations

from modembank.accounts.model import Actor
from modembank.errors import Conflict
from modembank.health.model import Issue
from modembank.health.parts import Remedy
from modembank.health.surroundings import Surroundings


async def run(around: Surroundings, issue: Issue, actor: Actor) -> str:  # noqa: ARG001 - what all remedies take
    """End the SIM's pause. Raises Conflict when it is not paused."""
    sim = around.sims.by_iccid(issue.subject)
    if sim is None or not sim.paused:
        raise Conflict(why=f"the SIM {issue.subject} is not paused")
    await around.sims.resume(sim.id)
    return f"SIM {sim.name} sends again"


REMEDY = Remedy("resume_sim", "Lets the SIM send again", run)
