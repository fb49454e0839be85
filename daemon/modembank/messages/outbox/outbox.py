"""The outbox: what waits to be sent, and the durable record of every attempt to send it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence

import structlog

from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.config import OutageConfig
from modembank.events import Event, MessagesReady, MessageStateChanged
from modembank.ids import public_id
from modembank.messages.model import (
    BeginVerdict,
    Decision,
    Intent,
    QueuedMessage,
    ReceiptFacts,
    RecoveryReport,
    ReportFacts,
    ReportMatch,
    Route,
    Settlement,
)
from modembank.messages.outbox import decisions, journal, queue, receipts, reports, withdrawing
from modembank.messages.outbox.deadlines import Deadlines
from modembank.messages.outbox.fold import Fold, FoldResult
from modembank.messages.outbox.folding import Folding
from modembank.messages.outbox.holding import Judged, Place
from modembank.messages.outbox.judging import Judging
from modembank.messages.outbox.outages import Outage
from modembank.messages.outbox.sweeping import Sweeper
from modembank.messages.views import MESSAGE_ID
from modembank.metrics import Metrics
from modembank.store import Store, StoreClosed, StoreError, Urgency

OFFERS = 1024
"""Messages kept in memory between their acceptance and their dispatch."""
RETRY_S = 1.0
"""Between tries to journal what the store could not take."""
AS_USUAL = OutageConfig()
_log = structlog.get_logger()


class Outbox:
    """Reads the queue, keeps the journal of sending, folds it, and tells of new states after they are durable."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, metrics: Metrics, outage: OutageConfig = AS_USUAL) -> None:
        """Use these; call recover() before anything is sent."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._metrics = metrics
        self._offers: OrderedDict[int, QueuedMessage] = OrderedDict()
        self._deciding: Counter[int] = Counter()
        self._folding = Folding(store, clock, self._folded)
        self._sweeper = Sweeper(store)
        self._withdrawing = withdrawing.Withdrawing(store, self._publish)
        self.judging = Judging(store, metrics, outage)
        self.deadlines = Deadlines(clock)
        """Asked at the last moment, beside the validity that the wall clock tells."""

    async def recover(self) -> RecoveryReport:
        """Apply what the last run left: attempts then under way are UNKNOWN, and the policy decides what follows."""
        now = self._now()
        result = await self._store.write(lambda conn: Fold(conn, now).run(everything=True))
        self._folded(result)
        report = RecoveryReport(result.rows, result.interrupted, result.held, result.resending)
        _log.info(
            "outbox_recovered",
            folded=report.folded,
            interrupted=report.interrupted,
            unknown=report.held,
            resending=report.resending,
        )
        return report

    async def routes(self) -> list[Route]:
        """Return the routes that have messages waiting to be sent now."""
        return await self._store.read(queue.waiting_routes)

    async def route(self, route_id: int) -> Route | None:
        """Return one route, or None when there is none."""
        return await self._store.read(lambda conn: queue.read_route(conn, route_id))

    def offer(self, messages: Iterable[QueuedMessage]) -> None:
        """Lend the content of messages that were just made durable and ready, so that nobody has to read them back.

        To be called before MessagesReady is published for them; the oldest are dropped beyond OFFERS.
        """
        for message in messages:
            self._offers[message.id] = message
        while len(self._offers) > OFFERS:
            self._offers.popitem(last=False)

    def take_offer(self, message_id: int) -> QueuedMessage | None:
        """Return the lent content of a message, once; None when it must be read."""
        return self._offers.pop(message_id, None)

    async def load(self, route_id: int, *, limit: int, exclude: Collection[int]) -> list[QueuedMessage]:
        """Return at most ``limit`` messages of a route that may be sent now, by rank and age."""
        without = frozenset(exclude) | frozenset(self._deciding)
        found = await self._store.read(lambda conn: queue.load(conn, route_id, limit, without))
        return self._undecided(found)

    async def load_some(self, ids: Sequence[int]) -> list[QueuedMessage]:
        """Return those of the messages that may be sent now."""
        found = await self._store.read(lambda conn: queue.load_some(conn, ids))
        return self._undecided(found)

    async def load_one(self, message_id: int) -> QueuedMessage | None:
        """Return a message if it may be sent now."""
        offered = self.take_offer(message_id)
        if offered is not None:
            return offered
        found = await self.load_some((message_id,))
        return found[0] if found else None

    async def next_timed(self) -> int | None:
        """Return when the next message that waits for a time is due (unix ms), or None."""
        return await self._store.read(queue.next_timed)

    async def wake_timed(self, now_ms: int) -> int:
        """Make ready what waited until ``now_ms`` (a bounded number; call again while it returns WAKE_LIMIT)."""
        woken = await self._store.write(lambda conn: decisions.wake(conn, now_ms), Urgency.SOON)
        self._publish(woken.events)
        if woken.entries:
            self._bus.publish(MessagesReady(self._now(), woken.entries))
        return len(woken.entries) + woken.expired

    async def withdraw(self, numbers: Sequence[str]) -> int:
        """End what waits for numbers that have opted out, so that people see it; the gate would end it too."""
        return await self._withdrawing.end_for(numbers, self._now())

    async def opted_out_after(self, place: tuple[int, str]) -> list[tuple[int, str]]:
        """Return the next numbers that are out since after a place (unix ms, number), each as a place."""
        return await self._store.read(lambda conn: withdrawing.changed_after(conn, place))

    async def withdraw_all(self) -> int:
        """End what waits for any number that has opted out."""
        return await self._withdrawing.end_all(self._now())

    async def let_go(self, number: str, cause: str) -> int:
        """Have what waits for a cause that begins so, to one number, tried at once; return how many."""
        now = self._now()
        return await self._store.write(lambda conn: withdrawing.let_go(conn, number, cause, now), Urgency.NOW)

    async def judge(self, outage: Outage, after: Place) -> Judged:
        """Judge the next messages that waited through a stored outage (a bounded number), and tell of the changes."""
        step = await self.judging.step(outage, after, self._now())
        self._publish(step.events)
        return step

    async def begin(self, intent: Intent) -> BeginVerdict:
        """Make an intent durable, if the segment may still be sent; only GO may be followed by Ctrl-Z.

        Raises StoreError when it could not be made durable: then nothing may be sent.
        """
        is_over = self.deadlines.is_over
        verdict = await self._store.write(lambda conn: journal.begin(conn, intent, is_over), Urgency.NOW)
        if verdict is BeginVerdict.GO:
            self._folding.watch_open()
        return verdict

    def settle(self, settlement: Settlement) -> asyncio.Future[None]:
        """Journal how an attempt ended; the future is done when that is durable."""
        return self._journal(lambda conn: journal.append_settlement(conn, settlement))

    def record_refused(self, settlement: Settlement) -> asyncio.Future[None]:
        """Journal an attempt that ended before its gate was asked (the modem refused the command itself)."""

        def both(conn: sqlite3.Connection) -> None:
            journal.append_intent(conn, settlement.intent)
            journal.append_settlement(conn, settlement)

        return self._journal(both)

    def decide(self, message_id: int, decision: Decision) -> asyncio.Future[None]:
        """Record what was decided; until that is durable the message is not handed out again."""
        now = self._now()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            done = self._store.submit(lambda conn: decisions.decide(conn, message_id, decision, now), Urgency.LAZY)
        except StoreClosed:  # the message stays as it was, and the next start decides anew
            future.cancel()
            return future
        self._deciding[message_id] += 1
        done.add_done_callback(lambda ended: self._decided(message_id, ended, future))
        return future

    async def report(self, sim_id: int, report: ReportFacts, ledger_id: int) -> ReportMatch:
        """Journal a delivery report and tell what it belongs to, as far as known now; durable when it returns."""

        def keep(conn: sqlite3.Connection) -> ReportMatch:
            journal.append_report(conn, sim_id, report, ledger_id)
            return reports.find(conn, sim_id, report)[0]

        match = await self._store.write(keep, Urgency.SOON)
        self._folding.soon()
        return match

    async def receipt(self, provider_id: int, receipt: ReceiptFacts) -> ReportMatch:
        """Journal a provider's receipt and tell what it belongs to, as far as known now; durable when it returns."""

        def keep(conn: sqlite3.Connection) -> ReportMatch:
            journal.append_receipt(conn, provider_id, receipt)
            return receipts.find(conn, provider_id, receipt)[0]

        match = await self._store.write(keep, Urgency.SOON)
        self._folding.soon()
        return match

    async def sweep(self) -> int:
        """Do a bounded part of the rare housekeeping: expire what waits past its validity, forget old reports."""
        expired, events = await self._sweeper.step(self._now())
        self._publish(events)
        return expired

    async def flush(self) -> None:
        """Fold everything that is settled, and return when that is durable."""
        await self._store.flush()
        await self._folding.now()

    def _undecided(self, found: list[QueuedMessage]) -> list[QueuedMessage]:
        return [message for message in found if message.id not in self._deciding]

    def _decided(
        self, message_id: int, ended: asyncio.Future[list[MessageStateChanged] | None], told: asyncio.Future[None]
    ) -> None:
        self._deciding[message_id] -= 1
        if not self._deciding[message_id]:
            del self._deciding[message_id]
        error = None if ended.cancelled() else ended.exception()
        if error is None and not ended.cancelled():
            events = ended.result()
            self._publish(events or ())
            if events is None:  # what was believed of the message is not so: look at it again
                self._bus.publish(MessagesReady(self._now(), ()))
        else:  # not recorded: the message is as it was, and a reload finds it again
            _log.error("decision_not_recorded", message=public_id(MESSAGE_ID, message_id), error=repr(error))
            self._bus.publish(MessagesReady(self._now(), ()))
        if not told.done():
            told.set_result(None)

    def _journal(self, append: Callable[[sqlite3.Connection], None]) -> asyncio.Future[None]:
        """Append, again and again until it is durable: what a modem did must not be forgotten for want of room."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def ended(written: asyncio.Future[None]) -> None:
            error = None if written.cancelled() else written.exception()
            if error is None:
                self._folding.soon()
            elif isinstance(error, StoreError) and not isinstance(error, StoreClosed):
                _log.error("settlement_not_recorded", error=str(error), again_in_s=RETRY_S)
                asyncio.get_running_loop().call_later(RETRY_S, submit)
                return
            if not told.done():
                told.set_result(None)

        def submit() -> None:
            try:
                self._store.submit(append, Urgency.SOON).add_done_callback(ended)
            except StoreClosed:  # the attempt stays open in the journal and is UNKNOWN at the next start
                _log.warning("settlement_after_close")
                told.cancel()

        submit()
        return told

    def _folded(self, result: FoldResult) -> None:
        for outcome in result.settled:
            self._metrics.attempts.labels(outcome.name.lower()).inc()
        for match in result.reports:
            self._metrics.reports.labels(match.value).inc()
        self._publish(result.events)

    def _publish(self, events: Iterable[Event]) -> None:
        for event in events:
            self._bus.publish(event)

    def _now(self) -> int:
        return to_ms(self._clock.now())
