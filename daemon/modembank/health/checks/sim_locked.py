"""A SIM that wants its PIN or PUK."""

from __future__ import annotations

from collections.abc import Iterator

from modembank.bank import ModemView
from modembank.events import ModemStateChanged
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.slots import facts_of, judge_slots
from modembank.health.surroundings import Surroundings
from modembank.modem import FailedReason

_TODO = {
    FailedReason.PIN_MISSING: "wants a PIN: type it on the modem's page, or put it into the configuration as pin of its"
    " [[sim]] or [[bank.port]]",
    FailedReason.PIN_WRONG: "refused its PIN, which is not tried again: type the right one on the modem's page, or"
    " correct it in the configuration",
    FailedReason.PIN_AT_RISK: "has few PIN tries left, so that its PIN is not tried: enter the right one in a"
    " telephone, which resets the count",
    FailedReason.PUK_REQUIRED: "wants its PUK: unlock it in a telephone with the operator's PUK",
}


async def look(around: Surroundings, standing: Standing) -> Iterator[Finding]:
    """Find SIMs that a person must unlock."""

    def judge(view: ModemView) -> Finding | None:
        todo = None if view.failed is None else _TODO.get(view.failed)
        if todo is None or view.failed is None:
            return None
        evidence = facts_of(view) | {"reason": view.failed.value}
        return Finding(view.slot, Severity.WARNING, f"The SIM in {view.slot} {todo}.", evidence)

    return judge_slots(around, standing, judge)


CHECK = Check(
    kind="sim_locked",
    when="A SIM wants a PIN that is not known, was wrong or must not be tried, or its PUK",
    severity="warning",
    todo="Type the PIN on the modem's page, correct it in the configuration, or unlock the SIM in a telephone",
    look=look,
    on=(ModemStateChanged,),
    remedies=("retry_modem",),
)
