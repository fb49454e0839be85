"""What stands around a modem: what it is configured with, and whom it tells what happens to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from modembank.modem.capabilities import Capabilities, SimSeen
from modembank.modem.channel import Opener
from modembank.modem.initialization import Learnt, SimAccess
from modembank.modem.recovery import PowerSwitch
from modembank.modem.states import StateChange
from modembank.modem.timings import Timings
from modembank.port import PortConfig


class ModemHost(Protocol):
    """What a modem tells the bank, and asks it."""

    def state_changed(self, change: StateChange) -> None:
        """Called on the loop; must not block."""

    async def identified(self, sim: SimSeen, capabilities: Capabilities) -> int:
        """Return the SIM's row id. Raises OutOfService when the bank does not take this SIM in this slot."""


@dataclass(frozen=True, slots=True)
class ModemSettings:
    """What a slot is configured with, and what all modems of a box share."""

    slot: str
    port: PortConfig
    access: SimAccess
    timings: Timings
    opener: Opener
    learnt: Learnt = field(default_factory=Learnt)
    power: PowerSwitch | None = None
