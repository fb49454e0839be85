"""The recovery ladder as data: by evidence, cheap first, each rung rate-limited, quarantine after the last."""

from __future__ import annotations

import enum
from typing import Protocol

import msgspec
from msgspec.structs import replace

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


class RungResult(enum.StrEnum):
    """What came of a rung."""

    PENDING = "pending"
    """Neither in service again nor in trouble again."""
    SERVED = "served"
    IN_VAIN = "in_vain"
    """The next trouble came before the modem was in service."""


class PowerSwitch(Protocol):
    """Switches the power of a slot's USB port off and on."""

    async def seen(self, slot: str) -> None:
        """The slot's port is open: note where it hangs, since that cannot be found out once it is gone."""

    async def cycle(self, slot: str) -> bool:
        """Return whether the slot's power can be and was cycled, within POWER_S."""


POWER_S = 8.0
"""A PowerSwitch is done within this time, or has failed."""
_DEAD = (Rung.REOPEN, Rung.RESTART, Rung.VENDOR_RESET, Rung.POWER)
LADDERS: dict[Trouble, tuple[Rung, ...]] = {
    Trouble.SILENT: _DEAD,
    Trouble.DEAF: _DEAD,
    Trouble.ECHO_ONLY: _DEAD,
    Trouble.WRITE_STUCK: _DEAD,
    Trouble.CONFUSED: _DEAD,
    Trouble.SIM_DROPPED: (Rung.RADIO_CYCLE, Rung.RESTART, Rung.VENDOR_RESET, Rung.POWER),
    Trouble.NOT_READY: (Rung.REINITIALIZE, Rung.RADIO_CYCLE, Rung.RESTART, Rung.VENDOR_RESET),
    Trouble.INIT_REFUSED: (Rung.REINITIALIZE, Rung.RESTART, Rung.VENDOR_RESET),
    Trouble.VANISHED: (Rung.POWER,),
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


class Climb(msgspec.Struct, frozen=True):
    """One rung that was climbed, for people; ``at`` is unix milliseconds."""

    at: int
    rung: Rung
    trouble: Trouble
    result: RungResult = RungResult.PENDING


class Recovery:
    """Where one modem stands on its ladder, and what its rungs were good for."""

    def __init__(self, settled_s: float) -> None:
        """Start on the ground; a modem well for ``settled_s`` seconds is put back there."""
        self._settled_s = settled_s
        self._tried: set[Rung] = set()
        self._used: dict[Rung, float] = {}
        self._well_since: float | None = None
        self.climbs: list[Climb] = []
        self.counts: dict[tuple[Rung, Trouble, RungResult], int] = {}
        """Rungs whose result is known, since the start."""

    @property
    def climbing(self) -> bool:
        """Whether the modem has not been in service since the last rung."""
        return self._well_since is None and bool(self._tried)

    def well(self, now: float) -> None:
        """The modem serves."""
        if self._well_since is None:
            self._well_since = now
        self._judge(RungResult.SERVED)

    def next(self, trouble: Trouble, now: float, at: int) -> Rung:
        """Return what to do now, and count it as done; ``now`` measures rests, ``at`` is for people.

        A hang may show itself in another way after each rung; so rungs count as tried whatever the trouble was, or it
        would go round for ever.
        """
        if self._well_since is not None and now - self._well_since >= self._settled_s:
            self._tried.clear()
        self._well_since = None
        self._judge(RungResult.IN_VAIN)
        for rung in LADDERS[trouble]:
            wanted = trouble is Trouble.RESET_WANTED
            if wanted or (rung not in self._tried and now - self._used.get(rung, -1e9) >= REST_S[rung]):
                self._tried.add(rung)
                self._used[rung] = now
                self._note(Climb(at, rung, trouble))
                return rung
        self._tried.clear()
        self._note(Climb(at, Rung.QUARANTINE, trouble))
        return Rung.QUARANTINE

    def not_there(self) -> None:
        """The rung that ``next`` returned last does not exist for this modem: it was not climbed."""
        climb = self.climbs[-1]
        self.climbs = self.climbs[:-1]
        self._used.pop(climb.rung, None)

    def forgive(self) -> None:
        """A person asks: every rung may be climbed again at once."""
        self._tried.clear()
        self._used.clear()

    def _judge(self, result: RungResult) -> None:
        if not self.climbs or self.climbs[-1].result is not RungResult.PENDING:
            return
        climb = replace(self.climbs[-1], result=result)
        self.climbs = [*self.climbs[:-1], climb]
        key = (climb.rung, climb.trouble, result)
        self.counts[key] = self.counts.get(key, 0) + 1

    def _note(self, climb: Climb) -> None:
        self.climbs = [*self.climbs[-19:], climb]
