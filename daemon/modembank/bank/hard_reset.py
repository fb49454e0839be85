"""Resets from outside of a modem, for one that does not listen: its place on the USB, or the power of its port."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Mapping

from modembank.bank.port_power import PortPower
from modembank.port import HubError, UsbAuthority, UsbTree


class ResetLevel(enum.StrEnum):
    """How hard."""

    USB = "usb"
    """It is taken off the USB and configured anew; it keeps its power."""
    POWER = "power"
    """The power of its port is cut for two seconds."""


class HardReset:
    """What can be done to the slots of one bank."""

    def __init__(
        self,
        paths: Mapping[str, str],
        tree: UsbTree,
        power: PortPower | None,
        usb: UsbAuthority,
        at_work: Callable[[str], bool],
    ) -> None:
        """``paths`` are the slots' ttys; ``at_work`` says whether a slot's modem must not be disturbed."""
        self._paths = paths
        self._tree = tree
        self._power = power
        self._usb = usb
        self._at_work = at_work

    async def check(self, slot: str, level: ResetLevel) -> None:
        """Raise HubError, with the reason, where it cannot or must not be done."""
        if level is ResetLevel.USB:
            await asyncio.to_thread(lambda: self._usb.check(self._device(slot)))
            return
        outlook = await self._switches().outlook(slot)
        if not outlook.able:
            raise HubError(outlook.text)
        await self._switches().spare(slot)

    async def carry_out(self, slot: str, level: ResetLevel) -> None:
        """Do it. Raises HubError."""
        if level is ResetLevel.USB:
            await self._usb.renew(await asyncio.to_thread(self._device, slot))
        else:
            await self._switches().switch(slot)

    async def heal(self) -> None:
        """Let on what an earlier process left off."""
        await asyncio.to_thread(self._usb.heal)

    def _switches(self) -> PortPower:
        if self._power is None:
            message = "the configuration says that no port's power is switched (usb_power)"
            raise HubError(message)
        return self._power

    def _device(self, slot: str) -> str:
        """Return the device that a slot is, if no other that works is the same."""
        place = self._tree.place_of(self._paths[slot])
        if place is None:
            message = "it is not on the USB of this machine"
            raise HubError(message)
        for other, path in self._paths.items():
            theirs = self._tree.place_of(path)
            if other != slot and theirs is not None and theirs.device == place.device and self._at_work(other):
                message = f"{other}, which works, is on the same device"
                raise HubError(message)
        return place.device
