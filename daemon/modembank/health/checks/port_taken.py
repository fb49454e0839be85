"""A port that another program holds, so that the modem cannot be used."""

from __future__ import annotations

from collections.abc import Iterator

from modembank.bank import ModemView
from modembank.events import ModemStateChanged
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.slots import facts_of, judge_slots
from modembank.health.surroundings import Surroundings
from modembank.modem import FailedReason


async def look(around: Surroundings, standing: Standing) -> Iterator[Finding]:
    """Find ports that are busy."""

    def judge(view: ModemView) -> Finding | None:
        if view.failed is not FailedReason.PORT_BUSY:
            return None
        summary = (
            f"The port of {view.slot}, {view.path}, is {view.detail}. End that program; if it is ModemManager, tell it"
            " to leave the modem alone."
        )
        return Finding(view.slot, Severity.WARNING, summary, facts_of(view))

    return judge_slots(around, standing, judge)


CHECK = Check(
    kind="port_taken",
    when="Another program holds a port that we should use",
    severity="warning",
    todo="End that program, which is named where it can be seen",
    look=look,
    on=(ModemStateChanged,),
    remedies=("retry_modem",),
)
