"""How 2,000 boxes come back after a power cut of their broker: when all are born at the hub, and with how many tries.

Run: ``python tests/bench/bench_fleet_storm.py [--boxes 2000] [--processes 4] [--down 5] [--within 420]``. The boxes are
the real agents (TLS with a certificate each, births, streams) without modems, in a few processes; the broker is
Debian's Mosquitto set up as docs/hub.md says, and the hub ``modembank hub run``. When all have been connected for a
minute the broker is killed and started again, once for each way of coming back, all with the same boxes:

* *the product*: spread over the hub's window of two minutes, then full jitter; a try may take half a minute;
* *without jitter*: 1, 2, 4, … 300 seconds, the same for each box; the rest is the product's;
* *aiomqtt's recipe*: five seconds between two tries, and a try may take ten, as its documentation and defaults have it.

Processor, boxes' side included, is what this machine has: two cores are what the figures in docs/fleet-scale.md are of.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import msgspec
from processes import BIN, cpu_s, end, resident_mb
from report import Report, verdict

from fakes.brokers import free_port
from fakes.storms import FleetBroker, Manner, crowd, section
from modembank.config import LogConfig
from modembankd.logs import configure_logs

PRODUCT = Manner()
WAYS = {
    "the product": PRODUCT,
    "without jitter": Manner(pauses=(1, 2, 4, 8, 16, 32, 64, 128, 256, 300)),
    "aiomqtt's recipe": Manner(pauses=(5,), connect_s=10),
}
MOST_TRIES = 1.2
"""Tries for each box: above that it is a storm of refusals."""
STOOD_S = 61.0
WARM_UP_S = 60.0


@dataclass
class Crowds:
    """The processes that hold the boxes."""

    processes: list[subprocess.Popen[str]]

    def tell(self, order: str) -> list[dict[str, int]]:
        """Give all of them an order, and return their answers."""
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(order + "\n")
            process.stdin.flush()
        return [json.loads(_line(process)) for process in self.processes]

    def tally(self) -> Counter[str]:
        """Return how all tries have ended."""
        return sum((Counter(one) for one in self.tell("tally")), Counter())

    def spent_s(self) -> float:
        """Return their seconds of the processor."""
        return sum(cpu_s(process.pid) for process in self.processes)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"a process of boxes ended ({process.poll()})"
    return line


@contextlib.contextmanager
def crowds(broker: FleetBroker, boxes: int, processes: int) -> Iterator[Crowds]:
    """Run so many boxes in so many processes."""
    started = [
        subprocess.Popen(
            [
                *(sys.executable, __file__, "--part", f"{number}/{processes}", "--boxes", str(boxes)),
                *("--folder", str(broker.folder), "--port", str(broker.tls)),
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for number in range(processes)
    ]  # fmt: skip
    try:
        yield Crowds(started)
    finally:
        for process in started:
            end(process, within_s=60)


async def hold(options: argparse.Namespace) -> None:
    """Be one of the processes that hold boxes."""
    configure_logs(LogConfig(level="error"))
    number, of = map(int, options.part.split("/"))
    names = [name_of(box) for box in range(options.boxes) if box % of == number]
    sections = [section(options.folder, options.port, name) for name in names]
    async with crowd(options.folder / f"crowd-{number}", sections, WARM_UP_S) as held:
        while order := await asyncio.to_thread(sys.stdin.readline):
            if order.startswith("{"):
                held.behave(msgspec.json.decode(order, type=Manner))
            print(json.dumps(held.tally()), flush=True)


def name_of(number: int) -> str:
    """Return what a box is called."""
    return f"b{number:05d}"


class Hub:
    """``modembank hub run`` at the broker's listener for the hub."""

    def __init__(self, folder: Path, port: int) -> None:
        """Start it."""
        (conf := folder / "hub.toml").write_text(
            f'[hub]\ndata_dir = "{folder / "hub"}"\n[mqtt]\nport = {port}\n'
            f'[web]\nlisten = "127.0.0.1:{free_port()}"\n[log]\nlevel = "warning"\n'
        )
        with (folder / "hub.log").open("wb") as log:
            self.process = subprocess.Popen(
                [BIN / "modembank", "hub", "run", "--config", conf], stdout=log, stderr=log, text=True
            )
        self.database = folder / "hub" / "modembank-hub.sqlite3"

    def born_since(self, at: float) -> int:
        """Return how many boxes have been born since then (unix seconds)."""
        if not self.database.exists():
            return 0
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as conn:
            try:
                found = conn.execute("SELECT count(*) FROM boxes WHERE online AND birth_at > ?", (at * 1000,))
                return int(found.fetchone()[0])
            except sqlite3.OperationalError:  # it is being made
                return 0


