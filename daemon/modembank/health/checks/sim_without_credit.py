"""A SIM that was paused since it refused one number after the other, as one without credit does."""

from __future__ import annotations

from modembank.clock import rfc3339
from modembank.dispatch import is_refusal
from modembank.events import SimChanged
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings
from modembank.sim import Sim


async def look(around: Surroundings, standing: Standing) -> list[Finding]:
    """Find SIMs that the box paused; one that a person paused is no issue."""
    return [
        _finding(around, sim, standing)
        for sim in around.sims.all()
        if sim.paused_reason is not None and is_refusal(sim.paused_reason)
    ]


def _finding(around: Surroundings, sim: Sim, standing: Standing) -> Finding:
    known = standing[sim.iccid].evidence.get("numbers", []) if sim.iccid in standing else []
    evidence = {
        "reason": sim.paused_reason,
        "since": None if sim.paused_at is None else rfc3339(sim.paused_at),
        "numbers": list(around.sending.refused_numbers(sim.id)) or known,
        "slot": sim.slot,
        "operator": sim.operator,
    }
    summary = f"SIM {sim.name} is paused: {sim.paused_reason}. Resume it when that is settled."
    return Finding(sim.iccid, Severity.WARNING, summary, evidence)


CHECK = Check(
    kind="sim_without_credit",
    when="A SIM was paused because it refused several numbers in a row, as one without credit does",
    severity="warning",
    todo="Check its credit and contract, then resume it",
    look=look,
    on=(SimChanged,),
    remedies=("resume_sim",),
)
