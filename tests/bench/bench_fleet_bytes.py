"""What a box costs on the wire in a day: octets of IP packets of its telemetry, its keep-alive, its events.

Run: ``python tests/bench/bench_fleet_bytes.py [--modems 8] [--minutes 15] [--messages 60] [--profile standard]``. A
whole box on emulated modems talks over TLS, with a certificate, to Debian's Mosquitto set up as docs/hub.md says and to
``modembank hub run``, through a TCP proxy on loopback. Nothing is sped up: the profile's intervals are those of
service, and a stretch of so many minutes (a multiple of its longest interval) is held against 1,440 of a day. Then
messages are sent and received, and what that takes above telemetry is told for each message.

Octets are those that TCP carried (TLS records, handshakes) and 52 for each of its segments, acknowledgements alone
too, as the kernel counts them (TCP_INFO; segments of 1,400 octets at most). Ethernet or PPP come on top.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench_fleet_storm import Hub
from msgspec.structs import replace
from processes import end
from report import Report, verdict

from fakes.boxes import TestBox, emulated, running
from fakes.meters import Meter, Traffic
from fakes.storms import SITE, FleetBroker
from modembank.config import LogConfig
from modembank.fleet import LinkState
from modembankd.logs import configure_logs

MOST_A_DAY = 1_200_000
RECONNECTS = 2
"""A day, as mobile networks and routers have it."""
DAY_S = 86_400
_PUBLISHED = re.compile(rf"Received PUBLISH from {SITE}/.*'modembank/v1/[^/]+/[^/]+/up/([a-z/]+)[^']*'.*\((\d+) bytes")


def told(log: str) -> tuple[Counter[str], Counter[str]]:
    """Return how many messages of each kind the broker had of the box, and how many octets of payload; and pings."""
    number, octets = Counter[str](), Counter[str]()
    for kind, size in _PUBLISHED.findall(log):
        number[kind] += 1
        octets[kind] += int(size)
    number["ping"] = log.count(f"Received PINGREQ from {SITE}/")
    return number, octets


async def measure(options: argparse.Namespace, folder: Path) -> None:
    """Let a box live, and print."""
    report = Report(f"A box with {options.modems} modems on the wire, profile {options.profile}")
    broker = FleetBroker(folder)
    broker.certify("b1")
    async with contextlib.AsyncExitStack() as undo:
        broker.start()
        undo.callback(broker.kill)
        hub = Hub(folder, broker.port)
        undo.callback(end, hub.process, 60)
        meter = await undo.enter_async_context(Meter(broker.tls))
        bank = await undo.enter_async_context(emulated(folder / "tty", modems=options.modems))
        url = f"mqtts://127.0.0.1:{meter.port}"
        mqtt = replace(broker.section("b1"), url=url, profile=options.profile)
        box = await undo.enter_async_context(running(bank, folder / "data", rules={"mqtt": mqtt}, hub_within_s=1.0))
        await online(box)
        await asyncio.sleep(options.settle)  # until the hub's hello has had its answer
        born = meter.traffic()
        report.row("a connection: handshake, births, first telemetry; octets", f"{born.wire}")
        stood, number, octets = await stretch(meter, broker, options.minutes * 60)
        scale = DAY_S / (options.minutes * 60)
        pings = number.pop("ping", 0)
        for kind, count in sorted(number.items()):
            report.row(f"{kind}: messages a day; octets of payload each",
                       f"{count * scale:.0f}; {octets[kind] / count:.0f}")  # fmt: skip
        ping = ping_octets()
        report.row("keep-alive: pings a day; kB", f"{pings * scale:.0f}; {pings * ping * scale / 1e3:.0f}")
        report.row("telemetry a day, kB", f"{(stood.wire - pings * ping) * scale / 1e3:.0f}")
        report.row("up a day, kB", f"{stood.wire_up * scale / 1e3:.0f}")
        report.row("down a day, kB", f"{stood.wire_down * scale / 1e3:.0f}")
        day = stood.wire * scale + RECONNECTS * born.wire
        report.row(f"a day with {RECONNECTS} connections, kB", f"{day / 1e3:.0f}",
                   verdict(day <= MOST_A_DAY, f"at most {MOST_A_DAY / 1e3:.0f} kB"))  # fmt: skip
        await traffic(report, box, meter, broker, stood.wire / (options.minutes * 60), options)


async def traffic(
    report: Report, box: TestBox, meter: Meter, broker: FleetBroker, idle: float, options: argparse.Namespace
) -> None:
    """Send and receive, and tell what that costs above ``idle`` octets a second."""
    before, log, began = meter.traffic(), len(broker.log), time.monotonic()
    sent = []
    for index in range(options.messages):
        sent.append((await box.send(f"+4479009{index:05d}", "the parcel arrives today"))["id"])
        if index % 4 == 0:
            box.bank.network.inject(box.bank.cards[index % options.modems].msisdn, "yes", from_="+447911555456")
        await asyncio.sleep(options.every)
    for one in sent:
        await box.until_status(one, "delivered", "undelivered", "failed", "sent")
    await asyncio.sleep(10)
    more, took = meter.traffic() - before, time.monotonic() - began
    number, octets = told(broker.log[log:])
    each = (more.wire - idle * took) / options.messages
    report.row("batches of events; octets of payload each",
               f"{number['ev']}; {octets['ev'] / max(1, number['ev']):.0f}")  # fmt: skip
    report.row("events of a message (and a quarter of one that comes), octets", f"{each:.0f}")


async def stretch(meter: Meter, broker: FleetBroker, seconds: float) -> tuple[Traffic, Counter[str], Counter[str]]:
    """Let time pass, and return what went over meanwhile."""
    before, log = meter.traffic(), len(broker.log)
    await asyncio.sleep(seconds)
    number, octets = told(broker.log[log:])
    return meter.traffic() - before, number, octets


def ping_octets() -> int:
    """Return the octets of PINGREQ and PINGRESP: two TLS records, and three segments, one without data."""
    return 2 * (2 + 22) + 3 * 52


async def online(box: TestBox) -> None:
    """Wait for the hub."""
    async with asyncio.timeout(60):
        while box.app.fleet.state is not LinkState.ONLINE:
            await asyncio.sleep(0.1)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modems", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--settle", type=float, default=30.0)
    parser.add_argument("--messages", type=int, default=60)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two messages")
    parser.add_argument("--profile", choices=("standard", "lean", "metered"), default="standard")
    options = parser.parse_args()
    configure_logs(LogConfig(level="error"))
    with tempfile.TemporaryDirectory(prefix="bytes-") as folder:
        asyncio.run(measure(options, Path(folder)))


if __name__ == "__main__":
    main()
