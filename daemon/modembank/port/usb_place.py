"""Where a tty's device hangs on the USB, read from sysfs: which hub, which of its ports, and what else is there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

SYSFS = Path("/sys")
_DEVPATH = re.compile(r"[1-9]\d*(\.[1-9]\d*)*")
_HUB_CLASS = "09"


@dataclass(frozen=True, slots=True)
class UsbPlace:
    """A port of a hub. ``hub`` is named as by uhubctl and the kernel: ``1-1.4``, or ``1`` for a root hub."""

    hub: str
    port: int

    @property
    def device(self) -> str:
        """The kernel's name for what hangs there, such as ``1-1.4.3``."""
        return f"{self.hub}{'.' if '-' in self.hub else '-'}{self.port}"


class UsbTree:
    """The USB as sysfs shows it now; every method reads files and may be called on any thread."""

    def __init__(self, sysfs: Path = SYSFS) -> None:
        """``sysfs`` is another folder in tests."""
        self._sysfs = sysfs

    def place_of(self, tty: str) -> UsbPlace | None:
        """Return the place of a tty (a stable link will do), or None when it is none or not on the USB now."""
        if "://" in tty:
            return None
        folder = self._sysfs / "class" / "tty" / Path(tty).resolve().name / "device"
        try:
            device = folder.resolve(strict=True)
        except OSError:
            return None
        # From the interface, or usb-serial's port below it, up to the first that is a USB device.
        for above in (device, *device.parents):
            bus, path = _read(above / "busnum"), _read(above / "devpath")
            if bus.isdecimal() and _DEVPATH.fullmatch(path):
                hub, _, port = path.rpartition(".")
                return UsbPlace(f"{bus}-{hub}" if hub else bus, int(port))
        return None

    def below(self, hub: str) -> list[str]:
        """Return the names of all devices below a hub, at any depth, except hubs."""
        start = f"{hub}{'.' if '-' in hub else '-'}"
        try:
            names = sorted(entry.name for entry in (self._sysfs / "bus" / "usb" / "devices").iterdir())
        except OSError:
            return []
        return [name for name in names if name.startswith(start) and ":" not in name and not self._is_hub(name)]

    def board(self) -> str:
        """Return the model of the board where the firmware tells it, such as ``Raspberry Pi 4 Model B Rev 1.4``."""
        return _read(self._sysfs / "firmware" / "devicetree" / "base" / "model").rstrip("\0")

    def _is_hub(self, name: str) -> bool:
        return _read(self._sysfs / "bus" / "usb" / "devices" / name / "bDeviceClass") == _HUB_CLASS


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
