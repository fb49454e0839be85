"""How many messages of boxes the hub takes in, against a plain consumer that commits and acknowledges each by itself.

Run: ``python tests/bench/bench_hub_ingest.py [--messages 3000] [--rounds 3] [--events 4] [--boxes 50]``; with
``--postgres`` both write to databases of a PostgreSQL of the run's own (as a user whom it lets start). Both read the
same messages (batches of events, and telemetry between) from Debian's Mosquitto on loopback, decode them and put them
down with the same code into a database of their own on the same disk, in turn; all lies in the broker when the time
begins. The plain one has no second thread, and tells neither a box how far its stream is whole nor a page of changes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from report import Report, verdict

from fakes.brokers import Mosquitto
from fakes.clusters import Cluster
from fakes.voices import SaidBox, open_hub_store
from modembank.bus import Bus
from modembank.clock import SystemClock
from modembank.store import Store
from modembank.store.opening import open_owned
from modembank_fleet import wire
from modembank_fleet.link import Broker, connect
from modembank_hub.ingest import Ingest, Taken
from modembank_hub.lending import Lending
from modembank_hub.lines import WORKER_TAKES
from modembank_hub.metrics import HubMetrics
from modembank_hub.schema import HUB
from modembank_hub.taking import Outcome, Uplink, read, take

GOAL = 2.0
UNDER_WAY = 200
SPENT: list[float] = []
"""The processor's time of this process when it was told to go."""
FILES = {"plain": "plain.sqlite3", "hub": "modembank-hub.sqlite3"}
Put = Callable[[Path, int, int, str], Awaitable[None]]


async def publish(port: int, messages: int, events: int, boxes: int) -> None:
    """Send everything, so many at once; what the process is for that publishes."""
    voices = [SaidBox(box=f"b{n:03d}", ep=f"ep{n:04d}") for n in range(boxes)]
    room = asyncio.Semaphore(UNDER_WAY)
    async with connect(Broker("127.0.0.1", port, "publisher")) as session:

        async def send(topic: str, said: object) -> None:
            async with room:
                await session.publish(topic, wire.encode(said))  # type: ignore[arg-type]  # a Struct of the wire

        async with asyncio.TaskGroup() as group:
            for number in range(messages):
                voice = voices[number % boxes]
                topic, said = voice.box_tele(sent=3) if number // boxes % 4 == 3 else voice.events(events)
                group.create_task(send(topic, said))


@contextlib.contextmanager
def plain_connection(folder: Path, url: str) -> Iterator[sqlite3.Connection]:
    """Yield the connection of a consumer that has no store."""
    if url:
        from modembank_hub.postgres.driver import Target, connect

        conn = connect(Target(url))
        yield conn.as_sqlite()
        conn.close()
        return
    opened = open_owned(folder / "plain.sqlite3", 1, schema=HUB)
    opened.connection.execute("PRAGMA wal_autocheckpoint = 1000")
    try:
        yield opened.connection
    finally:
        opened.close(0)


async def plainly(folder: Path, port: int, messages: int, url: str) -> None:
    """Take each message, commit, acknowledge."""
    begin = "BEGIN" if url else "BEGIN IMMEDIATE"
    # It has no time for pings.
    broker = Broker("127.0.0.1", port, "plain", receive_maximum=WORKER_TAKES, keepalive_s=600)
    with plain_connection(folder, url) as conn:
        async with connect(broker) as session:
            await session.subscribe(wire.everything_up("plain"), shared=True)
            await told_to_go()
            for _ in range(messages):
                message = await session.receive()
                conn.execute(begin)
                take(conn, read(message.topic, message.payload, "", round(time.time() * 1000)), Outcome())
                conn.execute("COMMIT")
                message.ack()
            done()


async def store_of(folder: Path, url: str) -> Store:
    """Open the hub's store."""
    if not url:
        return await open_hub_store(folder)
    from modembank_hub.postgres.driver import Target
    from modembank_hub.postgres.store import SharedStore

    return await SharedStore.open_at(Target(url))


async def as_the_hub(folder: Path, port: int, messages: int, url: str) -> None:
    """Let two workers of the hub take them in."""
    store, metrics, bus = await store_of(folder, url), HubMetrics(), Bus()
    lending = Lending(store, SystemClock(), bus, None, 60.0)
    ingest = Ingest(store, SystemClock(), bus, metrics, lambda: None, lending)

    put_down, going = ingest.put_down, asyncio.Event()

    async def gated(uplinks: Sequence[Uplink]) -> Taken:
        await going.wait()
        return await put_down(uplinks)

    ingest.put_down = gated  # type: ignore[method-assign]  # everything lies ready when the time begins
    async with contextlib.AsyncExitStack() as undo:
        undo.push_async_callback(store.close)
        sessions = [
            await undo.enter_async_context(connect(Broker("127.0.0.1", port, f"hub-{n}", receive_maximum=WORKER_TAKES)))
            for n in range(2)
        ]
        working = [asyncio.create_task(ingest.serve(session)) for session in sessions]
        await asyncio.sleep(0.3)
        await told_to_go()
        going.set()
        while metrics.taken._value.get() < messages:
            await asyncio.sleep(0.005)
        done()
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)


