"""A modem without a SIM that it can use."""

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
    """Find modems that wait for a SIM."""

    def judge(view: ModemView) -> Finding | None:
        if view.failed is FailedReason.SIM_ABSENT:
            summary = f"The modem in {view.slot} has no SIM, or cannot read it. Insert one, or clean its contacts."
        elif view.failed is FailedReason.SIM_REFUSED:
            summary = f"The SIM in {view.slot} is not used: {view.detail}."
        else:
            return None
        return Finding(view.slot, Severity.WARNING, summary, facts_of(view) | {"reason": view.failed.value})

    return judge_slots(around, standing, judge)


CHECK = Check(
    kind="sim_missing",
    when="A modem has no SIM, or one that the box does not take, such as one that another slot reports too",
    severity="warning",
    todo="Insert a SIM, or clean its contacts",
    look=look,
    on=(ModemStateChanged,),
    remedies=("retry_modem",),
)
