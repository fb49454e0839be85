"""One modem fails in every way at hand: what that costs the others, and how soon a hang and a replug are over.

Eight emulated modems take half a second per CMGS. The emulator counts what the seven healthy ones finished, and how
much of the time they were inside CMGS, in windows that alternate: all well, the eighth failing, all well, and so on.
Each window with a fault is held against the mean of the windows before and after it. Hang and replug are measured with
the daemon's real deadlines on modems that are otherwise idle.
"""

import asyncio
import contextlib
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from processes import daemon, until_registered
from report import Report, percentile, verdict

from modembank_emulator.client import ControlClient, spawn_bank

MODEMS = 8
SECONDS_PER_CMGS = 0.5
WINDOW_S = 15.0
REPLUGS = 5
FAILING = 0


@dataclass(frozen=True)
class Window:
    """What the healthy modems did in one window."""

    per_s: float
    inside: float


async def window(control: ControlClient) -> Window:
    """Count for a while."""
    before, began = await _healthy(control), time.monotonic()
    await asyncio.sleep(WINDOW_S)
    after, took = await _healthy(control), time.monotonic() - began
    finished, busy = (after[0] - before[0]) / took, (after[1] - before[1]) / took
    return Window(finished, busy / (MODEMS - 1))


async def _healthy(control: ControlClient) -> tuple[int, float]:
    modems = [modem for modem in (await control.stats())["modems"] if modem["index"] != FAILING]
    return sum(modem["cmgs_finished"] for modem in modems), sum(modem["cmgs_busy_s"] for modem in modems)


@contextlib.asynccontextmanager
async def hanging(control: ControlClient):
    """It answers nothing any more, whatever is done to it."""
    await control.fault(FAILING, "mute", ends_with="power")
    yield


@contextlib.asynccontextmanager
async def flooding(control: ControlClient):
    """Each fifth octet that it writes is followed by 64 KiB without a line end."""
    await control.fault(FAILING, "noise", chance=0.2, what="flood")
    yield


@contextlib.asynccontextmanager
async def blocked(control: ControlClient):
    """It takes no octet any more, and all buffers on the way to it are full."""
    await control.fault(FAILING, "jam")
    yield


@contextlib.asynccontextmanager
async def replugging(control: ControlClient):
    """It is pulled out and plugged in again every second."""

    async def again_and_again() -> None:
        while True:
            await control.unplug(FAILING)
            await asyncio.sleep(0.5)
            await control.replug(FAILING)
            await asyncio.sleep(0.5)

    task = asyncio.create_task(again_and_again())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


FAULTS = {"hangs": hanging, "floods": flooding, "takes no data": blocked, "is replugged each second": replugging}


async def isolation(report: Report) -> None:
    """Print what each fault of one modem leaves of the others' throughput."""
    async with box() as (bank, client):
        await send(client, int(MODEMS * (2 * len(FAULTS) + 3) * (WINDOW_S + 10) / SECONDS_PER_CMGS))
        await asyncio.sleep(2)
        calm = await window(bank.control)
        for name, fault in FAULTS.items():
            async with fault(bank.control):
                await asyncio.sleep(1)
                ill = await window(bank.control)
            await bank.control.fault(FAILING, "clear")
            await bank.control.replug(FAILING)  # whatever state it was left in, it starts afresh
            before, calm = calm, await window(bank.control)
            base = Window((before.per_s + calm.per_s) / 2, (before.inside + calm.inside) / 2)
            ratio, inside = ill.per_s / base.per_s, ill.inside / base.inside
            report.row(f"one {name}: the others' messages/s", f"{ill.per_s:.2f} of {base.per_s:.2f}")
            report.row(f"one {name}: ratio", f"{ratio:.3f}", verdict(ratio >= 0.95, ">= 0.95"))
            report.row(f"one {name}: ratio of their time inside CMGS", f"{inside:.3f}")


async def back_again(report: Report) -> None:
    """Print how long an idle modem's hang lasts at most, and how soon one that is plugged in again serves."""
    async with box() as (bank, client):
        hung = asyncio.create_task(quarantined(bank.control, client))
        took = [await replugged(bank.control, client) for _ in range(REPLUGS)]
        report.row("from the port being back to service, median", f"{percentile(took, 0.5):.1f} s")
        report.row("the same, longest", f"{max(took):.1f} s", verdict(max(took) <= 10, "<= 10 s"))
        hang_s = await hung
        report.row("a hang that nothing ends: to quarantine", f"{hang_s:.0f} s", verdict(hang_s <= 90, "<= 90 s"))


async def quarantined(control: ControlClient, client) -> float:
    """Let the first modem hang; return the seconds until it is in quarantine."""
    began = time.monotonic()
    await control.fault(FAILING, "mute", ends_with="power")
    await until(client, FAILING, lambda modem: modem["failed"] == "quarantined")
    return time.monotonic() - began


async def replugged(control: ControlClient, client) -> float:
    """Pull the second modem out for long enough that its port is looked for rarely; return the seconds to service."""
    await control.unplug(1)
    await until(client, 1, lambda modem: modem["state"] == "gone")
    await asyncio.sleep(8)
    began = time.monotonic()
    await control.replug(1)
    await until(client, 1, lambda modem: modem["able_to_send"])
    return time.monotonic() - began


async def until(client, modem: int, holds) -> None:
    """Wait until a slot looks so."""
    async with asyncio.timeout(180):
        while not holds((await client.get("/api/v1/modems")).json()["items"][modem]):
            await asyncio.sleep(0.1)


async def send(client, count: int) -> None:
    """Queue so many messages."""
    for first in range(0, count, 5000):
        to = [f"+1999{number:07d}" for number in range(first, min(first + 5000, count))]
        (await client.post("/api/v1/messages", json={"to": to, "text": "Busy."})).raise_for_status()


@contextlib.asynccontextmanager
async def box():
    """A bank and a daemon on it, all modems registered."""
    with tempfile.TemporaryDirectory(prefix="modembank-bench-") as name:
        folder = Path(name)
        options = ("--modems", str(MODEMS), "--latency", f"fixed:{SECONDS_PER_CMGS}", "--dialect", "generic")
        async with spawn_bank(folder / "tty", *options) as bank:
            with daemon(folder / "box", [str(path) for path in bank.paths]) as running:
                async with running.client() as client:
                    await until_registered(client, MODEMS)
                    yield bank, client


async def main() -> None:
    """Print both parts, or the one that is named."""
    report = Report(f"one failing modem among {MODEMS}, {SECONDS_PER_CMGS:g} s per CMGS")
    wanted = sys.argv[1:] or ["isolation", "back"]
    if "isolation" in wanted:
        await isolation(report)
    if "back" in wanted:
        await back_again(report)


if __name__ == "__main__":
    asyncio.run(main())
