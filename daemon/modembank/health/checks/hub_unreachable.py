"""A hub that does not hear the box."""

from __future__ import annotations

from modembank.clock import rfc3339
from modembank.fleet import LinkState
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find a link that has not worked for a while."""
    fleet = around.fleet
    late = around.now_ms - around.config.health.hub_unreachable_after_s * 1000
    if fleet.working_at is None or fleet.working_at > late:
        return []
    since = rfc3339(fleet.working_at)
    why = fleet.why or ("the hub does not answer" if fleet.state is LinkState.ONLINE else "it cannot be reached")
    summary = (
        f"The hub has heard nothing of this box since {since[:19]}Z: {why}. The box works on, and keeps for it what it"
        " has to tell."
    )
    evidence = {"since": since, "state": fleet.state.value, "why": fleet.why, "hub": fleet.hub.value}
    return [Finding("", Severity.WARNING, summary, evidence)]


CHECK = Check(
    kind="hub_unreachable",
    when="The hub's broker was not reached, or nothing acknowledged that waits, for `hub_unreachable_after_s`",
    severity="warning",
    todo="See to the network, the broker and the hub; System shows why it does not work",
    look=look,
)
