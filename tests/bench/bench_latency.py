"""An idle box: how long from the HTTP 202 to the first byte of AT+CMGS on the wire.

The emulated modem notes, on the machine's monotonic clock, when it has read the command line. The 202 counts from when
the client has read it, which is often after the modem was spoken to; so the time from before the request is shown too.
Baseline in the same run: SMS Server Tools 3 on the same kind of pty, from the file's appearance in its queue.
"""

import asyncio
import random
import tempfile
import time
from pathlib import Path

from peer_smsd import drop_file, smsd
from processes import daemon, until_registered
from report import Report, percentile, verdict

from modembank_emulator.client import spawn_bank

MESSAGES = 300
PEER_MESSAGES = 20


async def first_bytes(control, count: int, within_s: float = 30.0) -> list[float]:
    """Return when the first ``count`` CMGS commands began, in seconds of the monotonic clock."""
    async with asyncio.timeout(within_s):
        while len(seen := await control.request("cmgs_began")) < count:
            await asyncio.sleep(0.01)
    return seen


async def ours() -> tuple[list[float], list[float]]:
    """Return the delays since the answers, and since the requests, in seconds."""
    since_answer, since_request = [], []
    with tempfile.TemporaryDirectory(prefix="modembank-bench-") as name:
        folder = Path(name)
        async with spawn_bank(folder / "tty", "--modems", "1", "--dialect", "generic") as bank:
            with daemon(folder / "box", [str(path) for path in bank.paths]) as box:
                async with box.client() as client:
                    await until_registered(client, 1)
                    for number in range(MESSAGES):
                        await asyncio.sleep(random.uniform(0.02, 0.06))
                        asked = time.monotonic()
                        answer = await client.post(
                            "/api/v1/messages", json={"to": f"+1999{number:07d}", "text": "Now."}
                        )
                        answered = time.monotonic()
                        answer.raise_for_status()
                        began = (await first_bytes(bank.control, number + 1))[number]
                        since_answer.append(began - answered)
                        since_request.append(began - asked)
    return since_answer, since_request


async def peers() -> list[float]:
    """Return SMS Server Tools' delays in seconds."""
    delays = []
    with tempfile.TemporaryDirectory(prefix="modembank-bench-") as name:
        folder = Path(name)
        async with spawn_bank(folder / "tty", "--modems", "1", "--dialect", "generic") as bank:
            with smsd(folder / "smsd", [str(path) for path in bank.paths]) as queue:
                await asyncio.sleep(4)
                for number in range(PEER_MESSAGES):
                    await asyncio.sleep(random.uniform(0.5, 1.5))
                    drop_file(queue, number)
                    dropped = time.monotonic()
                    delays.append((await first_bytes(bank.control, number + 1))[number] - dropped)
    return delays


async def main() -> None:
    """Print both."""
    report = Report("idle: from the HTTP 202 to the first byte of AT+CMGS")
    (mine, asked), theirs = await ours(), await peers()
    p99 = percentile(mine, 0.99) * 1000
    median, peer_median = percentile(mine, 0.5) * 1000, percentile(theirs, 0.5) * 1000
    report.row("median", f"{median:.1f} ms")
    report.row("p99", f"{p99:.1f} ms", verdict(p99 < 50, "p99 < 50 ms"))
    median_asked, p99_asked = (percentile(asked, share) * 1000 for share in (0.5, 0.99))
    report.row("from before the request: median and p99", f"{median_asked:.1f} and {p99_asked:.1f} ms")
    report.row("SMS Server Tools 3, median from the queued file", f"{peer_median:.0f} ms")
    report.row("ratio of the medians, ours from the request", f"{peer_median / median_asked:.0f} x")


if __name__ == "__main__":
    asyncio.run(main())