class Return(msgspec.Struct):
    """How one way of coming back went."""

    born: int
    last_s: float
    """When the last box was born; counted from when the broker answered again."""
    most_s: float
    """When nine in ten had been."""
    tally: Counter[str]
    broker_s: float
    hub_s: float
    boxes_s: float


def come_back(broker: FleetBroker, hub: Hub, held: Crowds, manner: Manner, options: argparse.Namespace) -> Return:
    """Cut the broker's power, and wait until all are back."""
    held.tell(msgspec.json.encode(manner).decode())
    before, hub_before, boxes_before = held.tally(), cpu_s(hub.process.pid), held.spent_s()
    at = time.time()
    broker.kill()
    time.sleep(options.down)
    broker.start()
    began, last_s, most_s, born = time.monotonic(), 0.0, 0.0, 0
    while (now := time.monotonic() - began) < options.within:
        seen = hub.born_since(at)
        if seen > born:
            born, last_s = seen, now
        if born >= 0.9 * options.boxes and not most_s:
            most_s = now
        if born == options.boxes and held.tally()["online"] == options.boxes:
            break
        time.sleep(0.5)
    assert broker.process is not None
    spent = cpu_s(broker.process.pid), cpu_s(hub.process.pid) - hub_before, held.spent_s() - boxes_before
    tally = held.tally()
    tally.subtract(before)
    return Return(born, last_s, most_s, tally, *spent)


def measure(options: argparse.Namespace) -> None:
    """Go through all ways, and print."""
    report = Report(f"{options.boxes} boxes come back after a power cut of the broker ({os.cpu_count()} cores)")
    with tempfile.TemporaryDirectory(prefix="storm-") as made, contextlib.ExitStack() as undo:
        broker = FleetBroker(Path(made))
        for number in range(options.boxes):
            broker.certify(name_of(number))
        broker.start()
        undo.callback(broker.kill)
        hub = Hub(Path(made), broker.port)
        undo.callback(end, hub.process, 60)
        held = undo.enter_context(crowds(broker, options.boxes, options.processes))
        until_all(hub, held, options.boxes, 0.0)
        assert broker.process is not None
        report.row("resident memory of the broker, kB for each box",
                   f"{resident_mb(broker.process.pid) * 1000 / options.boxes:.0f}")  # fmt: skip
        report.row("resident memory of the hub, MB", f"{resident_mb(hub.process.pid):.0f}")
        tries = {}
        for name in options.ways:
            since = time.time()
            until_all(hub, held, options.boxes, 0.0)
            time.sleep(STOOD_S)
            went = come_back(broker, hub, held, WAYS[name], options)
            tries[name] = went.tally["tried"] / options.boxes
            show(report, name, went, options)
            held.tell(msgspec.json.encode(PRODUCT).decode())
            print(f"   (load of the machine: {os.getloadavg()[1]:.1f}; {time.time() - since:.0f} s)", flush=True)
    product = tries.get("the product")
    for name, each in tries.items():
        if product and name != "the product":
            report.row(f"tries for each box, {name} : the product", f"{each / product:.1f}")
    if product:
        goal = f"at most {MOST_TRIES:g} tries for each box"
        report.row("no storm of refusals", f"{product:.3f}", verdict(product <= MOST_TRIES, goal))


def show(report: Report, name: str, went: Return, options: argparse.Namespace) -> None:
    """Print how one way went."""
    missing = options.boxes - went.born
    report.row(f"{name}: born after, s (nine in ten; all)",
               f"{went.most_s:.0f}; " + (f"{missing} missing" if missing else f"{went.last_s:.0f}"))  # fmt: skip
    report.row(f"{name}: tries for each box", f"{went.tally['tried'] / options.boxes:.3f}")
    ended = ", ".join(f"{went.tally[word]} {word}" for word in ("refused", "timed out", "broken off"))
    report.row(f"{name}: tries that failed", ended)
    report.row(f"{name}: processor, s (broker; hub; boxes)",
               f"{went.broker_s:.0f}; {went.hub_s:.0f}; {went.boxes_s:.0f}")  # fmt: skip


def until_all(hub: Hub, held: Crowds, boxes: int, since: float) -> None:
    """Wait until all boxes are online."""
    until = time.monotonic() + 900
    while hub.born_since(since) < boxes or held.tally()["online"] < boxes:
        assert time.monotonic() < until, held.tally()
        time.sleep(1)


def main() -> None:
    """Measure; or hold boxes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boxes", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--down", type=float, default=5.0, help="seconds without the broker")
    parser.add_argument("--within", type=float, default=420.0, help="seconds after which a way is given up")
    parser.add_argument("--ways", nargs="*", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--part", default="")
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard) if soft < hard else (soft, hard))
    if options.part:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        asyncio.run(hold(options))
    else:
        measure(options)


if __name__ == "__main__":
    main()
