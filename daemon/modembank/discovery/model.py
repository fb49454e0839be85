"""What discovery makes of a device on the USB, and which places it may have modems at."""

from __future__ import annotations

import enum

import msgspec

from modembank.port import UsbDevice, is_adapter, is_known, is_vendor_of_modems


class Standing(enum.StrEnum):
    """What a device is to the box."""

    SERVED = "served"
    """One slot has it, or several."""
    ASKED = "asked"
    """Whether it is a modem is being found out."""
    SILENT = "silent"
    """Its ports do not answer AT: it is no modem."""
    REFUSED = "refused"
    """A port of it cannot be opened, such as one that another program has."""
    WAITING = "waiting"
    """A modem that shows itself as a disk until it is switched."""
    NO_PORT = "no_port"
    IGNORED = "ignored"
    UNUSED = "unused"
    """Nobody asked for it: only the ports that are listed are served."""


class Sighting(msgspec.Struct, frozen=True):
    """A device, what it is to the box, why in a sentence, and the slots that have it."""

    device: UsbDevice
    standing: Standing
    why: str = ""
    slots: tuple[str, ...] = ()


def places_on(device: UsbDevice) -> tuple[str, ...]:
    """Return the places on a device at which there may be a modem: one, or one for each line of an adapter."""
    ttys = device.ttys
    if is_adapter(device) and len(ttys) > 1:
        return tuple(f"usb:{device.name}:1.{tty.interface.number}" for tty in ttys)
    return (f"usb:{device.name}",) if ttys else ()


def without_ports(device: UsbDevice) -> Sighting:
    """Return what a device without any tty is."""
    if device.is_disk and is_vendor_of_modems(device):
        why = "it shows itself as a disk; if it stays one, usb-modeswitch is to make a modem of it"
        return Sighting(device, Standing.WAITING, why)
    if is_known(device):
        return Sighting(device, Standing.NO_PORT, "no driver has made ports of it: is the kernel module option loaded?")
    return Sighting(device, Standing.NO_PORT, "it has no serial port")
