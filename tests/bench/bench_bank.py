"""Busy banks: how much of the modems' time is spent inside CMGS, and what a message costs the box.

Every emulated CMGS takes two seconds from the PDU to the final result. "Inside CMGS" is what the emulator measured from
the command line to the final result, as a share of modems x time, from the first CMGS to the last modem's last. The
emulated prompt comes at once, so a slow commit lengthens the CMGS itself; what it costs shows in the messages sent in
that time, the second row. CPU per message is what the run took beyond the same daemon idling, acceptance included.
"""

import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from processes import (
    Daemon,
    build_slowsync,
    cpu_s,
    daemon,
    lag_share_within,
    resident_mb,
    until_registered,
    until_settled,
    written_bytes,
)
from report import Report, verdict

from modembank_emulator.client import spawn_bank

SECONDS_PER_CMGS = 2.0
ROUNDS = 12
IDLE_S = 5.0
FOLDED_WITHIN_S = 3.0
"""After the last final result: its delivery report and two lazy folds."""


@dataclass
class Run:
    """One busy bank, measured."""

    busy_share: float
    throughput_share: float
    lag_ok_share: float
    idle_share: float
    cpu_per_1000: float
    resident_mb: float
    kb_per_message: float


async def measure(modems: int, *, rounds: int = ROUNDS, sync_ms: int = 0) -> Run:
    """Send ``rounds`` messages per modem through a fresh bank and daemon."""
    with tempfile.TemporaryDirectory(prefix="modembank-bench-") as name:
        folder = Path(name)
        preload = build_slowsync(folder) if sync_ms else None
        options = ("--modems", str(modems), "--latency", f"fixed:{SECONDS_PER_CMGS}", "--dialect", "generic")
        async with spawn_bank(folder / "tty", *options) as bank:
            ports = [str(path) for path in bank.paths]
            with daemon(folder / "box", ports, preload=preload, sync_ms=sync_ms) as box:
                async with box.client() as client:
                    await until_registered(client, modems)
                    return await _busy(bank, box, client, modems, rounds)


async def _busy(bank, box: Daemon, client, modems: int, rounds: int) -> Run:
    warm, total = modems, modems * rounds
    await _send(bank, client, range(warm))
    await until_settled(client, warm)
    idle_share, busy_before = await _idle_share(box), _total(await bank.control.stats(), "cmgs_busy_s")
    before_cpu, before_bytes, before_s = cpu_s(box.pid), written_bytes(box.pid), time.monotonic()
    await _send(bank, client, range(warm, warm + total))
    took = time.monotonic() - (await bank.control.request("cmgs_began"))[warm]
    busy = _total(await bank.control.stats(), "cmgs_busy_s") - busy_before
    await asyncio.sleep(FOLDED_WITHIN_S)
    cpu = cpu_s(box.pid) - before_cpu - idle_share * (time.monotonic() - before_s)
    written = written_bytes(box.pid) - before_bytes
    await until_settled(client, warm + total)
    return Run(
        busy_share=busy / (modems * took),
        throughput_share=total * SECONDS_PER_CMGS / (modems * took),
        lag_ok_share=lag_share_within((await client.get("/metrics")).text, "0.02"),
        idle_share=idle_share,
        cpu_per_1000=cpu / total * 1000,
        resident_mb=resident_mb(box.pid),
        kb_per_message=written / total / 1000,
    )


async def _send(bank, client, numbers: range) -> None:
    """Submit messages, and return when the emulated modems have ended as many exchanges as there are up to the last."""
    for first in range(0, len(numbers), 5000):
        to = [f"+1999{number:07d}" for number in numbers[first : first + 5000]]
        (await client.post("/api/v1/messages", json={"to": to, "text": "Busy."})).raise_for_status()
    async with asyncio.timeout(len(numbers) * SECONDS_PER_CMGS * 3 + 30):
        while _total(await bank.control.stats(), "cmgs_finished") < numbers.stop:
            await asyncio.sleep(0.02)


async def _idle_share(box: Daemon) -> float:
    before = cpu_s(box.pid)
    await asyncio.sleep(IDLE_S)
    return (cpu_s(box.pid) - before) / IDLE_S


def _total(stats, name: str) -> float:
    return sum(modem[name] for modem in stats["modems"])


async def main() -> None:
    """Print the figures for 1, 8, 32 and 64 modems, and with a slow card."""
    report = Report(f"busy banks, {SECONDS_PER_CMGS:g} s per CMGS")
    wanted = [tuple(map(int, one.split(","))) for one in sys.argv[1:]]
    for modems, sync_ms in wanted or ((1, 0), (8, 0), (32, 0), (64, 0), (32, 20), (64, 20)):
        run = await measure(modems, sync_ms=sync_ms)
        name = f"{modems} modems" + (f", {sync_ms} ms per fsync" if sync_ms else "")
        report.row(f"{name}: time inside CMGS", f"{run.busy_share:.4f}", verdict(run.busy_share >= 0.98, ">= 0.98"))
        report.row(f"{name}: messages x 2 s / time", f"{run.throughput_share:.4f}")
        lag_ok = run.lag_ok_share >= 0.99
        report.row(f"{name}: beats with a loop lag <= 20 ms", f"{run.lag_ok_share:.4f}", verdict(lag_ok, "p99 < 20 ms"))
        report.row(f"{name}: CPU of a core when idle", f"{run.idle_share:.2%}")
        cheap = run.cpu_per_1000 <= 1.5
        report.row(f"{name}: CPU s per 1000 messages beyond that", f"{run.cpu_per_1000:.2f}", verdict(cheap, "<= 1.5"))
        report.row(f"{name}: kB written per message", f"{run.kb_per_message:.1f}", _goal_32(modems, run.kb_per_message))
        report.row(f"{name}: resident MB", f"{run.resident_mb:.0f}", _goal_64(modems, run.resident_mb))


def _goal_32(modems: int, kb: float) -> str:
    return verdict(kb <= 20, "<= 20 with 32 modems") if modems == 32 else ""


def _goal_64(modems: int, resident: float) -> str:
    return verdict(resident < 120, "< 120 with 64 modems") if modems == 64 else ""


if __name__ == "__main__":
    asyncio.run(main())
