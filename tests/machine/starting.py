"""The first minutes of a box: it starts, shows its code, and gets its admin."""

from __future__ import annotations

from machine.box import Box
from machine.findings import Findings
from machine.qemu import Machine, accelerated

BOOT_S = 120.0 if accelerated() else 1200.0
"""How long a start may take at the most; without KVM, on a machine that does other things too."""
HURRIED_S = 60.0 if accelerated() else 400.0
"""The same for a modem to be ready, or a message to be sent."""
CODE = r"\b([A-Z2-7]{4,8}(?:-[A-Z2-7]{2,8})+)\b"


async def up_and_set_up(machine: Machine, found: Findings) -> Box:
    """Wait until the box answers, and make its admin; returns the box with a key."""
    box = Box(machine.ports["https"])
    up = await box.until_up(BOOT_S)
    found.that(f"the API answers, {up - machine.switched_on_at:.0f} s after the power came", True)
    code = await setup_code(machine)
    refused = await box.set_up("AAAA-" + code[5:])
    found.that("a wrong code is refused", refused.status == 422, refused)
    answer = await box.set_up(code)
    found.that("the code makes the first admin", answer.status in {200, 303}, answer)
    return box


async def setup_code(machine: Machine) -> str:
    """Return the code as the console shows it, or, on a box that has no such console, as the program says it."""
    if machine.hardware.kernel is None:
        return (await machine.console.wait_for(CODE, BOOT_S))[1]
    return (await machine.inside.run("cd / && runuser -u modembank modembank setup-code")).split()[-1]
