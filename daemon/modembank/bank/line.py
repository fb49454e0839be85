"""The border between the bank and whoever sends: a SIM that can send now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from modembank.modem.outcome import SubmitResult

Gate = Callable[[], Awaitable[bool]]
"""Awaited after the prompt and before the PDU: makes the intent durable. False: do not send (ESC, outcome NOT_SENT)."""


class Line(Protocol):
    """One SIM in one registered modem, ready to send."""

    @property
    def sim_id(self) -> int:
        """The SIM's row id."""

    @property
    def slot(self) -> str:
        """The name of the slot the modem sits in."""

    async def submit(self, pdu: str, length: int, gate: Gate, *, more_follow: bool = False) -> SubmitResult:
        """Send one SUBMIT PDU (hex with SMSC prefix; ``length`` is its TPDU octets) and return what became of it.

        Never raises for what a modem does. Cancellation while Ctrl-Z is out is deferred until the exchange has ended or
        its deadline passed. ``more_follow`` asks to keep the relay link open (AT+CMMS).
        """


class LineListener(Protocol):
    """Told as SIMs become able to send and cease to be; both are called on the event loop and must not block."""

    def line_up(self, line: Line) -> None:
        """The SIM may be given messages."""

    def line_down(self, sim_id: int, why: str) -> None:
        """No new message may be given; a submit in flight still returns its result."""
