"""A data partition that could not be used as it was at the start of the appliance."""

from __future__ import annotations

from modembank.events import BoxChanged
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find that what was stored before is not there, or that nothing is kept."""
    data = (await around.appliance.state()).data
    if data is None or data.is_well:
        return []
    if data.state == "in_memory":
        summary = (
            "There is no data partition that can be used: everything is in memory and lost with the power. Send"
            " nothing, replace the disk or the card, and restore a backup."
        )
    elif data.state == "set_aside":
        summary = (
            "The data partition was damaged and has been set aside; the box runs on a new, empty one. Restore a backup,"
            " or have the damaged one looked at before anything else is done."
        )
    else:
        summary = f"The data partition is {data.state.replace('_', ' ')}. Look at the console of the box."
    return [Finding("", Severity.CRITICAL, summary, {"state": data.state, "detail": data.detail})]


CHECK = Check(
    kind="data_partition",
    when="The appliance's data partition was damaged and set aside at this start, or there is none and everything is in"
    " memory",
    severity="critical",
    todo="Restore a backup; replace the disk or the card when there is none",
    look=look,
    on=(BoxChanged,),
)
