"""An update of the appliance that is installed and not started yet."""

from __future__ import annotations

from modembank.appliance import INSTALLED
from modembank.events import BoxChanged
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find that a restart is all that an update waits for."""
    update = (await around.appliance.state()).update
    if update is None or update.state != INSTALLED:
        return []
    which = f"Version {update.version}" if update.version else "An update"
    summary = f"{which} is installed and runs from the next restart on: restart the box when it suits."
    return [Finding("", Severity.INFO, summary, {"version": update.version})]


CHECK = Check(
    kind="update_waits",
    when="An update of the appliance is installed and waits for a restart",
    severity="info",
    todo="Restart the box on the page *Box*, or with `POST /api/v1/box/restart`",
    look=look,
    on=(BoxChanged,),
)
