"""A USB host controller that can take no more devices: what is plugged in beyond that never appears."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings

NEARLY = 0.9


class Budget(msgspec.Struct, frozen=True):
    """What a controller can serve; hubs count too, those for USB 3 twice."""

    devices: int
    endpoints: int | None = None


GENERIC = Budget(127)
"""A USB address has seven bits, and 0 is for a device that has none yet (USB 2.0, 9.4.6)."""
CONTROLLERS = {("0x1106", "0x3483"): Budget(32, 96)}
"""By PCI vendor and device. VIA VL805, in the Raspberry Pi 4: 32 device slots and 96 endpoints, as its owners found."""


class Load(msgspec.Struct, frozen=True):
    """What hangs on one controller."""

    controller: str
    budget: Budget
    devices: int
    endpoints: int

    @property
    def share(self) -> float:
        """How much of what it has most of is used, 1.0 for all."""
        by_endpoints = self.endpoints / self.budget.endpoints if self.budget.endpoints else 0.0
        return max(self.devices / self.budget.devices, by_endpoints)


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find controllers that are nearly full."""
    loads = await asyncio.to_thread(loads_of, around.sysfs)
    return [_finding(load) for load in loads if load.share >= NEARLY]


def loads_of(sysfs: Path) -> list[Load]:
    """Return the load of every USB host controller; empty where there is no USB. Reads files: call it in a thread."""
    devices: dict[Path, list[Path]] = {}
    for entry in sorted((sysfs / "bus/usb/devices").glob("*")):
        device = entry.resolve()
        bus = next((part for part in (device, *device.parents) if _is_bus(part)), None)
        if bus is None or ":" in entry.name:  # an interface, which belongs to its device
            continue
        found = devices.setdefault(bus.parent, [])
        if device != bus:  # the root hub is part of the controller
            found.append(device)
    return [_load(controller, found) for controller, found in devices.items()]


def _is_bus(path: Path) -> bool:
    return path.name.startswith("usb") and path.name[3:].isdecimal()


def _load(controller: Path, devices: list[Path]) -> Load:
    chip = _text(controller / "vendor"), _text(controller / "device")
    endpoints = sum(len([*device.glob("ep_*"), *device.glob("*:*/ep_*")]) for device in devices)
    return Load(controller.name, CONTROLLERS.get(chip, GENERIC), len(devices), endpoints)


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _finding(load: Load) -> Finding:
    budget = load.budget
    endpoints = f" and {load.endpoints} of {budget.endpoints} endpoints" if budget.endpoints else ""
    full = load.share >= 1
    summary = (
        f"The USB controller {load.controller} serves {load.devices} of {budget.devices} devices{endpoints}, hubs"
        f" included: {'it takes no more' if full else 'it is nearly full'}. Put further modems on another controller."
    )
    evidence = {
        "controller": load.controller,
        "devices": load.devices,
        "most_devices": budget.devices,
        "endpoints": load.endpoints,
        "most_endpoints": budget.endpoints,
    }
    return Finding(load.controller, Severity.CRITICAL if full else Severity.WARNING, summary, evidence)


CHECK = Check(
    kind="usb_budget",
    when="A USB host controller serves nine tenths of the devices (hubs included) or endpoints that it can",
    severity="warning, critical when full",
    todo="Put further modems on another controller, such as a second computer's or a PCIe card's",
    look=look,
    every_s=300,
)
