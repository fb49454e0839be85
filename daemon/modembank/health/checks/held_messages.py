"""Messages that are held after an outage or a restore, until an admin decides."""

from __future__ import annotations

from modembank.accounts import LOCAL_ADMIN
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find held messages, and show since when the oldest was due and what they were held for."""
    if not await around.held.count():
        return []
    found = await around.held.overview(LOCAL_ADMIN)
    who = "1 message waits" if found.held == 1 else f"{found.held} messages wait"
    summary = (
        f"{who} for a decision: they grew old while nothing could be sent, or may have been sent before a restore."
        " Send them or give them up; until then they are held."
    )
    evidence = {
        "held": found.held,
        "oldest_due_at": found.oldest_due_at,
        "routes": [{"route": one.route, "held": one.held} for one in found.routes],
        "outages": [
            {"since": one.since, "until": one.until, "cause": one.cause, "held": one.held}
            for one in found.outages
            if one.held
        ],
    }
    return [Finding("", Severity.WARNING, summary, evidence)]


CHECK = Check(
    kind="held_messages",
    when="Messages are held: they grew old in an outage and the rule of `[outage]` is `ask`, or a backup was restored",
    severity="warning",
    todo="Decide: send them, or give them up; by age with `POST /api/v1/outage/decide`",
    look=look,
    remedies=("send_held", "expire_held"),
)
