"""How large the hub's database is for each box: of the box itself, of stretches of telemetry, of events.

Run: ``python tests/bench/bench_hub_size.py [--boxes 20] [--days 1] [--events 500]``. Boxes report for so many days in
the standard profile, with so many events a day, through the hub's own code into a database of its own, and rolled up as
the hub does it. What is kept for how long is the configuration's default; the rest is arithmetic, which is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from report import Report

from fakes.voices import NOW, SaidBox, open_hub_store
from modembank.config import LogConfig
from modembank_fleet import wire
from modembank_hub import rows_of_telemetry as telemetry
from modembank_hub.config import KeepConfig
from modembank_hub.taking import Outcome, read, take
from modembankd.logs import configure_logs

DAY_S, EVERY_S, BATCH = 86_400, 60, 5
MODEMS_EVERY = 5
"""Reports of a box between two of its modems."""


def spoken(boxes: list[SaidBox], second: int, events: int) -> Iterator[tuple[str, object]]:
    """Yield what boxes say in a minute."""
    minute = second // EVERY_S
    for box in boxes:
        now = NOW + second * 1000
        yield box.box_tele(now, sent=1)
        if minute % MODEMS_EVERY == 0:
            yield box.modems_tele(now)
        if minute % max(1, DAY_S // EVERY_S * BATCH // events) == 0:
            first = box.next_ev
            yield box.events(BATCH, now, ev=[delivered(first + place, now) for place in range(BATCH)])


def delivered(number: int, now: int) -> wire.Event:
    """Return an event as most are: a message and how it is by now, its number hidden."""
    data = {
        "id": f"01KB5Z{number:020d}", "status": "delivered", "to": {"h": f"{number:016x}", "last": "23"}, "segments": 1,
        "sim": "0123456789abcdef", "kind": "sms", "created_at": "2026-11-28T01:30:54.123Z",
        "sent_at": "2026-11-28T01:30:58.456Z",
    }  # fmt: skip
    return wire.Event(seq=number, type="message.delivered", at=now / 1000, data=data)


def put_down(conn: sqlite3.Connection, boxes: list[SaidBox], begin: int, until: int, events: int) -> int:
    """Let boxes speak for a while; return how many did."""
    outcome = Outcome()
    for second in range(begin, until, EVERY_S):
        for topic, said in spoken(boxes, second, events):
            take(conn, read(topic, wire.encode(said), "", NOW + second * 1000), outcome)  # type: ignore[arg-type]
    return len(outcome.boxes)


async def measure(options: argparse.Namespace) -> None:
    """Fill a database, and print."""
    report = Report(
        f"The hub's database: {options.boxes} boxes, {options.days} days, {options.events} events a day each"
    )
    boxes = [SaidBox(box=f"b{number:05d}", ep=f"ep{number:06d}") for number in range(options.boxes)]
    with tempfile.TemporaryDirectory() as made:
        configure_logs(LogConfig(level="error"))
        store = await open_hub_store(Path(made))
        for box in boxes:
            for topic, said in (box.avail(), box.birth()):
                uplink = read(topic, wire.encode(said), "", NOW)
                await store.write(lambda conn, uplink=uplink: take(conn, uplink, Outcome()))
        for hour in range(24 * options.days):
            begin, until = hour * 3600, (hour + 1) * 3600
            await store.write(lambda conn, b=begin, u=until: put_down(conn, boxes, b, u, options.events))
        await store.write(lambda conn: telemetry.roll_up(conn, NOW // 1000 + options.days * DAY_S))
        await store.close()
        show(report, Path(made), options)


def show(report: Report, folder: Path, options: argparse.Namespace) -> None:
    """Print what it came to."""
    path = next(folder.glob("*.sqlite3"))
    with contextlib.closing(sqlite3.connect(path)) as conn:
        sizes = dict(conn.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
        rows = dict(conn.execute("SELECT step, count(*) FROM telemetry GROUP BY step"))
        events = conn.execute("SELECT count(*) FROM events").fetchone()[0]
    of = {name: sum(size for of, size in sizes.items() if of.startswith(name)) for name in ("telemetry", "events")}
    rest = sum(sizes.values()) - sum(of.values())
    row, event, box = of["telemetry"] / sum(rows.values()), of["events"] / events, rest / options.boxes
    report.row("a box, without the rest: octets", f"{box:.0f}")
    report.row("a stretch of telemetry: octets", f"{row:.0f}")
    report.row("an event: octets", f"{event:.0f}")
    keep = KeepConfig()
    stretches = keep.minutes_days * 288 + keep.hours_days * 24 + keep.days_days
    report.row("stretches of a box, once it is old", f"{stretches}")
    report.row("telemetry of a box, MB", f"{stretches * row / 1e6:.2f}")
    of_events = options.events * keep.events_days * event / 1e6
    report.row(f"events of a box with {options.events} a day, MB", f"{of_events:.2f}")
    report.row("10,000 such boxes, GB", f"{(box + stretches * row) / 1e5 + of_events * 10:.1f}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boxes", type=int, default=20)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--events", type=int, default=500)
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
