"""The power of USB ports: which switch a slot hangs on, and who else would lose power with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec
import structlog

from modembank.port import HubError, Uhubctl, UsbPlace, UsbTree

_log = structlog.get_logger()


class OwnHubs(msgspec.Struct, frozen=True):
    """A board's own hubs, which say that they switch each port and do not (uhubctl's README, Raspberry Pi)."""

    board: str
    """How the board's model begins."""
    hubs: frozenset[str]
    switch: str | None
    """The hub whose ports, all at once, are the switch; None: not used."""


OWN_HUBS = (
    OwnHubs("Raspberry Pi 5", frozenset({"1", "2", "3", "4"}), None),  # one switch behind two controllers
    OwnHubs("Raspberry Pi 4", frozenset({"1-1", "2"}), "1-1"),  # USB 2 and USB 3 side of the four ports
    OwnHubs("Raspberry Pi 3", frozenset({"1-1", "1-1.1"}), None),  # the network hangs there too
    OwnHubs("Raspberry Pi 2", frozenset({"1-1"}), None),
    OwnHubs("Raspberry Pi Model B", frozenset({"1-1"}), None),
)


class Switch(msgspec.Struct, frozen=True):
    """What is switched for one slot."""

    hub: str
    port: int | None
    """None: all ports of the hub together."""
    below: tuple[tuple[str, str | None], ...] = ()
    """All devices that lose power, each with the slots that it belongs to; one with None is nobody's."""


class Outlook(msgspec.Struct, frozen=True):
    """Whether a slot's port power could be cycled now, in a sentence."""

    able: bool
    text: str


class PortPower:
    """A PowerSwitch over uhubctl, for the slots of one bank."""

    def __init__(self, paths: Mapping[str, str], tree: UsbTree, hubs: Uhubctl, at_work: Callable[[str], bool]) -> None:
        """``paths`` are the slots' ttys; ``at_work`` says whether a slot's modem must not lose its power."""
        self._paths = paths
        self._tree = tree
        self._hubs = hubs
        self._at_work = at_work
        self._seen: dict[str, UsbPlace] = {}

    async def seen(self, slot: str) -> None:
        """Note where the slot's modem hangs."""
        place = await asyncio.to_thread(self._tree.place_of, self._paths[slot])
        if place is not None:
            self._seen[slot] = place

    async def cycle(self, slot: str) -> bool:
        """Cut the slot's power for two seconds; False, with a line in the log, where that cannot or must not be."""
        try:
            await self.switch(slot)
        except HubError as error:
            _log.warning("port_power_not_cycled", modem=slot, why=str(error))
            return False
        return True

    async def switch(self, slot: str) -> None:
        """Cut the slot's power for two seconds. Raises HubError where that cannot or must not be."""
        switch = await asyncio.to_thread(self._switch, slot)
        self._spare(slot, switch)
        await self._hubs.cycle(switch.hub, switch.port)
        _log.warning("port_power_cycled", modem=slot, hub=switch.hub, port=switch.port or "all")

    async def spare(self, slot: str) -> None:
        """Raise HubError when something else that must not would lose its power with the slot."""
        self._spare(slot, await asyncio.to_thread(self._switch, slot))

    async def outlook(self, slot: str) -> Outlook:
        """Look without switching anything."""
        try:
            switch = await asyncio.to_thread(self._switch, slot)
            status = await self._hubs.look(switch.hub)
        except HubError as error:
            return Outlook(able=False, text=str(error))
        if switch.port is None:
            return Outlook(able=True, text=f"with all ports of hub {switch.hub}, when no other modem there works")
        if switch.port not in status.ports:
            return Outlook(able=False, text=f"hub {switch.hub} does not switch its port {switch.port}")
        return Outlook(able=True, text=f"hub {switch.hub}, port {switch.port}")

    def _switch(self, slot: str) -> Switch:
        place = self._tree.place_of(self._paths[slot]) or self._seen.get(slot)
        if place is None:
            message = "it is not on the USB of this machine"
            raise HubError(message)
        own = self._own_hubs(place)
        if own is None:
            # Whatever is in the place itself may be the modem in another guise; what hangs on it is another's.
            found = self._owned([place.device, *self._tree.below(place.device)])
            others = tuple((device, owner) for device, owner in found if owner or device != place.device)
            return Switch(place.hub, place.port, others)
        if own.switch is None:
            message = f"the ports of a {own.board} cannot be switched; put a hub that can between"
            raise HubError(message)
        below = [name for hub in sorted(own.hubs) for name in self._tree.below(hub)]
        return Switch(own.switch, None, self._owned(below))

    def _owned(self, devices: list[str]) -> tuple[tuple[str, str | None], ...]:
        """Return devices with the slots whose ttys they are: an adapter's with each, one that is nobody's with None."""
        places = [(slot, self._tree.place_of(path)) for slot, path in self._paths.items()]
        owners = {device: [slot for slot, place in places if place and place.device == device] for device in devices}
        return tuple((device, owner) for device in devices for owner in owners[device] or (None,))

    def _own_hubs(self, place: UsbPlace) -> OwnHubs | None:
        board = self._tree.board()
        return next((own for own in OWN_HUBS if board.startswith(own.board) and place.hub in own.hubs), None)

    def _spare(self, slot: str, switch: Switch) -> None:
        """Raise HubError when something else that must not would lose its power: another modem, or a disk."""
        for device, owner in switch.below:
            if owner is None:
                message = f"device {device}, which is no modem of ours, would lose its power too"
                raise HubError(message)
            if owner != slot and self._at_work(owner):
                message = f"{owner}, which works, would lose its power too"
                raise HubError(message)
