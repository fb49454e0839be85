"""What a large mailing costs: rows a second, the daemon's memory, and what it means for messages accepted meanwhile.

Run it by hand: ``python tests/bench/bench_mailings.py``. It starts a real daemon without modems, has it import
10,000 rows and then 100,000, and accepts single messages all the while and before. Prints rates and
ratios. About a minute.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import httpx
from processes import Daemon, daemon, resident_mb
from report import Report, percentile, verdict

FEW, MANY = 10_000, 100_000
ALONE_S = 5.0
LOOK_S = 0.2


def file_of(rows: int, first: int) -> bytes:
    """Return a list of people."""
    return b"name,phone,town\n" + b"".join(b"Name %d,+44790%07d,Some Town\n" % (at, first + at) for at in range(rows))


async def accept(client: httpx.AsyncClient, until: asyncio.Event) -> list[float]:
    """Send one message after another until told to stop; return how long each took in milliseconds."""
    took = []
    at = 0
    while not until.is_set():
        started = time.perf_counter()
        answer = await client.post("/api/v1/messages", json={"to": f"+44791{at:07d}", "text": "x"})
        took.append((time.perf_counter() - started) * 1000)
        assert answer.status_code == 202, answer.text
        at += 1
        await asyncio.sleep(0.02)
    return took


async def accepted_alone(client: httpx.AsyncClient) -> list[float]:
    """Return the same while nothing else goes on."""
    until = asyncio.Event()
    asyncio.get_running_loop().call_later(ALONE_S, until.set)
    return await accept(client, until)


async def imported(box: Daemon, client: httpx.AsyncClient, file: bytes) -> tuple[float, float, list[float]]:
    """Import a file, held; return seconds, the most memory in MB, and how long accepting took meanwhile."""
    until = asyncio.Event()
    accepting = asyncio.create_task(accept(client, until))
    started = time.perf_counter()
    answer = await client.post(
        "/api/v1/mailings", files={"file": ("x.csv", file)}, data={"template": "Dear {name} of {town}", "hold": "true"}
    )
    assert answer.status_code == 202, answer.text
    most = 0.0
    while (await client.get(answer.headers["location"])).json()["progress"]["phase"] != "done":
        most = max(most, resident_mb(box.pid))
        await asyncio.sleep(LOOK_S)
    seconds = time.perf_counter() - started
    until.set()
    return seconds, most, await accepting


async def main() -> None:
    """Measure and print."""
    report = Report("mailings: importing a large file")
    with tempfile.TemporaryDirectory() as folder, daemon(Path(folder), []) as box:
        async with box.client() as client:
            alone = await accepted_alone(client)
            before = resident_mb(box.pid)
            few_s, few_mb, _ = await imported(box, client, file_of(FEW, 0))
            many_s, many_mb, meanwhile = await imported(box, client, file_of(MANY, FEW))
    report.row(f"rows a second, {FEW} rows", f"{FEW / few_s:,.0f}")
    report.row(f"rows a second, {MANY} rows", f"{MANY / many_s:,.0f}")
    report.row("memory before, MB", f"{before:.0f}")
    report.row(f"most memory, {FEW} and {MANY} rows, MB", f"{few_mb:.0f} {many_mb:.0f}")
    report.row(
        "ratio of memory", f"{many_mb / few_mb:.2f}", verdict(many_mb <= 1.5 * few_mb, "at most 1.5: caches fill up")
    )
    ours, theirs = statistics.median(alone), statistics.median(meanwhile)
    report.row("accepting one message, alone, ms (median, 95 %)", f"{ours:.1f} {percentile(alone, 0.95):.1f}")
    report.row("accepting one message meanwhile, ms", f"{theirs:.1f} {percentile(meanwhile, 0.95):.1f}")
    report.row("ratio of medians", f"{theirs / ours:.1f}", verdict(theirs <= 5 * ours, "at most 5"))


if __name__ == "__main__":
    asyncio.run(main())
