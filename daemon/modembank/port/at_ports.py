"""Which of a modem's ttys takes AT commands: by the table of known ids, by Huawei's own marks, or not known."""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

from modembank.port.usb_place import UsbDevice, UsbInterface, UsbTty

TABLE = Path(__file__).with_name("usb_at_ports.tsv")
MODEM_DRIVERS = frozenset({"option", "qcserial", "sierra", "hso"})
"""Drivers of the kernel that serve nothing but modems."""
LINE_DRIVERS = frozenset({"ftdi_sio", "cp210x", "ch341", "pl2303", "ark3116", "mos7840", "f81534", "xr_serial"})
"""Drivers of adapters: behind each of their ttys stands a device of its own."""


class Role(enum.StrEnum):
    """What a tty of a modem is for; those that take AT commands first, the best first of all."""

    AT = "at"
    SECOND = "second"
    UNKNOWN = "unknown"
    PPP = "ppp"
    """Takes AT commands too, but hears of no message that comes in."""
    DIAGNOSTICS = "diagnostics"
    GPS = "gps"
    AUDIO = "audio"
    OTHER = "other"


_TAKING = (Role.AT, Role.SECOND, Role.UNKNOWN, Role.PPP)
_WORDS = {"AT_PPP": Role.PPP, "QCDM": Role.DIAGNOSTICS, "GPS": Role.GPS, "AUDIO": Role.AUDIO, "IGNORE": Role.OTHER}
_HUAWEI = "12d1"
_HUAWEI_KINDS = {"ff/01/02": Role.AT, "ff/02/02": Role.AT, "ff/01/01": Role.PPP, "ff/02/01": Role.PPP}
"""As ModemManager reads Huawei's interfaces (77-mm-huawei-net-port-types.rules)."""
_HUAWEI_PRODUCTS = {
    "1001": {2: Role.AT, 1: Role.AUDIO},
    "140c": {3: Role.AT, 2: Role.AUDIO},
    "14ac": {4: Role.AT, 3: Role.AUDIO},
    "1436": {4: Role.AT, 3: Role.AUDIO},
    "1506": {3: Role.AT, 2: Role.AUDIO},
}
"""Older sticks, whose interfaces are all ff/ff/ff: data and voice, as chan_dongle has them."""


def is_known(device: UsbDevice) -> bool:
    """Return whether a device is a modem by its id or by its driver, whatever it answers."""
    if (device.vendor, device.product) in _table():
        return True
    return any(interface.driver in MODEM_DRIVERS for interface in device.interfaces)


def is_adapter(device: UsbDevice) -> bool:
    """Return whether each tty of a device is the line to another one."""
    return any(interface.driver in LINE_DRIVERS for interface in device.interfaces)


def is_vendor_of_modems(device: UsbDevice) -> bool:
    """Return whether modems of its maker are known."""
    return device.vendor == _HUAWEI or any(vendor == device.vendor for vendor, _ in _table())


def role_of(device: UsbDevice, interface: UsbInterface) -> Role:
    """Return what an interface is for."""
    listed = _table().get((device.vendor, device.product))
    if listed is not None:
        return listed.get(interface.number, Role.UNKNOWN)
    if device.vendor == _HUAWEI:
        named = _HUAWEI_PRODUCTS.get(device.product, {})
        return _HUAWEI_KINDS.get(interface.kind) or named.get(interface.number, Role.UNKNOWN)
    return Role.UNKNOWN


def taking_at(device: UsbDevice, interface: int | None = None) -> list[UsbTty]:
    """Return the ttys that take AT commands or may, the best first; only those of one interface where it is named."""
    ranked = [
        (_TAKING.index(role), tty.interface.number, tty)
        for tty in device.ttys
        if (role := role_of(device, tty.interface)) in _TAKING and interface in {None, tty.interface.number}
    ]
    return [tty for _, _, tty in sorted(ranked, key=lambda entry: entry[:2])]


@functools.cache
def _table() -> Mapping[tuple[str, str], Mapping[int, Role]]:
    rows = (line.split("\t") for line in TABLE.read_text("utf-8").splitlines() if not line.startswith("#"))
    return {(vendor, product): dict(_roles(*ports)) for vendor, product, *ports in (row[:5] for row in rows)}


def _roles(first: str, second: str, others: str) -> Iterator[tuple[int, Role]]:
    for role, numbers in ((Role.SECOND, second), (Role.AT, first)):
        yield from ((int(number, 16), role) for number in numbers.split("/") if number != "-")
    for entry in others.split(","):
        number, _, word = entry.partition(":")
        if word:
            yield int(number, 16), _WORDS[word]
