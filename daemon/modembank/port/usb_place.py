"""What is on the USB and where, read from sysfs: hubs, their ports, the devices there and the ttys of each."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from modembank.config import USB_PLACE

SYSFS = Path("/sys")
DEV = Path("/dev")
_DEVPATH = re.compile(r"[1-9]\d*(\.[1-9]\d*)*")
_DEVICE = re.compile(r"[1-9]\d*-[1-9]\d*(\.[1-9]\d*)*")
_HUB_CLASS = "09"
_DISK_CLASS = "08"
_LONGEST_TEXT = 64


class UsbPlace(msgspec.Struct, frozen=True):
    """A port of a hub. ``hub`` is named as by uhubctl and the kernel: ``1-1.4``, or ``1`` for a root hub.

    ``interface`` picks one of the device's interfaces, such as one line of an adapter with several.
    """

    hub: str
    port: int
    interface: int | None = None

    @property
    def device(self) -> str:
        """The kernel's name for what hangs there, such as ``1-1.4.3``."""
        return f"{self.hub}{'.' if '-' in self.hub else '-'}{self.port}"


class UsbInterface(msgspec.Struct, frozen=True):
    """One interface of a device; ``kind`` is its class, subclass and protocol as in ``ff/01/02``."""

    number: int
    kind: str
    driver: str
    """Empty while none has taken it."""
    ttys: tuple[str, ...]


class UsbTty(msgspec.Struct, frozen=True):
    """A tty and the interface that it belongs to."""

    name: str
    interface: UsbInterface


class UsbDevice(msgspec.Struct, frozen=True):
    """A device that is no hub, as it is now."""

    name: str
    """The kernel's name of its place, such as ``1-1.4.3``."""
    number: int
    """Its address: another one each time that it is enumerated."""
    vendor: str
    product: str
    """Four hexadecimal digits each."""
    text: str
    """What it says of itself: printable, but else whatever it likes."""
    interfaces: tuple[UsbInterface, ...]

    @property
    def ttys(self) -> tuple[UsbTty, ...]:
        """Its ttys by the number of their interface."""
        return tuple(UsbTty(name, interface) for interface in self.interfaces for name in interface.ttys)

    @property
    def is_disk(self) -> bool:
        """Whether it shows itself as a disk, as modems do before they are switched to be one."""
        return any(interface.kind.startswith(_DISK_CLASS) for interface in self.interfaces)


class UsbTree:
    """The USB as sysfs shows it now; every method reads files and may be called on any thread."""

    def __init__(self, sysfs: Path = SYSFS, dev: Path = DEV) -> None:
        """``sysfs`` and ``dev``, where the ttys are, are other folders in tests."""
        self._sysfs = sysfs
        self._dev = dev
        self._devices = sysfs / "bus" / "usb" / "devices"

    def place_of(self, path: str) -> UsbPlace | None:
        """Return the place of a tty (a stable link will do), or None when it is none or not on the USB now.

        A path that names a place is that place, whether or not something is plugged in there.
        """
        if "://" in path:
            return None
        return place_in(path) or self._place_of_tty(path)

    def device_of(self, place: UsbPlace) -> UsbDevice | None:
        """Return what is plugged in at a place, or None when nothing is."""
        return self._read_device(place.device)

    def devices(self) -> list[UsbDevice]:
        """Return everything that is plugged in except hubs, by place."""
        names = sorted((name for name in self._names() if _DEVICE.fullmatch(name)), key=in_order)
        found = (self._read_device(name) for name in names if not self._is_hub(name))
        return [device for device in found if device is not None]

    def path_of(self, tty: UsbTty) -> str:
        """Return what to open for a tty."""
        return str(self._dev / tty.name)

    def below(self, hub: str) -> list[str]:
        """Return the names of all devices below a hub, at any depth, except hubs."""
        start = f"{hub}{'.' if '-' in hub else '-'}"
        names = sorted(self._names())
        return [name for name in names if name.startswith(start) and ":" not in name and not self._is_hub(name)]

    def board(self) -> str:
        """Return the model of the board where the firmware tells it, such as ``Raspberry Pi 4 Model B Rev 1.4``."""
        return _read(self._sysfs / "firmware" / "devicetree" / "base" / "model").rstrip("\0")

    def _place_of_tty(self, path: str) -> UsbPlace | None:
        folder = self._sysfs / "class" / "tty" / Path(path).resolve().name / "device"
        try:
            device = folder.resolve(strict=True)
        except OSError:
            return None
        # From the interface, or usb-serial's port below it, up to the first that is a USB device.
        for above in (device, *device.parents):
            bus, route = _read(above / "busnum"), _read(above / "devpath")
            if bus.isdecimal() and _DEVPATH.fullmatch(route):
                return place_in(f"usb:{bus}-{route}")
        return None

    def _names(self) -> list[str]:
        try:
            return [entry.name for entry in self._devices.iterdir()]
        except OSError:
            return []

    def _read_device(self, name: str) -> UsbDevice | None:
        folder = self._devices / name
        number = _read(folder / "devnum")
        if not number.isdecimal():
            return None
        interfaces = (_interface(entry) for entry in folder.glob(f"{name}:*"))
        return UsbDevice(
            name=name,
            number=int(number),
            vendor=_read(folder / "idVendor"),
            product=_read(folder / "idProduct"),
            text=_printable(f"{_read(folder / 'manufacturer')} {_read(folder / 'product')}"),
            interfaces=tuple(sorted((one for one in interfaces if one), key=lambda one: one.number)),
        )

    def _is_hub(self, name: str) -> bool:
        return _read(self._devices / name / "bDeviceClass") == _HUB_CLASS


def place_in(path: str) -> UsbPlace | None:
    """Return the place that a path such as ``usb:1-1.4.3`` names, or None when it names none."""
    named = USB_PLACE.fullmatch(path)
    if named is None:
        return None
    bus, _, route = named["device"].partition("-")
    hub, _, port = route.rpartition(".")
    interface = named["interface"]
    return UsbPlace(f"{bus}-{hub}" if hub else bus, int(port), None if interface is None else int(interface))


def in_order(name: str) -> tuple[int, ...]:
    """Return what sorts the kernel's names of places as people count: 1-1.9 before 1-1.10."""
    return tuple(int(number) for number in re.findall(r"\d+", name))


def _interface(folder: Path) -> UsbInterface | None:
    try:
        number = int(_read(folder / "bInterfaceNumber"), 16)
    except ValueError:  # it has just been unplugged
        return None
    kind = "/".join(_read(folder / f"bInterface{part}") for part in ("Class", "SubClass", "Protocol"))
    driver = folder / "driver"
    # cdc_acm has its tty in the interface, usb-serial in a port below it.
    ttys = {entry.name for pattern in ("tty/*", "tty*/tty/*") for entry in folder.glob(pattern)}
    return UsbInterface(
        number, kind, driver.resolve().name if driver.exists() else "", tuple(sorted(ttys, key=in_order))
    )


def _printable(text: str) -> str:
    words = "".join(letter if letter.isprintable() else " " for letter in text).split()
    return " ".join(words)[:_LONGEST_TEXT]


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
