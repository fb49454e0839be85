"""Zero latency: messages a second against SMS Server Tools 3, on the same kind of bank in the same run."""

import asyncio
import tempfile
import time
from pathlib import Path

from peer_smsd import drop_file, smsd
from processes import cpu_s, daemon, until_registered
from report import Report, verdict

from modembank_emulator.client import spawn_bank

OURS_PER_MODEM = {1: 1500, 8: 600, 32: 250}
PEER_PER_MODEM = 30


async def rate(control, warm_up: int, total: int, within_s: float = 120.0) -> float:
    """Return messages a second between the ``warm_up``-th and the ``total``-th final result."""
    began = (0.0, 0)
    async with asyncio.timeout(within_s):
        while True:
            sent, now = sum(modem["cmgs_finished"] for modem in (await control.stats())["modems"]), time.monotonic()
            if sent >= total:
                return (sent - began[1]) / (now - began[0])
            if sent >= warm_up and not began[1]:
                began = (now, sent)
            await asyncio.sleep(0.01)


async def ours(modems: int) -> tuple[float, float]:
    """Return our messages a second, and the CPU seconds per 1000 messages."""
    total = modems * OURS_PER_MODEM[modems]
    with tempfile.TemporaryDirectory(prefix="modembank-bench-") as name:
        folder = Path(name)
        async with spawn_bank(folder / "tty", "--modems", str(modems), "--dialect", "generic") as bank:
            with daemon(folder / "box", [str(path) for path in bank.paths]) as box:
                async with box.client() as client:
                    await until_registered(client, modems)
                    before = cpu_s(box.pid)
                    for first in range(0, total, 5000):
                        to = [f"+1999{number:07d}" for number in range(first, min(first + 5000, total))]
                        body = {"to": to, "text": "Busy.", "delivery_report": False}
                        (await client.post("/api/v1/messages", json=body)).raise_for_status()
                    speed = await rate(bank.control, total // 10, total)
                    return speed, (cpu_s(box.pid) - before) / total * 1000


async def peers(modems: int) -> float:
    """Return SMS Server Tools' messages a second."""
    total = modems * PEER_PER_MODEM
    with tempfile.TemporaryDirectory(prefix="modembank-bench-") as name:
        folder = Path(name)
        async with spawn_bank(folder / "tty", "--modems", str(modems), "--dialect", "generic") as bank:
            with smsd(folder / "smsd", [str(path) for path in bank.paths]) as queue:
                for number in range(total):
                    drop_file(queue, number)
                return await rate(bank.control, total // 10, total)


async def main() -> None:
    """Print the ratios at 1, 8 and 32 modems."""
    report = Report("zero latency: against SMS Server Tools 3")
    for modems in OURS_PER_MODEM:
        theirs = await peers(modems)
        speed, cpu = await ours(modems)
        report.row(f"{modems} modems: ours, messages/s", f"{speed:.0f}")
        report.row(f"{modems} modems: SMS Server Tools 3, messages/s", f"{theirs:.1f}")
        report.row(f"{modems} modems: ratio", f"{speed / theirs:.1f} x", verdict(speed >= 10 * theirs, ">= 10 x"))
        report.row(f"{modems} modems: CPU s per 1000 messages", f"{cpu:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
