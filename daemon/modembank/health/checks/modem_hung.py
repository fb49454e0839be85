"""A modem that no rung of the recovery ladder brings back, or that does not come into service for too long."""

from __future__ import annotations

from collections.abc import Iterator

from modembank.bank import ModemView
from modembank.clock import rfc3339
from modembank.events import ModemStateChanged
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.slots import climbed, facts_of, judge_slots
from modembank.health.surroundings import Surroundings
from modembank.modem import FailedReason, ModemState

_TRIED = frozenset({ModemState.OPENING, ModemState.INITIALIZING, ModemState.RECOVERING})


async def look(around: Surroundings, standing: Standing) -> Iterator[Finding]:
    """Find modems out of service that do not answer."""
    patience_ms = around.config.health.modem_hung_after_s * 1000

    def judge(view: ModemView) -> Finding | None:
        since = around.memory.trouble_since(view.slot)
        evidence = facts_of(view) | {"rungs": climbed(view), "changes": around.memory.changes(view.slot)}
        if view.failed is FailedReason.QUARANTINED:
            summary = (
                f"The modem in {view.slot} hangs ({view.detail or view.last_error}) and nothing brought it back. It is"
                " tried again every few minutes; cut its power or replug it."
            )
            return Finding(view.slot, Severity.CRITICAL, summary, evidence)
        if since is None or view.state not in _TRIED or around.now_ms - since < patience_ms:
            return None
        summary = f"The modem in {view.slot} has been in trouble since {rfc3339(since)[:19]}Z and is being recovered."
        return Finding(view.slot, Severity.WARNING, summary, evidence)

    return judge_slots(around, standing, judge)


CHECK = Check(
    kind="modem_hung",
    when="A modem is quarantined: every rung of the recovery ladder was climbed in vain; or is being recovered"
    " or initialised for longer than `modem_hung_after_s`, as one that restarts again and again is",
    severity="critical when quarantined, else warning",
    todo="Cut the modem's power or replug it",
    look=look,
    every_s=30,
    on=(ModemStateChanged,),
    remedies=("reset_modem",),
    settle_s=120,
)