async def told_to_go() -> None:
    """Tell the parent that the consumer listens, and wait until everything has been published."""
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    SPENT.append(time.process_time())


def done() -> None:
    """Tell when all was stored."""
    print("done", time.monotonic(), time.process_time() - SPENT[0], flush=True)


def timed(way: str, folder: Path, port: int, url: str, options: argparse.Namespace) -> tuple[float, float]:
    """Return the seconds, and those of the processor, that a consumer of its own process took for all messages."""
    given = [
        *(f"--messages={options.messages}", f"--events={options.events}", f"--boxes={options.boxes}"),
        *(f"--port={port}", f"--folder={folder}", f"--url={url}"),
    ]
    consumer = subprocess.Popen(
        [sys.executable, __file__, f"--as={way}", *given], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert consumer.stdout is not None
    assert consumer.stdin is not None
    while consumer.stdout.readline().strip() != "ready":
        assert consumer.poll() is None, "the consumer ended"
    subprocess.run([sys.executable, __file__, "--as=publisher", *given], check=True)
    began = time.monotonic()
    consumer.stdin.write("go\n")
    consumer.stdin.flush()
    at, spent = next(line.split()[1:] for line in consumer.stdout if line.startswith("done"))
    assert consumer.wait(60) == 0
    return float(at) - began, float(spent)


def stored(folder: Path, way: str, url: str) -> tuple[int, int]:
    """Return how many events and reports came to be stored."""
    with contextlib.ExitStack() as undo:
        if url:
            conn = undo.enter_context(plain_connection(folder, url))
        else:
            conn = undo.enter_context(contextlib.closing(sqlite3.connect(folder / FILES[way])))
        events: int = conn.execute("SELECT count(*) FROM events").fetchone()[0]
        reports: int = conn.execute("SELECT coalesce(sum(reports), 0) FROM telemetry").fetchone()[0]
    return events, reports


def run(way: str, cluster: Cluster | None, options: argparse.Namespace) -> tuple[float, float]:
    """Let a consumer take everything into a new database; return its seconds, and those of the processor."""
    with tempfile.TemporaryDirectory() as made:
        folder, url = Path(made), ""
        if cluster is not None:
            url = cluster.new_database(ready=True).url
        with Mosquitto(folder, "max_queued_messages 0", "max_inflight_messages 1000") as broker:
            took = timed(way, folder, broker.port, url, options)
        seen = stored(folder, way, url)
        assert sum(seen[1:]) + seen[0] // options.events == options.messages, seen
        return took


def compare(options: argparse.Namespace) -> None:
    """Run both in turn and print."""
    report = Report("Taking in what boxes tell" + (", into PostgreSQL" if options.postgres else ""))
    walls: dict[str, list[float]] = {"plain": [], "hub": []}
    spent: dict[str, list[float]] = {"plain": [], "hub": []}
    with contextlib.ExitStack() as undo:
        cluster = None
        if options.postgres:
            cluster = Cluster().start()
            undo.callback(cluster.end)
        for way in list(FILES) * options.rounds:
            took, cpu = run(way, cluster, options)
            walls[way].append(took)
            spent[way].append(cpu)
    rate = {way: options.messages / statistics.median(times) for way, times in walls.items()}
    cost = {way: statistics.median(times) / options.messages * 1e6 for way, times in spent.items()}
    report.row("one message, one commit: messages a second", f"{rate['plain']:.0f}")
    report.row("the hub: messages a second", f"{rate['hub']:.0f}")
    report.row("one message, one commit: us of the processor each", f"{cost['plain']:.0f}")
    report.row("the hub: us of the processor each", f"{cost['hub']:.0f}")
    ratio = rate["hub"] / rate["plain"]
    report.row("rate in ratio", f"{ratio:.2f}", verdict(ratio >= GOAL, f"at least {GOAL:g}"))


def main() -> None:
    """Compare; or be one of the processes of that."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=4)
    parser.add_argument("--boxes", type=int, default=50)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--url", default="")
    parser.add_argument("--as", dest="part", default="")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path())
    options = parser.parse_args()
    if options.part == "publisher":
        asyncio.run(publish(options.port, options.messages, options.events, options.boxes))
    elif options.part:
        put: Put = plainly if options.part == "plain" else as_the_hub
        asyncio.run(put(options.folder, options.port, options.messages, options.url))
    else:
        compare(options)


if __name__ == "__main__":
    main()
