"""A number with which messages chase each other, and to which nothing is sent for an hour."""

from __future__ import annotations

from modembank.clock import rfc3339
from modembank.events import LoopChanged
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings
from modembank.ids import mask_number


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Show each loop that was broken, by the masked number; two that look alike are one issue."""
    config = around.config.loops
    found: dict[str, Finding] = {}
    for loop in around.sending.loops():
        number = mask_number(loop.number)
        summary = (
            f"Messages to and from {number} chase each other: {config.exchanges} each way within {config.within_s} s,"
            f" and {loop.why}. Nothing is sent there for an hour. If machines answer each other, stop ours; then, or if"
            " they are people, release it."
        )
        evidence = {
            **_through(around, loop.sim_id),
            "since": rfc3339(loop.since),
            "until": rfc3339(loop.until),
        }
        found.setdefault(number, Finding(number, Severity.WARNING, summary, evidence))
    return list(found.values())


def _through(around: Surroundings, carrier: int) -> dict[str, str]:
    if carrier < 0:
        return {"provider": around.providers.name_of(carrier)}
    return {"sim": around.sims.get(carrier).iccid}


CHECK = Check(
    kind="reply_loop",
    when="As many messages as `[loops]` says went to a number and came from it in a short time, and look like those of"
    " machines; nothing goes there for an hour",
    severity="warning",
    todo="Find out what answers automatically on our side and stop it, then release the number",
    look=look,
    on=(LoopChanged,),
    remedies=("release_loop",),
)
