"""Count the messages again."""

from __future__ import annotations

from modembank.accounts.model import Actor
from modembank.health.model import Issue
from modembank.health.parts import Remedy
from modembank.health.surroundings import Surroundings


async def run(around: Surroundings, issue: Issue, actor: Actor) -> str:  # noqa: ARG001 - what all remedies take
    """Read the whole table now, however long that takes."""
    recount = await around.law.recount()
    verdict = "the books add up" if recount.found.holds else "; ".join(recount.found.breaches())
    return f"counted {recount.found.rows} messages in {recount.duration_s:.2f} s: {verdict}"


REMEDY = Remedy("recount", "Counts all messages in the table and compares them with the counters", run)
