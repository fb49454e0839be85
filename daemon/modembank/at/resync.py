"""How to find the beat again after a deadline: a question whose answer cannot be mistaken for a late one."""

from dataclasses import dataclass

from modembank.at.command import AtCommand

ESC = b"\x1b"
"""Leaves the prompt without sending (3GPP TS 27.005 3.5.1)."""
QUIET_S = 0.3
"""Seconds of pause after ESC and after AT, for the finals they may bring."""

_QUESTIONS = ("+CMEE", "+CMGF", "+CSCS", "+CSMS", "+IPR", "+CNMI")
"""Queries every SMS modem answers in one line with a prefix of its own; the first ones need no SIM."""


@dataclass(frozen=True, slots=True)
class ResyncStep:
    """Write ``data``, then leave the line alone for ``pause_s`` seconds (feeding what comes) before the next step."""

    data: bytes
    pause_s: float


@dataclass(frozen=True, slots=True)
class ResyncProbe:
    """The steps in order; then wait ``timeout_s`` for the ``Final`` of ``command``, which is the proof.

    Without it call ``AtEngine.abandon`` and probe again with the next marker.
    """

    steps: tuple[ResyncStep, ...]
    command: AtCommand
    timeout_s: float


def probe_for(marker: int, owed: set[str]) -> ResyncProbe:
    """The probe of try number ``marker``: it never asks what is still ``owed`` an answer, unless everything is."""
    free = [name for name in _QUESTIONS if f"{name}:" not in owed] or list(_QUESTIONS)
    name = free[marker % len(free)]
    question = AtCommand(f"AT{name}?", prefix=(f"{name}:",))
    steps = (
        ResyncStep(ESC, QUIET_S),
        ResyncStep(b"AT\r", QUIET_S),
        ResyncStep(question.text.encode("ascii") + b"\r", 0.0),
    )
    return ResyncProbe(steps, question, question.timeout_s)
