"""How to find the beat again after a deadline: a question whose answer cannot be mistaken for a late one."""

from collections import deque
from collections.abc import Set as AbstractSet

import msgspec

from modembank.at.command import AtCommand

ESC = b"\x1b"
"""Leaves the prompt without sending (3GPP TS 27.005 3.5.1)."""
QUIET_S = 0.3
"""Seconds of pause after ESC and after AT, for the finals they may bring."""

_QUESTIONS = ("+CMEE", "+CMGF", "+CSCS", "+CSMS", "+IPR", "+CNMI")
"""Queries every SMS modem answers in one line with a prefix of its own; the first ones need no SIM."""


class ResyncStep(msgspec.Struct, frozen=True):
    """Write ``data``, then leave the line alone for ``pause_s`` seconds (feeding what comes) before the next step."""

    data: bytes
    pause_s: float


class ResyncProbe(msgspec.Struct, frozen=True):
    """The steps in order; then wait ``timeout_s`` for the ``Final`` of ``command``, which is the proof.

    Without it call ``AtEngine.abandon`` and probe again.
    """

    steps: tuple[ResyncStep, ...]
    command: AtCommand
    timeout_s: float


class Markers:
    """The questions for one modem, over all the times that its port is opened.

    A modem that wakes answers all that it was asked, in order, so an answer is a proof only while the same question is
    not owed one from before: the one that was asked the longest ago comes next.
    """

    def __init__(self) -> None:
        """Start with the first question."""
        self._questions = deque(_QUESTIONS)

    def next(self, owed: AbstractSet[str]) -> ResyncProbe:
        """The next probe; it never asks what is still ``owed`` an answer (prefixes), unless everything is."""
        free = (name for name in self._questions if f"{name}:" not in owed)
        name = next(free, self._questions[0])
        self._questions.remove(name)
        self._questions.append(name)
        question = AtCommand(f"AT{name}?", prefix=(f"{name}:",))
        steps = (
            ResyncStep(ESC, QUIET_S),
            ResyncStep(b"AT\r", QUIET_S),
            ResyncStep(question.text.encode("ascii") + b"\r", 0.0),
        )
        return ResyncProbe(steps, question, question.timeout_s)
