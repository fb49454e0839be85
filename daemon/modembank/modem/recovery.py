"""The recovery ladder as data: by evidence, cheap first, each rung rate-limited, quarantine after the last."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from modembank.modem.troubles import Trouble


class Rung(enum.StrEnum):
    """What is done. Every trouble has been met with ESC, AT and markers before any of these."""

    REINITIALIZE = "reinitialize"
    REOPEN = "reopen"
    """Close and open the port."""
    RADIO_CYCLE = "radio_cycle"
    """AT+CFUN=0, AT+CFUN=1: also starts the SIM afresh."""
    RESTART = "restart"
    """AT+CFUN=1,1."""
    VENDOR_RESET = "vendor_reset"
    POWER = "power"
    """Port power, by a PowerSwitch where there is one."""
    QUARANTINE = "quarantine"
    """Nothing is done for a long while; a person should look."""


class PowerSwitch(Protocol):
    """Switches a slot's USB power off and on; a seam, the hardware for it is a later matter."""

    async def cycle(self, slot: str) -> bool:
        """Return whether the slot's power can be and was cycled."""


_DEAD = (Rung.REOPEN, Rung.RESTART, Rung.VENDOR_RESET, Rung.POWER)
LADDERS: dict[Trouble, tuple[Rung, ...]] = {
    Trouble.SILENT: _DEAD,
    Trouble.DEAF: _DEAD,
    Trouble.ECHO_ONLY: _DEAD,
    Trouble.WRITE_STUCK: _DEAD,
    Trouble.CONFUSED: (Rung.REOPEN, Rung.REOPEN, Rung.RESTART, Rung.VENDOR_RESET, Rung.POWER),
    Trouble.SIM_DROPPED: (Rung.RADIO_CYCLE, Rung.RESTART, Rung.VENDOR_RESET, Rung.POWER),
    Trouble.NOT_READY: (Rung.REINITIALIZE, Rung.RADIO_CYCLE, Rung.RESTART, Rung.VENDOR_RESET),
    Trouble.INIT_REFUSED: (Rung.REINITIALIZE, Rung.RESTART, Rung.VENDOR_RESET),
    Trouble.RESET_WANTED: (Rung.RESTART,),
}
REST_S: dict[Rung, float] = {
    Rung.REINITIALIZE: 1.0,
    Rung.REOPEN: 2.0,
    Rung.RADIO_CYCLE: 60.0,
    Rung.RESTART: 300.0,
    Rung.VENDOR_RESET: 600.0,
    Rung.POWER: 1800.0,
}
"""How long a rung rests after it was used: a modem that is restarted all the time never serves."""


@dataclass(frozen=True, slots=True)
class Climb:
    """One rung that was climbed, for people."""

    at: float
    rung: Rung
    trouble: Trouble


class Recovery:
    """Where one modem stands on its ladder."""

    def __init__(self, settled_s: float) -> None:
        """Start on the ground; a modem well for ``settled_s`` seconds is put back there."""
        self._settled_s = settled_s
        self._position: dict[Trouble, int] = {}
        self._used: dict[Rung, float] = {}
        self._well_since: float | None = None
        self.climbs: list[Climb] = []

    def well(self, now: float) -> None:
        """The modem serves."""
        if self._well_since is None:
            self._well_since = now

    def next(self, trouble: Trouble, now: float, *, resting_counts: bool = True) -> Rung:
        """Return what to do now, and count it as done. ``resting_counts`` False ignores the rests (a person asks)."""
        if self._well_since is not None and now - self._well_since >= self._settled_s:
            self._position.clear()
        self._well_since = None
        ladder = LADDERS[trouble]
        position = self._position.get(trouble, 0)
        while position < len(ladder):
            rung = ladder[position]
            position += 1
            if resting_counts and now - self._used.get(rung, -1e9) < REST_S[rung]:
                continue
            self._position[trouble] = position
            self._used[rung] = now
            self._note(Climb(now, rung, trouble))
            return rung
        self._position.pop(trouble, None)
        self._note(Climb(now, Rung.QUARANTINE, trouble))
        return Rung.QUARANTINE

    def _note(self, climb: Climb) -> None:
        self.climbs = [*self.climbs[-19:], climb]
