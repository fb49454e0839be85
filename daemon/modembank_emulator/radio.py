"""Registration of one modem: coverage, operator's decision, CFUN and COPS; prints CREG codes when they change."""

from __future__ import annotations

from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING

from modembank_emulator.capabilities import CregForm
from modembank_emulator.card import PinState

if TYPE_CHECKING:
    from modembank_emulator.modem import EmulatedModem
    from modembank_emulator.schedule import Timer

AREA = 0x04CA
CELL = 0x01DE445
LTE = 7
DOMAINS = ("+CREG", "+CGREG", "+CEREG")


class Stat(IntEnum):
    """Registration state (3GPP TS 27.007 7.2)."""

    IDLE = 0
    HOME = 1
    SEARCHING = 2
    DENIED = 3
    UNKNOWN = 4
    ROAMING = 5


class Radio:
    """The radio side of one modem."""

    def __init__(self, modem: EmulatedModem) -> None:
        self._modem = modem
        self._timer: Timer | None = None
        self.coverage = True
        self.verdict = Stat.HOME  # what the network says to this SIM when there is coverage
        self.functionality = 1
        self.detached = False
        self.signal = 20
        self.stat = Stat.IDLE

    @property
    def attached(self) -> bool:
        """Short messages can pass."""
        return self.stat in {Stat.HOME, Stat.ROAMING}

    def set_coverage(self, up: bool) -> None:
        """Lose or find the cell."""
        self.coverage = up
        self.update()

    def set_verdict(self, verdict: Stat | int) -> None:
        """Let the network accept (home, roaming), deny, or leave the SIM searching."""
        self.verdict = Stat(verdict)
        self.update()

    def set_functionality(self, level: int) -> None:
        """CFUN: 0 and 4 switch the radio off, 1 on."""
        self.functionality = level
        self.update()

    def set_detached(self, detached: bool) -> None:
        """COPS=2 and COPS=0."""
        self.detached = detached
        self.update()

    def ring(self, number: str = "", times: int = 3) -> None:
        """A caller lets it ring, every 5 s; an empty number is a withheld one."""
        if times <= 0 or not self.attached:
            return
        self._modem.urc("RING")
        if self._modem.settings.clip:
            kind = 145 if number.startswith("+") else 128 if not number else 129
            self._modem.urc(f'+CLIP: "{number}",{kind},,,,0')
        self._modem.world.schedule.after(5.0, partial(self.ring, number, times - 1))

    def power_off(self) -> None:
        """No registration, nothing printed."""
        self._cancel()
        self.stat = Stat.IDLE

    def start(self) -> None:
        """After boot: radio on, look for the network."""
        self.functionality, self.detached = 1, False
        self.update()

    def update(self) -> None:
        """Move to the state the conditions ask for; attaching takes the latency of registration."""
        self._cancel()
        goal = self._goal()
        if goal not in {Stat.HOME, Stat.ROAMING} or self.attached:
            self._become(goal)
            return
        world = self._modem.world
        wait = world.latency.registration.draw(world.random)
        if wait <= 0:
            self._become(goal)
            return
        self._become(Stat.SEARCHING)
        self._timer = world.schedule.after(wait, partial(self._become, goal))

    def describe(self, domain: str, mode: int) -> str:
        """The fields after <n>: stat, and with mode 2 the cell (3GPP TS 27.007 7.2, 10.1.20, 10.1.22)."""
        if mode < 2 or not self.attached:
            return str(int(self.stat))
        form = self._modem.caps.creg_form
        if form is CregForm.BARE:
            return f"{int(self.stat)},{AREA:X},{CELL:X}"
        act = f",{LTE}" if form is CregForm.QUOTED_ACT or domain == "+CEREG" else ""
        return f'{int(self.stat)},"{AREA:04X}","{CELL:08X}"{act}'

    def _goal(self) -> Stat:
        card = self._modem.sim
        if not self._modem.running or self.functionality != 1 or self.detached:
            return Stat.IDLE
        if card is None or self._modem.sim_error is not None or card.pin_state is not PinState.READY:
            return Stat.IDLE
        return self.verdict if self.coverage else Stat.SEARCHING

    def _become(self, stat: Stat) -> None:
        if stat == self.stat:
            return
        self.stat = stat
        for domain, mode in self._modem.settings.registration_reports.items():
            if mode:
                self._modem.urc(f"{domain}: {self.describe(domain, mode)}")
        if self.attached and self._modem.sim is not None:
            self._modem.world.network.flush(self._modem.sim)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
