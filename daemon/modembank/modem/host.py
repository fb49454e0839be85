"""What stands around a modem: what it is configured with, and whom it tells what happens to it."""

from __future__ import annotations

from typing import Protocol

import msgspec

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


class ModemSettings(msgspec.Struct, frozen=True):
    """What a slot is configured with, and what all modems of a box share."""

    slot: str
    port: PortConfig
    access: SimAccess
    timings: Timings
    opener: Opener
    learnt: Learnt = msgspec.field(default_factory=Learnt)
    power: PowerSwitch | None = None
