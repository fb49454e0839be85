"""Let messages go to a number again with which they chased each other."""

from __future__ import annotations

from modembank.accounts.model import Actor
from modembank.errors import Conflict
from modembank.health.model import Issue
from modembank.health.parts import Remedy
from modembank.health.surroundings import Surroundings
from modembank.ids import mask_number


async def run(around: Surroundings, issue: Issue, actor: Actor) -> str:  # noqa: ARG001 - what all remedies take
    """Release every number that the issue may mean; raises Conflict when none is held back any more."""
    meant = [loop.number for loop in around.sending.loops() if mask_number(loop.number) == issue.subject]
    released = [number for number in meant if await around.sending.release_loop(number)]
    if not released:
        raise Conflict(why="it is held back no more")
    return f"messages go to {issue.subject} again"


REMEDY = Remedy("release_loop", "Lets messages go to the number again", run)
