"""A SIM or a provider that has sent nearly all that its limits allow."""

from __future__ import annotations

from collections.abc import Mapping

from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings
from modembank.sim import Ledger, LimitName

RELIEF_PERCENT = 10
"""An issue lasts until so much less is used than what it was raised at."""
_WINDOWS = {
    LimitName.PER_HOUR: "this hour",
    LimitName.PER_DAY: "in 24 hours",
    LimitName.PER_MONTH: "in 31 days",
    LimitName.RECIPIENTS_PER_MONTH: "recipients in 31 days",
}
"""Not the minute's: to reach that is everyday life."""


async def look(around: Surroundings, standing: Standing) -> list[Finding]:
    """Find SIMs in a modem, and providers, of which a window is nearly full."""
    present = {view.sim_id for view in around.bank.modems() if view.sim_id is not None}
    sims = {around.sims.get(sim_id).id: around.sims.get(sim_id) for sim_id in present}
    findings = [
        _spent(around, standing, sim.iccid, f"SIM {sim.name}", around.sims.ledger(sim.id), {"slot": sim.slot})
        for sim in sims.values()
    ]
    findings += [
        _spent(around, standing, each.name, f"The provider {each.name}", each.ledger, {"provider": each.name})
        for each in around.providers.all()
        if not each.paused
    ]
    return [finding for finding in findings if finding is not None]


def _spent(
    around: Surroundings, standing: Standing, subject: str, name: str, ledger: Ledger, facts: Mapping[str, str | None]
) -> Finding | None:
    known = standing[subject].evidence.get("windows", {}) if subject in standing else {}
    used = ledger.usage(around.now_ms)
    windows = {}
    for window in _WINDOWS:
        cap = int(ledger.limits.cap(window))
        percent = around.config.health.limit_percent - (RELIEF_PERCENT if window.value in known else 0)
        if cap and used.get(window, 0) * 100 >= cap * percent:
            windows[window] = used[window], cap
    if not windows:
        return None
    said = "; ".join(f"{spent} of {cap} {_WINDOWS[window]}" for window, (spent, cap) in windows.items())
    summary = f"{name} has nearly reached its limits: {said}. Messages wait when they are reached."
    evidence = {
        **facts,
        "windows": {window.value: {"used": spent, "limit": cap} for window, (spent, cap) in windows.items()},
    }
    hourly = set(windows) == {LimitName.PER_HOUR}
    return Finding(subject, Severity.INFO if hourly else Severity.WARNING, summary, evidence)


CHECK = Check(
    kind="limits_nearly_spent",
    when="A SIM in a modem, or a provider, has used `limit_percent` of a limit per hour, day or month, until it used"
    " 10 percent less",
    severity="warning; info when it is only the hour's",
    todo="Add a SIM, raise the limit where the contract allows it, or let messages wait",
    look=look,
)
