"""How many octets the card takes per message, from acceptance to delivery report: the journal against the naive way.

Run: ``python tests/bench/bench_outbox_bytes.py [seconds] [modems] [soon_s] [lazy_s]``. Both ways write the same facts
to the same schema; the naive one commits each change on its own. The log is never checkpointed, so that its growth is
what was written.
"""

import asyncio
import contextlib
import logging
import sqlite3
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import modembank.store.opening as opening
from fakes.outboxes import route_spec
from modembank.bus import Bus
from modembank.clock import SystemClock, to_ms
from modembank.messages.model import Intent, ReportFacts, Settlement
from modembank.messages.outbox import Outbox
from modembank.metrics import Metrics
from modembank.modem.outcome import AttemptOutcome
from modembank.sim import add_usage
from modembank.store import Store, Urgency

PROMPT_S, CMGS_S, REPORT_S = 0.05, 1.95, 5.0
CLOCK = SystemClock()
Send = Callable[[int, int, int], Awaitable[None]]


def now() -> int:
    return to_ms(CLOCK.now())


class NoCheckpoints(opening.NoCheckpoints):
    """The log only grows."""

    def at_close(self) -> None:
        """Do nothing."""


async def fill(store: Store, count: int) -> None:
    """Accept messages as a few large requests do."""
    ids = store.ids

    def insert(conn: sqlite3.Connection) -> None:
        conn.execute("INSERT OR IGNORE INTO routes (id, spec) VALUES (1, ?)", (route_spec(1),))
        first = ids.take(count)
        rows = [(first + n, f"+4479{n:08d}", "x" * 120, now() + 10**8, now()) for n in range(count)]
        conn.executemany(
            "INSERT INTO messages (id, user_id, recipient, text, encoding, segments, flags, route_id, rank, state,"
            " ready, expires_at, on_unknown, created_at) VALUES (?, 1, ?, ?, 0, 1, 1, 1, 4, 30, 1, ?, 0, ?)",
            rows,
        )
        conn.execute("INSERT OR REPLACE INTO state_counts VALUES (30, ?)", (count,))

    await store.write(insert)


def journal_way(store: Store) -> Send:
    outbox = Outbox(store, Bus(), CLOCK, Metrics())

    async def send(message: int, sim: int, mr: int) -> None:
        await asyncio.sleep(PROMPT_S)
        intent = Intent(message, 1, 1, sim, f"slot-{sim}", now())
        await outbox.begin(intent)
        await asyncio.sleep(CMGS_S)
        evidence = '{"prompt_s":0.053,"ctrl_z_s":0.061,"final_s":1.94,"octets_written":148,"final":"+CMGS: 17"}'
        outbox.settle(Settlement(intent, AttemptOutcome.ACCEPTED, now(), mr, None, evidence))
        facts = ReportFacts(mr, f"+4479{message - 1:08d}", 0, intent.at, now(), now(), "00" * 30)
        asyncio.get_running_loop().call_later(REPORT_S, lambda: asyncio.ensure_future(outbox.report(sim, facts, 1)))

    return send


def naive_way(store: Store) -> Send:
    def state(conn: sqlite3.Connection, message: int, old: int, new: int, ready: str) -> None:
        conn.execute(f"UPDATE messages SET state = ?, tries = 1, sim_id = 1{ready} WHERE id = ?", (new, message))
        conn.execute("INSERT INTO state_counts VALUES (?, 1) ON CONFLICT (state) DO UPDATE SET n = n + 1", (new,))
        conn.execute("UPDATE state_counts SET n = n - 1 WHERE state = ?", (old,))

    async def send(message: int, sim: int, mr: int) -> None:
        await asyncio.sleep(PROMPT_S)
        at = now()

        def begin(conn: sqlite3.Connection) -> None:
            conn.execute(
                "INSERT INTO attempts (message_id, segment, n, sim_id, slot, started_at) VALUES (?, 1, 1, ?, ?, ?)",
                (message, sim, f"slot-{sim}", at),
            )
            add_usage(conn, sim, at, 1)
            state(conn, message, 30, 40, "")

        def settle(conn: sqlite3.Connection) -> None:
            conn.execute(
                "UPDATE attempts SET finished_at = ?, outcome = 20, tp_mr = ?, awaiting = 1, evidence = ?"
                " WHERE message_id = ?",
                (now(), mr, "{" + "x" * 90 + "}", message),
            )
            state(conn, message, 40, 50, ", ready = NULL")

        def report(conn: sqlite3.Connection) -> None:
            conn.execute(
                "UPDATE attempts SET awaiting = NULL, report_status = 0, report_at = ? WHERE sim_id = ? AND tp_mr = ?"
                " AND awaiting = 1",
                (now(), sim, mr),
            )
            state(conn, message, 50, 80, "")

        await store.write(begin)
        await asyncio.sleep(CMGS_S)
        await store.write(settle, Urgency.NOW)
        asyncio.get_running_loop().call_later(REPORT_S, lambda: asyncio.ensure_future(store.write(report)))

    return send


async def measure(
    way: Callable[[Store], Send], seconds: float, modems: int, soon_s: float, lazy_s: float
) -> tuple[int, float]:
    """Return how many messages were sent, and the octets of the log per message."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "box.db"
        metrics = Metrics()
        store = await Store.open(path, metrics=metrics, soon_s=soon_s, lazy_s=lazy_s)
        await fill(store, 20_000)
        log = path.with_name(path.name + "-wal")
        before = log.stat().st_size
        send, queue, sent = way(store), iter(range(1, 20_001)), 0

        async def modem(sim: int) -> None:
            nonlocal sent
            await asyncio.sleep(CMGS_S * sim / modems)
            for count, message in enumerate(queue):
                await send(message, sim, count % 256)
                sent += 1

        tasks = [asyncio.create_task(modem(sim)) for sim in range(1, modems + 1)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(REPORT_S + 1)
        commits = metrics.registry.get_sample_value("modembank_commit_seconds_count") or 0
        print(f"{way.__name__:12} {commits / sent:.2f} commits per message")
        per_message = (log.stat().st_size - before) / sent
        with contextlib.suppress(Exception):
            await store.close()
        return sent, per_message


def main() -> None:
    given = [float(value) for value in sys.argv[1:]]
    seconds, modems, soon_s, lazy_s = [*given, *[30.0, 32.0, 0.03, 0.5][len(given) :]]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    opening.Checkpointer = lambda _connection, _path, turn: NoCheckpoints(turn)  # type: ignore[assignment,misc]
    results = {
        way.__name__: asyncio.run(measure(way, seconds, int(modems), soon_s, lazy_s))
        for way in (journal_way, naive_way)
    }
    for name, (sent, octets) in results.items():
        print(f"{name:12} {sent:6} messages  {octets / 1000:6.1f} kB of log per message")
    print(f"the journal writes {results['journal_way'][1] / results['naive_way'][1]:.2f} of what the naive way writes")


if __name__ == "__main__":
    main()
