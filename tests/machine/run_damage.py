"""What an image makes of a wrong first-boot file, of a damaged data partition, and of a factory reset.

``python tests/machine/run_damage.py IMAGE``
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine.box import Box
from machine.disks import copy_with_file, holds, partitions, zero
from machine.findings import Findings
from machine.qemu import Hardware, Machine, carry_out, run
from machine.starting import HURRIED_S, setup_code, started, up_and_set_up

DISK = "4G"
WRONG = 'hostname = "ward-7"\n[network]\naddress = "192.168.1.999/24"\n'
"""The third line is wrong."""
CANARY = "canary-in-the-%s-coal-mine"
SUPERBLOCK = (0, 4096)


async def main() -> int:
    """Do one harm after another; return the exit status."""
    image = Path(sys.argv[1])
    found = Findings()
    with tempfile.TemporaryDirectory(prefix="damage-") as folder:
        prepared = copy_with_file(image, Path(folder) / "image.raw", "box.toml", WRONG)
        data = partitions(image)["data"]
        async with Machine(prepared, Hardware(disk=DISK)) as machine:
            await machine.switch_on()
            box, _ = await up_and_set_up(machine, found)
            await _wrong_file(machine, box, found)
            await box.send("+15550001001", CANARY % "first")
            await machine.shut_down()

            zero(machine.disk, data.start + SUPERBLOCK[0], SUPERBLOCK[1])
            state = await _after_damage(machine, box, found, "its superblock")
            kept = (await box.get("/api/v1/account")).status == 200
            what = f"the data partition is {state['state']}: {state['detail']}"
            found.that(what, (state["state"] == "repaired") == kept, (state, kept))
            await machine.shut_down()

            size = await _size(machine)
            zero(machine.disk, data.start, size - data.start - (1 << 20))
            state = await _after_damage(machine, box, found, "its whole data partition")
            anew = state["state"] in {"set_aside", "made_new"}
            found.that(f"the data partition is {state['state']}: {state['detail']}", anew, state)
            box = await _again(machine, found)
            await _reset(machine, box, found, Path(folder))
    return found.end()


async def _wrong_file(machine: Machine, box: Box, found: Findings) -> None:
    file = await _state(machine, "personal")
    lines = [mistake["line"] for mistake in file["mistakes"]]
    found.that("the mistake is known, with its line", 3 in lines, file)
    shown = [line.text for line in machine.console.lines if "box.toml" in line.text or "line 3" in line.text]
    found.that("the console shows it", any("3" in line for line in shown), shown)
    view = (await box.get("/api/v1/box")).body
    told = (view.get("first_file") or {}).get("mistakes", ())
    found.that("so does the API", 3 in [mistake["line"] for mistake in told], view)


async def _after_damage(machine: Machine, box: Box, found: Findings, what: str) -> Any:
    await machine.switch_on()
    up = await started(machine, box)
    found.that(f"it starts without {what}, in {up - machine.switched_on_at:.0f} s", True)
    return await _state(machine, "data")


async def _again(machine: Machine, found: Findings, since: int = 0) -> Box:
    """Set a box up that forgot all; ``since``: the line of the console at which it began to."""
    box = Box(machine.ports["https"])
    answer = await box.set_up(await setup_code(machine, found, since))
    found.that("it takes another admin", answer.status == 303, answer)
    return box


async def _reset(machine: Machine, box: Box, found: Findings, folder: Path) -> None:
    """Reset by the API, and look for what was there in every octet of the disk."""
    canary = CANARY % "second"
    await box.send("+15550001002", canary)
    name = (await box.get("/api/v1/box")).body["name"]
    answer = await box.post("/api/v1/box/factory-reset", {"box": name})
    found.that("a factory reset is taken", answer.status == 202, answer)
    await machine.qmp.told("RESET", within_s=HURRIED_S)
    begun = len(machine.console.lines)
    await asyncio.sleep(1.0)
    await started(machine, box)
    await _again(machine, found, begun)
    await machine.shut_down()
    left = holds(machine.disk, folder / "raw", canary.encode(), (CANARY % "first").encode())
    found.that("no message of before is anywhere on the disk", not left, left)


async def _state(machine: Machine, name: str) -> Any:
    return json.loads(await machine.inside.run(f"cat /run/modembank-box/{name}.json"))


async def _size(machine: Machine) -> int:
    return int(json.loads(await run("qemu-img", "info", "--output=json", str(machine.disk)))["virtual-size"])


if __name__ == "__main__":
    sys.exit(carry_out(main()))
