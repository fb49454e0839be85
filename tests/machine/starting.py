"""The first minutes of a box: it starts, shows its code, and gets its admin."""

from __future__ import annotations

import time
from contextlib import suppress

from machine.box import Box
from machine.console import NotSaid
from machine.findings import Findings
from machine.qemu import Machine, accelerated

BOOT_S = 120.0 if accelerated() else 1200.0
"""How long a start may take at the most; without KVM, on a machine that does other things too."""
HURRIED_S = 60.0 if accelerated() else 400.0
"""The same for a modem to be ready, or a message to be sent."""
_WHY = "systemctl list-jobs; systemctl --failed --plain; journalctl -b -p warning --no-pager | tail -30"
CODE = r"\b([A-Z0-9]{5}(?:-[A-Z0-9]{5}){4}-[A-Z0-9])\b"


async def up_and_set_up(machine: Machine, found: Findings) -> tuple[Box, str]:
    """Wait until the box answers, and make its admin; returns the box with a key, and the code that was used."""
    box = Box(machine.ports["https"])
    up = await started(machine, box)
    found.note(f"the API answers {up - machine.switched_on_at:.0f} s after the power came")
    code = await setup_code(machine, found)
    refused = await box.set_up(code[::-1])
    found.that("a wrong code is refused", refused.status == 422, refused)
    answer = await box.set_up(code)
    found.that("the code makes the first admin", answer.status in {200, 303}, answer)
    return box, code


async def started(machine: Machine, box: Box) -> float:
    """Wait until the box answers; return the monotonic time. When it does not, say how it is inside, and raise."""
    try:
        return await box.until_up(BOOT_S)
    except TimeoutError:
        with suppress(TimeoutError, ConnectionError):
            print((await machine.inside.ask(_WHY))[0], flush=True)
        print(*(line.text for line in machine.console.lines[-30:]), sep="\n", flush=True)
        raise


async def setup_code(machine: Machine, found: Findings, since: int = 0) -> str:
    """Return the code as the console shows it, or, on a box that has no such console, as the program says it.

    ``since``: the number of the console's line from which on it counts.
    """
    if machine.hardware.kernel is None:
        try:
            return (await machine.console.wait_for(CODE, HURRIED_S, since))[1]
        except NotSaid as missing:
            found.that("the console shows the set-up code", False, missing)
    return (await machine.inside.run("cd / && runuser -u modembank modembank setup-code")).split()[-1]


async def memory_used_mb(machine: Machine) -> float:
    """Return what is not available any more, of the whole computer."""
    text = await machine.inside.run("cat /proc/meminfo")
    kib = {line.split()[0]: int(line.split()[1]) for line in text.splitlines()}
    return (kib["MemTotal:"] - kib["MemAvailable:"]) / 1024


async def userspace_s(machine: Machine, until: float | None = None) -> float:
    """Return how long it is from systemd's start to a monotonic time out here, or until it has started all."""
    begun = int(await machine.inside.run("systemctl show -P UserspaceTimestampMonotonic", BOOT_S)) / 1e6
    if until is None:
        said = await machine.inside.run(
            "systemctl is-system-running --wait >&2; systemctl show -P FinishTimestampMonotonic", BOOT_S
        )
        return int(said.split()[-1]) / 1e6 - begun
    now = time.monotonic()
    up = float((await machine.inside.run("cat /proc/uptime")).split()[0])
    return up - (now - until) - begun
