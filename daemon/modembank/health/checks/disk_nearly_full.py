"""Little room for the database."""

from __future__ import annotations

import asyncio
import shutil

from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings

MIB = 1 << 20
RELIEF = 1.1
"""An issue lasts until there is so much more room than what it was raised at."""
_ROUND_MIB = 64
"""Room is shown in steps, so that the issue is not written anew for every message."""


async def look(around: Surroundings, standing: Standing) -> list[Finding]:
    """Compare the free room with the configured least, and with what the store keeps for its own use."""
    config = around.config.health
    disk = await asyncio.to_thread(shutil.disk_usage, around.config.box.data_dir)
    least = max(config.disk_free_mib * MIB, disk.total * config.disk_free_percent // 100)
    if disk.free >= least * (RELIEF if standing else 1):
        return []
    critical = disk.free < around.store.health.reserve_octets
    shown = disk.free // MIB // _ROUND_MIB * _ROUND_MIB
    room = f"about {shown} MiB" if shown else f"less than {_ROUND_MIB} MiB"
    effect = (
        "no new message is accepted, what was accepted is still sent"
        if critical
        else f"with less than {around.store.health.reserve_octets // MIB} MiB no new message would be accepted"
    )
    summary = f"The disk under {around.config.box.data_dir} has {room} left; {effect}. Make room."
    evidence = {"free_mib": shown, "total_mib": disk.total // MIB, "wanted_mib": least // MIB}
    return [Finding("", Severity.CRITICAL if critical else Severity.WARNING, summary, evidence)]


CHECK = Check(
    kind="disk_nearly_full",
    when="Less than `disk_free_mib`, or than `disk_free_percent` of the file system, is free under the data folder;"
    " until a tenth more is",
    severity="warning; critical when only the database's reserve is left and nothing new is accepted",
    todo="Make room, or move the data folder to a larger disk",
    look=look,
)
