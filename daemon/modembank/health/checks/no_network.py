"""A modem that finds no network."""

from __future__ import annotations

from collections.abc import Iterator

from modembank.bank import ModemView
from modembank.clock import rfc3339
from modembank.events import ModemStateChanged
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.slots import facts_of, judge_slots, lasts
from modembank.health.surroundings import Surroundings
from modembank.modem import ModemState


async def look(around: Surroundings, standing: Standing) -> Iterator[Finding]:
    """Find modems that have been searching for long."""
    patience_s = around.config.health.no_network_after_s

    def judge(view: ModemView) -> Finding | None:
        if view.state is not ModemState.SEARCHING or not lasts(around, view, patience_s, standing):
            return None
        denied = "denied" in view.registration
        why = (
            "The network refuses its SIM: ask the operator."
            if denied
            else "Check antenna, signal and the SIM's contract."
        )
        summary = f"The modem in {view.slot} has had no network since {rfc3339(view.since)[:19]}Z. {why}"
        return Finding(view.slot, Severity.WARNING, summary, facts_of(view) | {"registration": view.registration})

    return judge_slots(around, standing, judge)


CHECK = Check(
    kind="no_network",
    when="A modem has been searching for a network for `no_network_after_s`",
    severity="warning",
    todo="Check antenna and signal; when the network denies it, the SIM's contract",
    look=look,
    every_s=30,
    on=(ModemStateChanged,),
    remedies=("reset_modem",),
    settle_s=60,
)
