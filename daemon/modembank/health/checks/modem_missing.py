"""A slot whose port is gone."""

from __future__ import annotations

from collections.abc import Iterator

from modembank.bank import ModemView
from modembank.clock import rfc3339
from modembank.events import ModemForgotten, ModemStateChanged
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.slots import facts_of, judge_slots, lasts
from modembank.health.surroundings import Surroundings
from modembank.modem import ModemState


async def look(around: Surroundings, standing: Standing) -> Iterator[Finding]:
    """Find ports that have been missing for a while; one that re-enumerates is not."""
    patience_s = around.config.health.modem_missing_after_s

    def judge(view: ModemView) -> Finding | None:
        if view.state is not ModemState.GONE or not lasts(around, view, patience_s, standing):
            return None
        summary = (
            f"There has been no modem at {view.path} ({view.slot}) since {rfc3339(view.since)[:19]}Z. Plug it in, or"
            " check its hub and cable; it is used again as soon as it is there."
        )
        return Finding(view.slot, Severity.WARNING, summary, facts_of(view))

    return judge_slots(around, standing, judge)


CHECK = Check(
    kind="modem_missing",
    when="A configured port has not been there for `modem_missing_after_s`",
    severity="warning",
    todo="Plug it in; check hub, cable and the configured path",
    look=look,
    every_s=30,
    on=(ModemStateChanged, ModemForgotten),
    remedies=("retry_modem",),
)
