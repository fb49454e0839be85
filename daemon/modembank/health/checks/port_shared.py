"""A second program on a port that we hold: it eats answers, and its commands come between ours."""

from __future__ import annotations

import asyncio
import os

from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings
from modembank.modem import ModemState
from modembank.port import holders_of

_HELD = frozenset({ModemState.INITIALIZING, ModemState.SEARCHING, ModemState.REGISTERED, ModemState.LOCKED})


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find intruders; others' programs can be seen by the superuser only."""
    held = {view.tty: view.slot for view in around.bank.modems() if view.state in _HELD and view.tty.startswith("/")}
    found = await asyncio.to_thread(holders_of, held)
    findings = []
    for path, holders in found.items():
        others = [holder for holder in holders if holder.pid != os.getpid()]
        if others:
            names = ", ".join(f"{holder.name} ({holder.pid})" for holder in others)
            summary = (
                f"Another program has the port of {held[path]}, {path}, open beside us: {names}. End it: answers are"
                " lost to it, and messages may be sent twice or not at all."
            )
            programs = [{"pid": holder.pid, "name": holder.name} for holder in others]
            findings.append(Finding(held[path], Severity.WARNING, summary, {"port": path, "programs": programs}))
    return findings


CHECK = Check(
    kind="port_shared",
    when="Another program has a port open that we hold; looked for every five minutes, as far as we may see programs",
    severity="warning",
    todo="End that program, which is named",
    look=look,
    every_s=300,
)
