"""USB devices in a testbed of umockdev's, for a process under ``umockdev-wrapper``; by ctypes, without GObject."""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Mapping
from pathlib import Path

_HOST = "/devices/pci0000:00/0000:00:14.0/usb1"


class MockedUsb:
    """A /sys that is empty but for what is plugged in; udev's events go to whoever listens."""

    def __init__(self, dev: Path) -> None:
        """``dev`` is a folder of our own for the nodes of ttys."""
        self._library = ctypes.CDLL("libumockdev.so.0")
        self._library.umockdev_testbed_new.restype = ctypes.c_void_p
        self._testbed = ctypes.c_void_p(self._library.umockdev_testbed_new())
        self.dev = dev
        self._plugged: dict[str, list[str]] = {}
        self._number = 1

    async def plug(
        self,
        place: str,
        usb_id: str,
        ttys: Mapping[int, str],
        *,
        driver: str = "option",
        far: Mapping[str, Path] = {},
        kind: str = "ff/00/00",
    ) -> None:
        """Enumerate a device at a place such as 1-1: it, its interfaces, and a tty for each, in the kernel's order."""
        vendor, _, product = usb_id.partition(":")
        self._number += 1
        device = f"{_HOST}/{place}"
        facts = {"busnum": "1", "devnum": str(self._number), "devpath": place.partition("-")[2], "bDeviceClass": "00"}
        facts |= {"idVendor": vendor, "idProduct": product, "manufacturer": "Mocked", "product": "Stick"}
        self._add(device, "usb", facts, DEVTYPE="usb_device")
        paths = [device]
        for tty, target in far.items():
            (self.dev / tty).unlink(missing_ok=True)
            (self.dev / tty).symlink_to(target)
        for number, tty in ttys.items():
            interface = f"{device}/{place}:1.{number}"
            parts = dict(zip(("Class", "SubClass", "Protocol"), kind.split("/"), strict=True))
            facts = {f"bInterface{part}": value for part, value in parts.items()}
            self._add(interface, "usb", facts | {"bInterfaceNumber": f"{number:02x}"}, DEVTYPE="usb_interface")
            leaf = f"{interface}/{tty}/tty/{tty}"
            self._add(leaf, "tty", {}, DEVNAME=f"/dev/{tty}")
            paths += [interface, leaf]
        self._plugged[place] = paths
        for path in paths:
            await self._event(path, "add")

    async def unplug(self, place: str) -> None:
        """Take a device out."""
        for path in reversed(self._plugged.pop(place)):
            await self._event(path, "remove")
            self._library.umockdev_testbed_remove_device(self._testbed, b"/sys" + path.encode())

    async def event(self, place: str) -> None:
        """Say that something changed."""
        await self._event(self._plugged[place][0], "change")

    def _add(self, path: str, subsystem: str, facts: Mapping[str, str], **properties: str) -> None:
        lines = [
            f"P: {path}",
            f"E: SUBSYSTEM={subsystem}",
            *(f"E: {name}={value}" for name, value in properties.items()),
        ]
        lines += [f"A: {name}={value}" for name, value in facts.items()]
        text = "\n".join(lines) + "\n"
        if not self._library.umockdev_testbed_add_from_string(self._testbed, text.encode(), None):
            raise RuntimeError(text)

    async def _event(self, path: str, action: str) -> None:
        self._library.umockdev_testbed_uevent(self._testbed, b"/sys" + path.encode(), action.encode())
        await asyncio.sleep(0.001)  # umockdev aborts when its ten places for what nobody has read yet are taken
