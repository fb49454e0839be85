"""What is on the box's USB, and what the box makes of it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from modembank.accounts import Scope
from modembank.discovery import Sighting, Standing
from modembank.port import Role, role_of
from modembank_web.answer import Answer, json_answer
from modembank_web.api.v1 import hardware_examples as examples
from modembank_web.operation import Call, Operation, Reply

PATH = "/api/v1/usb"


class UsbPort(msgspec.Struct, frozen=True):
    """A tty of a device, and what it is for as far as that is known."""

    tty: str
    interface: int
    driver: str
    role: Role


class UsbDeviceStatus(msgspec.Struct, frozen=True):
    """A device: where it is, what it says of itself, and what it is to the box."""

    place: str
    id: str
    text: str
    standing: Standing
    why: str
    slots: Sequence[str]
    ports: Sequence[UsbPort]


class UsbPage(msgspec.Struct, frozen=True):
    """All devices but hubs; ``watching`` is false where the box must look for changes itself."""

    watching: bool
    items: Sequence[UsbDeviceStatus]
    next: None = None


async def list_usb(call: Call) -> Answer:
    """Return what is plugged in."""
    discovery = call.app.discovery
    return json_answer(UsbPage(discovery.watching, [_status(seen) for seen in await discovery.sightings()]))


def _status(seen: Sighting) -> UsbDeviceStatus:
    device = seen.device
    ports = [
        UsbPort(tty.name, tty.interface.number, tty.interface.driver, role_of(device, tty.interface))
        for tty in device.ttys
    ]
    return UsbDeviceStatus(
        place=f"usb:{device.name}",
        id=f"{device.vendor}:{device.product}",
        text=device.text,
        standing=seen.standing,
        why=seen.why,
        slots=seen.slots,
        ports=ports,
    )


OPERATIONS = (
    Operation(
        id="listUsb",
        method="GET",
        path=PATH,
        tag="Modems",
        summary="List what is on the USB",
        description="Every device except hubs, by its place: the modems with their slots, and why others have none.",
        run=list_usb,
        needs=(Scope.MODEMS,),
        replies=(Reply(200, "All devices", UsbPage, examples.USB),),
    ),
)
