"""Empty a modem's memories."""

from __future__ import annotations

from modembank.accounts.model import Actor
from modembank.health.model import Issue
from modembank.health.parts import Remedy
from modembank.health.surroundings import Surroundings


async def run(around: Surroundings, issue: Issue, actor: Actor) -> str:  # noqa: ARG001 - what all remedies take
    """Read, store and delete what lies in the memories. Raises NotNow when the modem does not serve."""
    taken = await around.bank.sweep(issue.subject)
    fills = around.bank.modem(issue.subject).storage
    left = ", ".join(f"{fill.memory} holds {fill.used} of {fill.total}" for fill in fills)
    return f"took {taken} {'message' if taken == 1 else 'messages'} out of {issue.subject}; now {left}"


REMEDY = Remedy("sweep_storage", "Reads what lies in the modem's memories, stores it, and deletes it there", run)
