"""A modem's message memory that fills up: when it is full, reception stops without a word."""

from __future__ import annotations

from collections.abc import Iterator

from modembank.bank import ModemView
from modembank.events import ModemStateChanged
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.slots import facts_of, judge_slots
from modembank.health.surroundings import Surroundings
from modembank.modem import Storage

CLEAR_BELOW = 0.5
"""An issue lasts until the memory is less full than this."""


async def look(around: Surroundings, standing: Standing) -> Iterator[Finding]:
    """Find memories that are nearly full when looked at last."""

    def judge(view: ModemView) -> Finding | None:
        full = [fill for fill in view.storage if _filling(fill, known=view.slot in standing)]
        if not full:
            return None
        said = " and ".join(f"{fill.memory} holds {fill.used} of {fill.total}" for fill in full)
        summary = (
            f"The message memory of {view.slot} fills up ({said}): when it is full, nothing more comes in. What cannot"
            " be read or deleted there must be removed by hand, such as drafts on the SIM."
        )
        critical = any(fill.used >= fill.total for fill in full)
        fills = {fill.memory: {"used": fill.used, "total": fill.total} for fill in view.storage}
        severity = Severity.CRITICAL if critical else Severity.WARNING
        return Finding(view.slot, severity, summary, facts_of(view) | {"memories": fills})

    return judge_slots(around, standing, judge)


def _filling(fill: Storage, *, known: bool) -> bool:
    return fill.filling or (known and fill.total > 0 and fill.used >= CLEAR_BELOW * fill.total)


CHECK = Check(
    kind="modem_storage",
    when="A message memory of a modem or SIM is 70 % full, until it is less than half full",
    severity="warning, critical when full",
    todo="Take out what cannot be read or deleted, such as drafts on the SIM",
    look=look,
    on=(ModemStateChanged,),
    remedies=("sweep_storage",),
)
