"""What couriers carry: events a second to one endpoint, against a bare loop of httpcore posts in the same run.

Run it by hand: ``python tests/bench/bench_callbacks.py [--events 2000]``. The endpoint is a process of its own that
takes everything at once. The bare loop makes as many posts of the same size, as many at once, with a connection for
each, as couriers do; it signs nothing, reads no store and checks no address. Then a webhook, and an account of the
Twilio dialect, carry events of as many messages from a store on the disk. Half a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpcore
from report import Report, verdict

from modembank.accounts import LOCAL_ADMIN, Accounts, Role
from modembank.bus import Bus
from modembank.clock import SystemClock
from modembank.config import LimitsConfig, SendingConfig
from modembank.couriers import Means
from modembank.eventlog import Entry, EventLog, append
from modembank.messages import Admission, Inbox, Messages
from modembank.messages.telling import told_of_messages
from modembank.metrics import Metrics
from modembank.sim import Sims
from modembank.store import Store
from modembank.twilio import NewTwilioAccount, Talk, Twilio
from modembank.webhooks import NewWebhook, Webhooks

IN_FLIGHT = 4
GOAL = 0.3
"""Of the bare loop; an SMS a second from each of 64 modems is far below."""
ANSWER = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
FIRST = 1 << 40


def serve(tell: Connection) -> None:
    """Take everything, count it, and send the count to whoever asks."""
    taken = 0

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        taken += 1
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(take, "127.0.0.1", 0)
        tell.send(server.sockets[0].getsockname()[1])
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, tell.recv):
            tell.send(taken)

    asyncio.run(main())


async def bare(url: str, events: int) -> float:
    """Post so often; return posts a second."""
    left = iter(range(events))
    body, headers = b"x" * 400, [(b"connection", b"close"), (b"content-length", b"400"), (b"host", b"127.0.0.1")]
    origin = httpcore.URL(url)

    async def posting() -> None:
        for _ in left:
            async with httpcore.AsyncHTTPConnection(origin=origin.origin) as connection:
                await connection.request("POST", origin, headers=headers, content=body)

    started = time.perf_counter()
    await asyncio.gather(*(posting() for _ in range(IN_FLIGHT)))
    return events / (time.perf_counter() - started)


class Unasked:
    """Explains nothing, and sends nothing."""

    def explain(self, _: object) -> None:
        """Return no sentence."""


async def carried(
    means: Means, user_id: int, events: int, start: Callable[[], Awaitable[None]], taken: Callable[[], int]
) -> float:
    """Log events, let a courier carry them, and return events a second."""
    before = taken()
    entries = [Entry(means.now_ms, "message.delivered", user_id, FIRST + at) for at in range(events)]
    await means.store.write(lambda conn: append(conn, entries))
    started = time.perf_counter()
    await start()
    while taken() - before < events:
        await asyncio.sleep(0.02)
    return events / (time.perf_counter() - started)


def _fill(conn: sqlite3.Connection, user_id: int, events: int) -> None:
    conn.execute("INSERT INTO routes (id, spec) VALUES (999, '{}')")
    conn.executemany(
        "INSERT INTO messages (id, user_id, recipient, text, encoding, segments, flags, route_id, rank, state,"
        " expires_at, on_unknown, created_at, tries) VALUES (?, ?, '+447900900123', 'Your parcel arrives today.', 0, 1,"
        " 0, 999, 4, 80, 0, 0, 0, 1)",
        [(FIRST + at, user_id) for at in range(events)],
    )


async def measure(url: str, taken: Callable[[], int], events: int, folder: Path) -> None:
    """Measure and print."""
    report = Report(f"callbacks: {events} events to one endpoint, {IN_FLIGHT} at once")
    clock, bus, metrics = SystemClock(), Bus(), Metrics()
    store = await Store.open(folder / "box.db", metrics=metrics)
    sims = Sims(store, bus, clock, LimitsConfig())
    admission, unasked = Admission(sims, SendingConfig()), Unasked()
    messages = Messages(store, bus, clock, metrics, admission, unasked)  # type: ignore[arg-type]
    log = EventLog(store, bus, clock, sims, {"message": told_of_messages})
    means, accounts = Means(store, log, clock, metrics), Accounts(store, clock)
    user = await accounts.add_user(LOCAL_ADMIN, "shop", Role.SENDER)
    await store.write(lambda conn: _fill(conn, user.id, events))
    await bare(url, 200)
    base = await bare(url, events)
    report.row("bare loop of httpcore posts", f"{base:.0f} /s")
    webhooks = Webhooks(means)
    await webhooks.create(LOCAL_ADMIN, NewWebhook(url, ("message.*",), allow_private=True, user="shop"))
    rate = await carried(means, user.id, events, webhooks.start, taken)
    report.row("a webhook", f"{rate:.0f} /s", f"{rate / base:.0%}; {verdict(rate / base >= GOAL, f'>= {GOAL:.0%}')}")
    await webhooks.stop()
    twilio = Twilio(means, accounts, Talk(store, messages, Inbox(store, admission, clock), sims, admission))
    wanted = NewTwilioAccount("shop", status_callback=url, allow_private=True)
    await twilio.create(LOCAL_ADMIN, wanted)
    rate = await carried(means, user.id, events, twilio.start, taken)
    report.row(
        "a Twilio account", f"{rate:.0f} /s", f"{rate / base:.0%}; {verdict(rate / base >= GOAL, f'>= {GOAL:.0%}')}"
    )
    await twilio.stop()
    await store.close()


def main() -> None:
    """Start the endpoint, measure, and end it."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--events", type=int, default=2_000)
    given = arguments.parse_args()
    ours, theirs = multiprocessing.Pipe()
    endpoint: Any = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    endpoint.start()

    def taken() -> int:
        ours.send(True)
        return int(ours.recv())

    try:
        url = f"http://127.0.0.1:{ours.recv()}/hook"
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(url, taken, given.events, Path(folder)))
    finally:
        ours.send(False)
        endpoint.join(5)


if __name__ == "__main__":
    main()
