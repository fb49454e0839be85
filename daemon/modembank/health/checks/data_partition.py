"""A data partition that could not be used as it was at the start of the appliance."""

from __future__ import annotations

from modembank.events import BoxChanged
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings

MOST = 5
"""Problems that are told."""


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find that what was stored before is not there, or that nothing is kept."""
    data = (await around.appliance.state()).data
    if data is None or (data.is_well and not data.problems):
        return []
    severity = Severity.WARNING if data.is_well else Severity.CRITICAL
    if data.is_well:
        summary = f"Something went wrong with the disk at the start: {'; '.join(data.problems[:MOST])}. Look at it."
    elif data.state == "in_memory":
        summary = (
            "There is no data partition that can be used: everything is in memory and lost with the power. Send"
            " nothing, replace the disk or the card, and restore a backup."
        )
    elif data.state == "set_aside":
        summary = (
            "The data partition was damaged and has been set aside; the box runs on a new, empty one. Restore a backup,"
            " or have the damaged one looked at before anything else is done."
        )
    elif data.state == "made_new":
        summary = (
            "The data partition could not be repaired and was made anew: what was stored on it is gone. Restore a"
            " backup, and replace the disk or the card if it happens again."
        )
    else:
        summary = f"The data partition is {data.state.replace('_', ' ')}. Look at the console of the box."
    evidence = {"state": data.state, "reason": data.reason, "problems": list(data.problems[:MOST])}
    return [Finding("", severity, summary, evidence)]


CHECK = Check(
    kind="data_partition",
    when="The appliance's data partition was damaged and set aside or made anew at this start, or there is none and"
    " everything is in memory; or something else of the disk did not work",
    severity="critical; warning when what is stored is there",
    todo="Restore a backup; replace the disk or the card when there is none",
    look=look,
    on=(BoxChanged,),
)
