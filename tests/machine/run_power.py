"""Pull the power of an image while it sends: ``python tests/machine/run_power.py IMAGE [--pulls N] [--seed S]``.

The load, the emulated network and the judge are the self-test's; what dies is the whole computer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine import debian
from machine.box import Box
from machine.disks import after_a_pull
from machine.findings import Findings
from machine.qemu import Hardware, Machine, carry_out
from machine.starting import HURRIED_S, started, up_and_set_up
from machine.usb import Bus
from modembank_emulator import Bank, BankConfig, Fixed, LatencyModel, LogNormal
from modembank_selftest.judging import judge
from modembank_selftest.load import Load
from modembank_selftest.proof import late_reports
from modembank_selftest.verdict import Verdict
from modembank_selftest.witness import Witness

MODEMS = 4
NO_LIMITS = {"min_interval_s": 0, "per_minute": 0, "per_hour": 0, "per_day": 0}
LATENCY = LatencyModel(
    prompt=Fixed(0.05), submit=LogNormal(0.3, 0.6, 3.0), delivery=LogNormal(0.05), report=Fixed(0.05)
)
WORKS_S = (1.0, 12.0)
"""How long it sends before the power goes, counted from the first segment that the network sees of this life."""
INBOUND_EVERY_S = 5.0
QUIET_S = 20.0
SETTLED_S = 900.0
OPEN = {"accepted", "scheduled", "queued", "sending"}


async def main() -> int:
    """Pull, settle, judge; return the exit status."""
    options = _options()
    chance = Random(options.seed)
    found = Findings()
    with tempfile.TemporaryDirectory() as folder:
        kept = after_a_pull(
            Path(folder), "write -P 0x5a 1M 64k", "flush", "write -P 0x5a 2M 64k", "write -P 0x5a 3M 64k"
        )
    found.that("a disk whose power is pulled has what was flushed, and no more", kept == {1}, kept)
    async with (
        Bank(BankConfig(modems=MODEMS, seed=options.seed, latency=LATENCY, dialect="quectel")) as bank,
        Machine(options.image, options.hardware) as machine,
    ):
        run = Pulls(machine, bank, found, chance)
        await run.begin()
        for number in range(1, options.pulls + 1):
            await run.live_and_die(number)
        verdict = await run.settle()
        verdict.deaths["power pulled"] = options.pulls
    for line in verdict.lines():
        found.note(line)
    found.that("no accepted message is lost, none is sent twice unless it says so", verdict.holds)
    found.that("there was something to lose", verdict.accepted > options.pulls, verdict.accepted)
    return found.end()


class Pulls:
    """One box over all its lives, and who looks at it."""

    def __init__(self, machine: Machine, bank: Bank, found: Findings, chance: Random) -> None:
        """Begin with a box that is switched off."""
        self._machine = machine
        self._bank = bank
        self._found = found
        self._chance = chance
        self._witness = Witness()
        self._box = Box(machine.ports["https"])

    async def begin(self) -> None:
        """Set the box up, with modems that may send as fast as they can, and begin the load."""
        await self._machine.switch_on()
        self._box, _ = await up_and_set_up(self._machine, self._found)
        await self._plug_in()
        able = await self._box.until("/api/v1/modems", _all_able, HURRIED_S)
        for item in able["items"]:
            await self._box.patch(f"/api/v1/sims/{item['sim']}", {"limits": NO_LIMITS})
        self._load = Load(self._box, self._bank, self._witness, self._chance, inbound_every_s=INBOUND_EVERY_S)
        self._loading = asyncio.create_task(self._load.run())

    async def live_and_die(self, number: int) -> None:
        """Let it send for a while, and pull the power; the modems are without power too."""
        before = len(self._bank.network.ledger)
        self._load.up.set()
        async with asyncio.timeout(HURRIED_S):
            while len(self._bank.network.ledger) == before:
                await asyncio.sleep(0.05)
        await asyncio.sleep(self._chance.uniform(*WORKS_S))
        await self._machine.pull_power()
        self._load.up.clear()
        for modem in self._bank.modems:
            modem.unplug()
        seen, accepted = len(self._bank.network.ledger), self._witness.accepted
        self._found.note(f"pull {number}: {accepted} accepted so far, the network saw {seen} segments")
        if self._loading.done():
            self._loading.result()
        await self._machine.switch_on()
        await self._plug_in()
        up = await started(self._machine, self._box)
        self._found.that(f"it came back {up - self._machine.switched_on_at:.0f} s after pull {number}", True)
        if self._machine.hardware.kernel is None:
            data = json.loads(await self._machine.inside.run("cat /run/modembank-box/data.json"))
            self._found.that("with the same data", data["state"] in {"clean", "repaired"}, data)

    async def settle(self) -> Verdict:
        """Let the last life finish what is open, and judge."""
        self._load.up.set()
        await self._load.finish()
        await self._until_quiet()
        await late_reports(self._bank)
        await self._until_quiet()
        told = await self._box.pages("/api/v1/messages?limit=500")
        inbox = await self._box.pages("/api/v1/inbox?limit=500")
        verdict = judge(self._witness, self._bank.network, told, inbox)
        books = (await self._box.get("/api/v1/conservation")).body
        if not books["holds"] or books["accepted"] != verdict.accepted:
            verdict.broken.append(f"the books do not add up with {verdict.accepted} accepted: {books}")
        verdict.submits = len(self._bank.network.ledger)
        return verdict

    async def _until_quiet(self) -> None:
        """Return when nothing is open and nothing has changed for a while, or after a long time."""
        give_up = time.monotonic() + SETTLED_S
        before: dict[str, str] = {}
        since = time.monotonic()
        while time.monotonic() < give_up:
            told = await self._box.pages("/api/v1/messages?limit=500")
            now = {one["id"]: one["status"] for one in told}
            if now != before:
                before, since = now, time.monotonic()
            if not OPEN & set(now.values()) and time.monotonic() - since > QUIET_S:
                return
            await asyncio.sleep(2.0)

    async def _plug_in(self) -> None:
        """Give the modems power, and plug them in."""
        bus = Bus(self._machine)
        await bus.hub("1")
        for place, modem in enumerate(self._bank.modems, 1):
            if not modem.plugged:
                modem.replug()
                await modem.wait_running()
            await bus.modem(f"1.{place}", modem)


def _all_able(body) -> bool:
    return sum(item["able_to_send"] for item in body["items"]) == MODEMS


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="pull the power of an image while it sends")
    parser.add_argument("image", type=Path, nargs="?", help="without one: a plain Debian with the program installed")
    parser.add_argument("--pulls", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.hardware = Hardware(disk="8G")
    if options.image is None:
        below = debian.with_program()
        options.image, options.hardware = below.disk, below.hardware()
    return options


if __name__ == "__main__":
    sys.exit(carry_out(main()))
