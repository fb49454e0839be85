"""Things for a machine's USB: modems of an emulated bank, a keyboard, a stick.

A place is a port of the machine's controller, or `1.3`: port 3 of the hub at port 1; the guest calls it `usb:1-1.3`. A
modem is a serial adapter of QEMU's (FTDI's ids, one line) whose far end is the emulated modem's terminal, so that all
between udev and the daemon is the guest's own.
"""

from __future__ import annotations

from machine.qemu import Machine
from modembank_emulator.modem import EmulatedModem


class Bus:
    """What is plugged into one machine."""

    def __init__(self, machine: Machine) -> None:
        """Begin with nothing plugged in; so is a machine after it was switched on."""
        self._machine = machine

    async def hub(self, place: str) -> None:
        """Plug in a hub of eight ports."""
        await self._plug("usb-hub", f"hub-{place}", place)

    async def keyboard(self, place: str) -> None:
        """Plug in a keyboard."""
        await self._plug("usb-kbd", f"kbd-{place}", place)

    async def stick(self, place: str, number: int = 0) -> None:
        """Plug in a stick that is a disk: one of the hardware's drives."""
        await self._plug("usb-storage", f"stick-{place}", place, drive=f"stick{number}")

    async def modem(self, place: str, modem: EmulatedModem) -> None:
        """Plug in an emulated modem that is switched on."""
        # Not over a socket: the terminal hangs up when the modem dies, as a cable does.
        line = f"line-{place}"
        backend = {"type": "serial", "data": {"device": modem.pts}}
        await self._machine.qmp.ask("chardev-add", id=line, backend=backend)
        await self._plug("usb-serial", f"modem-{place}", place, chardev=line)

    async def unplug(self, device: str) -> None:
        """Pull out `modem-PLACE`, `stick-PLACE`, `kbd-PLACE`."""
        await self._machine.qmp.ask("device_del", id=device)
        await self._machine.qmp.told("DEVICE_DELETED", device=device)
        if device.startswith("modem-"):
            await self._machine.qmp.ask("chardev-remove", id=device.replace("modem-", "line-"))

    async def _plug(self, driver: str, name: str, place: str, **more: object) -> None:
        await self._machine.qmp.ask("device_add", driver=driver, id=name, bus="usb.0", port=place, **more)
