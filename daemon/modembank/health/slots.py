"""What the checks of modems have in common: every slot that should work, and patience with a modem in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from modembank.bank import ModemView
from modembank.clock import rfc3339
from modembank.health.model import Finding
from modembank.health.parts import Standing
from modembank.health.surroundings import Surroundings
from modembank.modem import AdminState, ModemState

_IN_BETWEEN = frozenset({ModemState.DETECTED, ModemState.OPENING, ModemState.INITIALIZING, ModemState.RECOVERING})
"""It is being tried again, or the daemon has just started: neither well nor shown to be unwell."""


def judge_slots(
    around: Surroundings, standing: Standing, judge: Callable[[ModemView], Finding | None]
) -> Iterator[Finding]:
    """Yield what ``judge`` finds of each slot; an issue stays while its modem is in between.

    A slot that a person has disabled is none of health's business.
    """
    for view in around.bank.modems():
        if view.admin is AdminState.DISABLED:
            continue
        found = judge(view)
        if found is not None:
            yield found
        elif view.state in _IN_BETWEEN and view.slot in standing:
            yield standing[view.slot].as_found()


def lasts(around: Surroundings, view: ModemView, patience_s: int, standing: Standing) -> bool:
    """Return whether a slot has been in its state for so long, or is known to be in that trouble."""
    return view.slot in standing or around.now_ms - view.since >= patience_s * 1000


def facts_of(view: ModemView) -> dict[str, Any]:
    """Return what of a slot is worth showing with any trouble; nothing in it changes by mere waiting."""
    return {
        "port": view.path,
        "state": view.state.value,
        "since": rfc3339(view.since),
        "model": f"{view.manufacturer} {view.model}".strip(),
        "detail": view.detail,
        "last_error": view.last_error,
    }


def climbed(view: ModemView) -> list[dict[str, str]]:
    """Return the rungs of the recovery ladder that were climbed lately, oldest first."""
    return [
        {"at": rfc3339(step.at), "rung": step.rung.value, "trouble": step.trouble.value, "result": step.result.value}
        for step in view.recovery
    ]
