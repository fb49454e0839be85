"""An update of the appliance that was not well, so that the version before runs again."""

from __future__ import annotations

from modembank.appliance import ROLLED_BACK
from modembank.events import BoxChanged
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find that the latest update was taken back."""
    update = (await around.appliance.state()).update
    if update is None or update.state != ROLLED_BACK:
        return []
    which = f"to version {update.version} " if update.version else ""
    summary = (
        f"The update {which}was taken back, and the version before runs: {update.reason or 'it was not well in time'}."
        " Look at its reason before it is tried again."
    )
    return [Finding("", Severity.WARNING, summary, {"version": update.version, "reason": update.reason})]


CHECK = Check(
    kind="update_rolled_back",
    when="The latest update of the appliance was not well after its restart, and the version before was started again",
    severity="warning",
    todo="Look at the reason on the page *Box*; report it, and install a later update",
    look=look,
    on=(BoxChanged,),
)
