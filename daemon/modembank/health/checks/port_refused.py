"""A port that cannot be used, or that has no modem behind it."""

from __future__ import annotations

from collections.abc import Iterator

from modembank.bank import ModemView
from modembank.events import ModemStateChanged
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.slots import facts_of, judge_slots
from modembank.health.surroundings import Surroundings
from modembank.modem import FailedReason

_WORDS = {
    FailedReason.PORT_PERMISSION: "may not be opened: put the daemon's user into the group that owns it (dialout)",
    FailedReason.PORT_NOT_A_TTY: "is not a serial port: correct its path in the configuration",
    FailedReason.PORT_IO: "answers with errors: check cable, hub and power",
    FailedReason.NOT_A_MODEM: "has nothing behind it that answers AT: many sticks show several ports, try its others",
    FailedReason.INIT_REFUSED: "has a modem that refuses what we cannot do without",
}


async def look(around: Surroundings, standing: Standing) -> Iterator[Finding]:
    """Find ports that are of no use as they are."""

    def judge(view: ModemView) -> Finding | None:
        words = None if view.failed is None else _WORDS.get(view.failed)
        if words is None or view.failed is None:
            return None
        detail = f" ({view.detail})" if view.detail else ""
        summary = f"The port of {view.slot}, {view.path}, {words}{detail}."
        return Finding(view.slot, Severity.WARNING, summary, facts_of(view) | {"reason": view.failed.value})

    return judge_slots(around, standing, judge)


CHECK = Check(
    kind="port_refused",
    when="A port may not be opened, is no serial port, fails, or has no modem that we can use behind it",
    severity="warning",
    todo="As the sentence says: permission, path, cable, or another of the stick's ports",
    look=look,
    on=(ModemStateChanged,),
    remedies=("retry_modem",),
)
