"""The box's part in the pool of its fleet: takes what the hub lends it, sends it as its own, tells what became of it.

``modembank_fleet.pool.holding`` decides, ``pool_book`` is what is durable about it. How lent messages stand is looked
up in the box's own queue again and again: so nothing is lost, whatever is killed when.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
from collections.abc import Callable, Mapping

import msgspec
import structlog

from modembank.accounts import Actor
from modembank.accounts.quotas import QuotaExceeded
from modembank.app import App
from modembank.clock import to_ms
from modembank.errors import InvalidRequest, ModembankError
from modembank.events import MessageStateChanged
from modembank.fleet import Life, pool_rows, rows
from modembank.fleet.pool_rows import Lent
from modembank.messages import OptedOut, SubmitRequest
from modembank.store import StoreError
from modembank_fleet.agent.clocks import Timekeeper
from modembank_fleet.agent.pool_book import Book, entry_of
from modembank_fleet.agent.verbs import hub_actor
from modembank_fleet.pool import holding
from modembank_fleet.pool.holding import BoxNow, Stage, Start
from modembank_fleet.pool.words import Code
from modembank_fleet.wire import PoolCredit, Recall, Submit

FOR_EACH_MODEM = 20
"""Messages that are taken for each modem that can send: about what it sends while a lease goes on."""
LOOK_S = 5.0
"""Between two looks at leases."""
AGAIN_S = 1.0
_log = structlog.get_logger()


class Prepared(msgspec.Struct):
    """A command of the pool: everything that had to wait is done, the rest is for the write that journals it."""

    pool: Pool
    actor: Actor
    args: Submit | Recall
    left_s: float
    wrong: Mapping[str, Code]
    _book: Book | None = None

    def carry_out(self, conn: sqlite3.Connection) -> dict[str, int]:
        """Take or give back; return how many messages were told what."""
        self._book = book = self.pool.book(conn)
        if isinstance(self.args, Recall):
            return book.recalled(self.args)
        return book.submitted(self.args, self.left_s, self.wrong, self.actor.name)

    def committed(self) -> None:
        """Tell what is durable now."""
        if self._book is not None:
            self.pool.after(self._book)


class Pool:
    """Lent messages from their acceptance to their end."""

    def __init__(self, app: App, time: Timekeeper, life: Life, told: Callable[[], None]) -> None:
        """``told`` is called when there is a result for the hub."""
        self._app = app
        self._time = time
        self._life = life
        self._told = told
        self._most = app.config.mqtt.pool
        self._news = asyncio.Event()
        self._stepping = asyncio.Lock()
        self._mine: set[int] = set()
        """Rows of the box's queue that are lent."""
        self._unsubscribe: Callable[[], None] | None = None
        self._window = 0
        """As it was looked at last; decisions on the writer's thread go by this."""
        self._said = 0
        self.run_id = secrets.token_hex(8)

    @property
    def is_on(self) -> bool:
        """Whether the site lets the hub send through this box."""
        return self._most > 0

    def window(self) -> int:
        """Return how many messages it takes at once: none while no modem can send."""
        paused = {sim.id for sim in self._app.sims.all() if sim.paused}
        registered = [view for view in self._app.bank.modems() if view.state.value == "registered"]
        ready = sum(1 for view in registered if view.sim_id not in paused)
        self._window = min(self._most, FOR_EACH_MODEM * ready)
        return self._window

    def has_other_window(self) -> bool:
        """Whether it takes more or fewer messages than it said."""
        return self.is_on and self.window() != self._said

    async def credit(self) -> PoolCredit | None:
        """Return what telemetry tells; None when it is off."""
        if not self.is_on:
            return None
        self._said = self.window()
        return PoolCredit(run=self.run_id, window=self._said, held=await self._app.store.read(pool_rows.held))

    def wake(self) -> None:
        """Something may have changed: an acknowledgement, a state."""
        self._news.set()

    async def start(self) -> None:
        """Give back what waited when the daemon ended, whether the pool is still on or not."""
        self._unsubscribe = self._app.bus.subscribe(MessageStateChanged, self._changed)
        self._mine = {lent.message_id for lent in await self._app.store.read(pool_rows.open_ones) if lent.message_id}
        await self._write(Book.resume)

    def stop(self) -> None:
        """Listen no more."""
        if self._unsubscribe is not None:
            self._unsubscribe()

    async def run(self) -> None:
        """Look after what is lent, for ever."""
        while True:
            self._news.clear()
            try:
                await self.step()
            except StoreError as error:
                _log.warning("pool_waits", error=str(error))
                await asyncio.sleep(AGAIN_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._news.wait()

    async def step(self) -> None:
        """Queue what the hub has noted, give back what may not begin any more, tell how the rest stands."""
        async with self._stepping:
            self.window()
            open_ones, now = await self._app.store.read(lambda conn: (pool_rows.open_ones(conn), self.present(conn, 0)))
            for lent in open_ones:
                if lent.stage == Stage.HELD and holding.may_start(entry_of(lent), now) is Start.GO:
                    await self._queue(lent)
            if open_ones:
                await self._write(Book.settle)

    async def prepare(self, args: Submit | Recall, issuer: str, left_s: float) -> Prepared:
        """Look at what has to be asked before the write of a command of the pool. Raises StoreError."""
        actor = hub_actor(issuer)
        self.window()
        wrong: dict[str, Code] = {}
        if isinstance(args, Submit):
            for message in args.msgs:
                request = SubmitRequest(to=message.to, text=message.body, dry_run=True)
                code = await self._refusal(actor, request)
                if code is not Code.NONE:
                    wrong[message.id] = code
        return Prepared(self, actor, args, left_s, wrong)

    def book(self, conn: sqlite3.Connection) -> Book:
        """Return the lent messages inside a write."""
        lending, now_ms = self._app.messages.lending, to_ms(self._app.clock.now())
        return Book(conn, lending, now_ms, self._life.epoch, lambda held: self.present(conn, held))

    def after(self, book: Book) -> None:
        """Tell what a write did, after its commit."""
        self._app.messages.lending.tell(book.events)
        for message_id in book.ended:
            self._app.messages.lending.deadlines.forget(message_id)
            self._mine.discard(message_id)
        if book.told:
            self._told()

    def present(self, conn: sqlite3.Connection, held: int) -> BoxNow:
        """Return what decisions are made by."""
        wall = self._time.now() if self._time.state() == "ntp" else None
        return BoxNow(self.run_id, self._time.up_s(), wall, rows.acked(conn).get("res", 0), held, self._window)

    async def _queue(self, lent: Lent) -> None:
        """Accept one into the box's own queue: that it is there and that it is lent are one write."""
        left_s = lent.until - self._time.up_s()
        ends_at = self._app.clock.monotonic() + left_s
        lending, queued, events = self._app.messages.lending, [], list[MessageStateChanged]()

        def beside(conn: sqlite3.Connection, message_id: int) -> None:
            now_ms = to_ms(self._app.clock.now())
            if pool_rows.queue(conn, lent, message_id, now_ms):
                lending.deadlines.put(message_id, ends_at)
                queued.append(message_id)
            else:  # it was recalled meanwhile
                events.extend(lending.take_back(conn, message_id, "pool: the hub recalled it", now_ms) or ())

        request = SubmitRequest(
            to=lent.recipient, text=lent.text, reference=f"pool:{lent.id}", valid_for_s=max(1, int(left_s)),
            delivery_report=True, on_unknown="hold",
        )  # fmt: skip
        code = await self._refusal(hub_actor(lent.issuer), request, beside)
        if code is not Code.NONE:
            await self._write(lambda book: book.release(lent.id, lent.fence, code))
        self._mine.update(queued)
        lending.tell(events)

    async def _refusal(
        self, actor: Actor, request: SubmitRequest, beside: Callable[[sqlite3.Connection, int], None] | None = None
    ) -> Code:
        """Submit, as any caller of the box does; return why it is refused, if it is. Raises StoreError."""
        try:
            await self._app.messages.submit(actor, request, beside=beside)
        except OptedOut:
            return Code.OPTED_OUT
        except QuotaExceeded:
            return Code.NO_CREDIT
        except StoreError:
            raise
        except InvalidRequest as error:
            _log.info("pool_message_invalid", why=error.key)
            return Code.INVALID
        except ModembankError as error:
            _log.warning("pool_message_refused", why=error.key)
            return Code.NO_CREDIT
        return Code.NONE

    async def _write(self, what: Callable[[Book], None]) -> None:
        def write(conn: sqlite3.Connection) -> Book:
            book = self.book(conn)
            what(book)
            return book

        self.after(await self._app.store.write(write))

    def _changed(self, event: MessageStateChanged) -> None:
        if event.message in self._mine:
            self.wake()
