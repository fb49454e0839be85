"""Which PIN opens the SIM in a slot: what a person just typed, what opened the card before, what is configured."""

from __future__ import annotations

from pathlib import Path

import structlog

from modembank.modem import (
    FAILED_PINS,
    KEEP_OF_TYPED,
    KEEP_TRIES,
    TYPED_PINS,
    FailedReason,
    PinRecord,
    SimAccess,
    TypedPins,
)
from modembank.sim import Sims

_log = structlog.get_logger()
WANTS_PIN = frozenset({FailedReason.PIN_MISSING, FailedReason.PIN_WRONG, FailedReason.PIN_AT_RISK})
"""Why a modem is out of service that a PIN would bring back."""


class Pins:
    """What the bank knows of PINs, over all slots."""

    def __init__(self, sims: Sims, folder: Path | None) -> None:
        """``folder`` keeps across restarts which PINs failed and which people typed; None: in memory only."""
        self._sims = sims
        self._record = PinRecord(None if folder is None else folder / FAILED_PINS)
        self._typed = TypedPins(None if folder is None else folder / TYPED_PINS)

    def offer(self, slot: str, pin: str) -> None:
        """Have a PIN that a person typed tried once, the next time that the SIM in the slot wants one."""
        self._typed.offer(slot, pin)

    def access(self, slot: str, configured: str) -> SimAccess:
        """Return how the SIMs in a slot are opened; ``configured`` is the PIN of its port, or empty."""

        typed: str | None = None

        def pin_for(card: str) -> tuple[str, int]:
            nonlocal typed
            typed = self._typed.take(slot)
            if typed is not None:
                return typed, KEEP_OF_TYPED
            kept = self._typed.kept(card)
            if kept is not None and not self._record.failed(card, kept):
                return kept, KEEP_TRIES
            own = self._sims.configured(card)  # counts before the port's: cards move
            return own.pin if own is not None and own.pin else configured, KEEP_TRIES

        def opened(card: str, pin: str) -> None:
            if typed is None:
                return
            try:
                self._typed.keep(card, pin)
            except OSError as error:
                _log.error("pin_not_kept", modem=slot, why=error.strerror)

        return SimAccess(pin_for, opened, self._record)
