"""An outbox on a real database file, a clock to turn, and messages put into it as accepting would."""

import asyncio
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from modembank.bus import Bus
from modembank.config import OutageConfig
from modembank.events import Event, MessagesReady
from modembank.messages.model import (
    Intent,
    MessageFlags,
    MessageState,
    OnUnknown,
    QueuedMessage,
    ReportFacts,
    Settlement,
)
from modembank.messages.outbox import ACCEPTED_EVER, Outbox, add_counts, attempts_of
from modembank.metrics import Metrics
from modembank.modem.outcome import AttemptOutcome
from modembank.store import Store

START = 1_800_000_000_000  # unix ms
HOUR = 3_600_000


def known(state: int) -> int:
    """How far a message in a state has come: what was unknown is sent once that is proved."""
    return MessageState.SENDING + 1 if state == MessageState.UNKNOWN else state


class TurnableClock:
    """A clock that moves only when told."""

    def __init__(self, now_ms: int = START) -> None:
        self.now_ms = now_ms

    def now(self) -> float:
        return self.now_ms / 1000

    def monotonic(self) -> float:
        return self.now_ms / 1000

    def turn(self, ms: int) -> None:
        self.now_ms += ms


@dataclass
class OutboxBox:
    """One life of a box: store, bus, outbox; reopen() is what a restart or a crash leaves."""

    path: Path
    clock: TurnableClock = field(default_factory=TurnableClock)
    store: Store | None = None
    events: list[Event] = field(default_factory=list)
    numbers: int = 0
    lazy_s: float = 0.02
    outage: OutageConfig = field(default_factory=OutageConfig)

    async def open(self, *, recover: bool = True) -> "OutboxBox":
        self.store = await Store.open(self.path, lazy_s=self.lazy_s, soon_s=0.002)
        self.bus = Bus()
        self.metrics = Metrics()
        self.bus.subscribe(Event, self.events.append)
        self.outbox = Outbox(self.store, self.bus, self.clock, self.metrics, self.outage)
        if recover:
            self.recovery = await self.outbox.recover()
        return self

    async def close(self) -> None:
        if self.store is not None:
            await self.store.close()
            self.store = None

    async def reopen(self) -> "OutboxBox":
        """Forget everything that is only in memory and start again on the file."""
        await self.close()
        return await self.open()

    async def route(self, spec: str = "{}") -> int:
        def make(conn: sqlite3.Connection) -> int:
            conn.execute("INSERT OR IGNORE INTO routes (spec) VALUES (?)", (spec,))
            return conn.execute("SELECT id FROM routes WHERE spec = ?", (spec,)).fetchone()[0]

        return await self.store.write(make)

    async def accept(
        self,
        recipient: str | None = None,
        text: str = "hello",
        *,
        segments: int = 1,
        flags: MessageFlags = MessageFlags.DELIVERY_REPORT,
        route: int | None = None,
        rank: int = 4,
        not_before: int | None = None,
        valid_ms: int = 48 * HOUR,
        window: str | None = None,
        on_unknown: OnUnknown = OnUnknown.HOLD,
        publish: bool = True,
        offer: bool = False,
    ) -> int:
        """Put one message into the queue as the accepting service does; return its id."""
        route_id = await self.route() if route is None else route
        self.numbers += 1
        number = recipient or f"+4479{self.numbers:08d}"
        message_id = self.store.ids.take()
        scheduled = not_before is not None
        state = MessageState.SCHEDULED if scheduled else MessageState.QUEUED
        expires_at = self.clock.now_ms + valid_ms

        def insert(conn: sqlite3.Connection) -> None:
            conn.execute(
                "INSERT INTO messages (id, user_id, recipient, text, encoding, segments, flags, route_id, rank, state,"
                " ready, not_before, expires_at, window, on_unknown, created_at)"
                " VALUES (?,1,?,?,0,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    message_id,
                    number,
                    text,
                    segments,
                    int(flags),
                    route_id,
                    rank,
                    int(state),
                    2 if scheduled else 1,
                    not_before,
                    expires_at,
                    window,
                    int(on_unknown),
                    self.clock.now_ms,
                ),
            )
            add_counts(conn, Counter({state: 1, ACCEPTED_EVER: 1}))

        await self.store.write(insert)
        if offer:
            offered = QueuedMessage(
                message_id, 1, number, text, segments, flags, route_id, rank, expires_at, window, on_unknown, 0, None
            )
            self.outbox.offer([offered])
        if publish:
            entries = () if scheduled else ((route_id, rank, message_id),)
            self.bus.publish(MessagesReady(self.clock.now_ms, entries))
        return message_id

    async def fill(self, count: int, *, ready: int = 1, cause: str | None = None, created: int | None = None) -> int:
        """Put many queued messages at once, of all ranks in turn; return the first one's id."""
        route, first = await self.route(), self.store.ids.take(count)
        at = self.clock.now_ms if created is None else created

        def insert(conn: sqlite3.Connection) -> None:
            conn.executemany(
                "INSERT INTO messages (id, user_id, recipient, text, encoding, segments, flags, route_id, rank, state,"
                " ready, expires_at, on_unknown, created_at, cause)"
                " VALUES (?, 1, ?, 'x', 0, 1, 1, ?, ?, 30, ?, ?, 0, ?, ?)",
                [(first + n, f"+4478{n:08d}", route, n % 10, ready, at + 48 * HOUR, at, cause) for n in range(count)],
            )
            add_counts(conn, Counter({MessageState.QUEUED: count, ACCEPTED_EVER: count}))

        await self.store.write(insert)
        return first

    def intent(self, message: int, *, segment: int = 1, n: int = 1, sim: int = 1) -> Intent:
        return Intent(message, segment, n, sim, f"slot-{sim}", self.clock.now_ms)

    def settle(
        self,
        intent: Intent,
        outcome: AttemptOutcome = AttemptOutcome.ACCEPTED,
        tp_mr: int | None = None,
        cause: str | None = None,
    ) -> "asyncio.Future[None]":
        return self.outbox.settle(Settlement(intent, outcome, self.clock.now_ms, tp_mr, cause))

    def facts(self, recipient: str, tp_mr: int, status: int = 0, *, submitted: int | None = None) -> ReportFacts:
        now = self.clock.now_ms
        return ReportFacts(tp_mr, recipient, status, now if submitted is None else submitted, now, now, "00")

    async def row(self, message: int, columns: str = "state") -> tuple:
        await self.outbox.flush()
        return await self.store.fetch_one(f"SELECT {columns} FROM messages WHERE id = ?", (message,))

    async def state(self, message: int) -> MessageState:
        return MessageState((await self.row(message))[0])

    async def attempts(self, message: int) -> list:
        return await self.store.read(lambda conn: attempts_of(conn, message))

    async def check_counts(self) -> dict[int, int]:
        """Conservation: the counters are what the table holds."""
        await self.outbox.flush()

        def both(conn: sqlite3.Connection) -> list[dict[int, int]]:
            queries = (
                "SELECT state, count(*) FROM messages GROUP BY state",
                "SELECT * FROM state_counts WHERE n AND state",
            )
            return [dict(conn.execute(query).fetchall()) for query in queries]

        counted, recorded = await self.store.read(both)
        assert counted == recorded
        return counted


def route_spec(*sims: int, pool: str | None = None) -> str:
    spec: dict[str, object] = {"sims": list(sims)} if sims else {"pool": pool}
    return msgspec.json.encode(spec).decode()
