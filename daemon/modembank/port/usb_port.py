"""Opening a port by its place on the USB: whichever tty takes AT commands there now."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import structlog
from msgspec.structs import replace

from modembank.port.at_ports import Role, role_of, taking_at
from modembank.port.opening import open_port
from modembank.port.types import OnData, OnLost, Port, PortConfig, PortError, PortFailure
from modembank.port.usb_place import UsbDevice, UsbPlace, UsbTree, UsbTty, place_in

ANSWER_S = 1.0
"""A modem that runs answers AT within milliseconds."""
ASKS = 2
"""An adapter's modem may spend the first question on finding the speed."""
MOST_ASKED = 6
SETTLE_S = 2.0
"""How long a device that was just enumerated may take until its interfaces have their drivers and ttys."""
_OK = re.compile(rb"(^|[\r\n])OK[\r\n]")
_KEPT = 256
_log = structlog.get_logger()


class Opening(Protocol):
    """How a port is opened."""

    async def __call__(self, config: PortConfig, *, on_data: OnData, on_lost: OnLost) -> Port:
        """Return an open port or raise PortError."""


class UsbPorts:
    """Opens any port; a place on the USB is looked up anew each time."""

    def __init__(self, tree: UsbTree, opening: Opening = open_port, settle_s: float = SETTLE_S) -> None:
        """``opening`` opens what has a path."""
        self._tree = tree
        self._opening = opening
        self._settle_s = settle_s
        self._first_seen: dict[str, tuple[int, float]] = {}

    async def __call__(self, config: PortConfig, *, on_data: OnData, on_lost: OnLost) -> Port:
        """As ``open_port``; MISSING also for a place without a tty that could take AT commands."""
        place = place_in(config.path)
        if place is None:
            return await self._opening(config, on_data=on_data, on_lost=on_lost)
        tty = await self.choose(config, place)
        found = self._named(config, tty)
        _log.debug("usb_port_chosen", place=config.path, tty=found.path)
        return await self._opening(found, on_data=on_data, on_lost=on_lost)

    async def choose(self, config: PortConfig, place: UsbPlace) -> UsbTty:
        """Return the tty to open at a place: the only one, the first that answers, or the best. Raises PortError."""
        ttys = await self.candidates(config, place)
        return ttys[0] if len(ttys) == 1 else await self.first_answering(config, ttys) or ttys[0]

    async def candidates(self, config: PortConfig, place: UsbPlace) -> Sequence[UsbTty]:
        """Return what may take AT commands at a place, the best first. Raises PortError: MISSING."""
        device = await asyncio.to_thread(self._tree.device_of, place)
        if device is None:
            raise PortError(PortFailure.MISSING, config.path, "nothing is plugged in there")
        ttys = taking_at(device, place.interface)
        best = bool(ttys) and role_of(device, ttys[0].interface) is Role.AT
        if not best and self._is_young(device) and not _is_complete(device):
            raise PortError(PortFailure.MISSING, config.path, f"{_who(device)} has just been plugged in")
        if not ttys:
            why = "shows itself as a disk and no modem yet" if device.is_disk else "has no port for AT commands"
            raise PortError(PortFailure.MISSING, config.path, f"{_who(device)} {why}")
        return ttys[:MOST_ASKED]

    async def first_answering(self, config: PortConfig, ttys: Sequence[UsbTty]) -> UsbTty | None:
        """Ask one after the other; return the first that answers AT. Raises PortError when another program has one."""
        for tty in ttys:
            try:
                if await answers(self._opening, self._named(config, tty)):
                    return tty
            except PortError as error:
                # Whoever holds one port of a modem reads and deletes its messages.
                if error.failure in {PortFailure.BUSY, PortFailure.PERMISSION}:
                    raise
        return None

    def _named(self, config: PortConfig, tty: UsbTty) -> PortConfig:
        return replace(config, path=self._tree.path_of(tty), place=config.path)

    def _is_young(self, device: UsbDevice) -> bool:
        now = asyncio.get_running_loop().time()
        number, since = self._first_seen.get(device.name, (0, now))
        if number != device.number:
            since = now
        self._first_seen[device.name] = (device.number, since)
        return now - since < self._settle_s


async def answers(opening: Opening, config: PortConfig) -> bool:
    """Open a port for itself alone, ask AT and return whether OK comes. Raises PortError."""
    heard, answered = bytearray(), asyncio.Event()

    def hear(data: bytes) -> None:
        heard.extend(data)
        if _OK.search(heard):
            answered.set()
        del heard[:-_KEPT]

    port = await opening(config, on_data=hear, on_lost=_ignore)
    try:
        # ESC first: at a forgotten prompt the question would become message text.
        port.write(b"\x1b")
        for _ in range(ASKS):
            port.write(b"AT\r")
            with suppress(TimeoutError):
                await asyncio.wait_for(answered.wait(), ANSWER_S / ASKS)
                return True
        return False
    finally:
        port.close()
        await port.wait_closed()


def _ignore(cause: PortError | None) -> None:
    """A port that goes away while it is asked does not answer."""


def _is_complete(device: UsbDevice) -> bool:
    return all(interface.driver for interface in device.interfaces)


def _who(device: UsbDevice) -> str:
    return f"{device.text or 'a device'} ({device.vendor}:{device.product})"
