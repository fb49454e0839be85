"""The mailings that are under way: imports in two lanes, steps for what is wished, and the end of each."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec
import structlog

from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.dispatch import Finishing
from modembank.errors import ModembankError
from modembank.events import MailingChanged, MessageStateChanged
from modembank.mailings import canaries, history, rows
from modembank.mailings.forecast import Forecast, Pace
from modembank.mailings.history import Sampler
from modembank.mailings.importing import Importing
from modembank.mailings.model import ImportPhase, Wish
from modembank.mailings.rows import Mailing
from modembank.mailings.walking import Walking, go_on
from modembank.messages import MessageState, batches
from modembank.messages.batches import counts
from modembank.store import Store, Urgency
from modembank.supervision import Supervisor

LOOK_S = 1.0
"""Between two looks at what has been sent: many messages end in one."""
ROUND_S = 30.0
"""At least this often everything is looked at."""
SMALL_OCTETS = 1_000_000
"""A file of up to so many does not wait for larger ones: twenty thousand rows or so, seconds."""
PUT_OFF_S = 30.0
"""Before an import that broke off is taken up again."""
_log = structlog.get_logger()


class Running:
    """Four loops, woken when there is something to do."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, finishing: Finishing, importing: Importing) -> None:
        """Use these; nothing runs before start()."""
        self._store = store
        self._clock = clock
        self._finishing = finishing
        self._importing = importing
        self._walking = Walking(store, bus, clock)
        self._bus = bus
        self._children = Supervisor()
        self._import, self._import_small = asyncio.Event(), asyncio.Event()
        self._walk, self._watch = asyncio.Event(), asyncio.Event()
        self._in_hand: set[int] = set()
        self._lined_up: set[int] = set()
        self._put_off: set[int] = set()
        self._paces: dict[int, Pace] = {}
        self._sampler = Sampler()
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        """Run until stop()."""
        self._unsubscribe = self._bus.subscribe(MessageStateChanged, self._changed)
        self.wake()
        self._children.start("mailings.import", self._imports)
        self._children.start("mailings.import_small", self._small_imports)
        self._children.start("mailings.walk", self._walks)
        self._children.start("mailings.watch", self._watches)

    async def stop(self) -> None:
        """End all of them."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        await self._children.stop_all()

    def wake(self) -> None:
        """Something changed: look at everything."""
        for event in (self._import, self._import_small, self._walk, self._watch):
            event.set()

    def tell(self, user_id: int) -> None:
        """Have whoever looks at this user's mailings look again."""
        self._bus.publish(MailingChanged(to_ms(self._clock.now()), user_id))

    def forecast(self, mailing: Mailing, by_state: Mapping[MessageState, int], now: int) -> Forecast:
        """Return how fast a mailing goes, and when it will have left."""
        pace = self._paces.get(mailing.id)
        per_minute = 0.0 if pace is None else pace.per_minute
        waiting = sum(n for state, n in by_state.items() if state < MessageState.SENT)
        waiting += max(mailing.total - mailing.rows, 0) if mailing.importing else 0
        if mailing.wish is not Wish.GO or mailing.phase is ImportPhase.FAILED or not waiting:
            return Forecast(per_minute)
        made = sum(by_state.values())
        each = mailing.segments / made if made else 1.0
        terms = mailing.terms
        begins_at = max(now, terms.not_before or now)
        found = self._finishing.needed_s(
            waiting * each, terms.route, rank=terms.rank, window=terms.window, begins_at=begins_at, now=now
        )
        if found is None:
            return Forecast(per_minute)
        if per_minute > 0:
            found = max(found, round(waiting * 60 / per_minute))
        return Forecast(per_minute, (begins_at - now) // 1000 + found)

    def _changed(self, event: MessageStateChanged) -> None:
        if event.state >= MessageState.SENT:
            self._watch.set()

    def ahead(self, mailing: Mailing) -> int:
        """Return how many imports run or wait before that of a mailing; 0 for one that runs."""
        if not mailing.importing or mailing.id in self._in_hand:
            return 0
        return len(self._in_hand | {one for one in self._lined_up if one < mailing.id})

    async def _imports(self) -> None:
        await self._lane(self._import, lambda waiting: waiting[0])

    async def _small_imports(self) -> None:
        """A small file does not wait behind large ones."""
        await self._lane(self._import_small, _smallest)

    async def _lane(self, woken: asyncio.Event, choose: Callable[[Sequence[Mailing]], Mailing | None]) -> None:
        while True:
            woken.clear()
            wanted = [one for one in await self._store.read(rows.open_ones) if one.importing]
            self._lined_up = {one.id for one in wanted}
            waiting = [one for one in wanted if one.id not in self._in_hand | self._put_off]
            chosen = choose(waiting) if waiting else None
            if chosen is None:
                await woken.wait()
                continue
            await self._import_one(chosen)

    async def _import_one(self, mailing: Mailing) -> None:
        self._in_hand.add(mailing.id)
        try:
            await self._importing.carry_on(mailing)
        except (ModembankError, OSError, sqlite3.Error):
            # As when the disk is full: the others go on, and this one later from where it is.
            _log.exception("mailing_import_broken_off", mailing=mailing.public_id)
            self._put_off.add(mailing.id)
            asyncio.get_running_loop().call_later(PUT_OFF_S, self._take_up, mailing.id)
        finally:
            self._in_hand.discard(mailing.id)
        self._watch.set()

    def _take_up(self, mailing: int) -> None:
        self._put_off.discard(mailing)
        self._import.set()

    async def _walks(self) -> None:
        while True:
            self._walk.clear()
            wanted = [one for one in await self._store.read(rows.open_ones) if one.walk is not None]
            for mailing in wanted:
                await self._walking.carry_out(mailing.id)
                self.tell(mailing.user_id)
                self._watch.set()
            if not wanted:
                await self._walk.wait()

    async def _watches(self) -> None:
        while True:
            self._watch.clear()
            await self._look()
            try:
                async with asyncio.timeout(ROUND_S):
                    await self._watch.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        """See which have begun and which are over."""
        now = to_ms(self._clock.now())
        found = await self._store.read(_open_with_counts)
        self._paces = {one.id: self._paces.get(one.id, Pace()) for one, _ in found}
        self._sampler.forget(self._paces)
        for mailing, by_state in found:
            left = sum(n for state, n in by_state.items() if state >= MessageState.SENT)
            self._paces[mailing.id].note(now, left)
            if self._sampler.due(mailing.id, mailing.created_at, by_state, now):
                noted = partial(history.note, mailing=mailing.id, counts=by_state, now=now)
                await self._store.write(noted, Urgency.LAZY)
            if _begins(mailing, now) or _is_over(mailing, by_state):
                await self._store.write(lambda conn, which=mailing.id: _settle(conn, which, now), Urgency.SOON)  # type: ignore[misc]
                self._bus.publish(MailingChanged(now, mailing.user_id))
            elif _wants_judging(mailing, left, now):
                await self._store.write(partial(_judge, mailing_id=mailing.id, now=now), Urgency.SOON)
                self._walk.set()
                self._bus.publish(MailingChanged(now, mailing.user_id))


def _smallest(waiting: Sequence[Mailing]) -> Mailing | None:
    small = [one for one in waiting if one.octets <= SMALL_OCTETS]
    return min(small, key=lambda one: one.octets, default=None)


def _open_with_counts(conn: sqlite3.Connection) -> list[tuple[Mailing, dict[MessageState, int]]]:
    return [(one, counts(conn, one.id)) for one in rows.open_ones(conn)]


def _begins(mailing: Mailing, now: int) -> bool:
    going = mailing.goes and mailing.phase in (ImportPhase.LOADING, ImportPhase.DONE)
    return going and mailing.started_at is None and mailing.due(now)


def _is_over(mailing: Mailing, by_state: Mapping[MessageState, int]) -> bool:
    if mailing.phase is not ImportPhase.DONE or mailing.finished_at is not None or mailing.walk is not None:
        return False
    if mailing.wish in (Wish.HOLD, Wish.CANCEL):
        return False
    return not any(n for state, n in by_state.items() if state < MessageState.SENT)


def _wants_judging(mailing: Mailing, left: int, now: int) -> bool:
    """Tell whether the canary may have left, or its time may have come; cheap, and never wrong about a no."""
    canary = mailing.canary
    if canary is None or mailing.wish is not Wish.CANARY or mailing.walk is not None or canary.last is None:
        return False
    if mailing.importing and mailing.accepted < canary.size:
        return False
    if canary.left_at is None:
        return left >= min(canary.size, mailing.accepted)
    due = canary.continues_at()
    return due is not None and due <= now


def _judge(conn: sqlite3.Connection, mailing_id: int, now: int) -> None:
    mailing = rows.read(conn, mailing_id)
    if mailing is None or mailing.canary is None or mailing.wish is not Wish.CANARY:
        return
    before = mailing.canary
    mailing.canary = canaries.judged(before, canaries.counts(conn, mailing.id, before), now)
    if mailing.canary.continued_at is not None:
        go_on(conn, mailing, now)
    elif mailing.canary.stopped is not None:
        rows.tell(conn, mailing, "canary_stopped", now)
    elif before.left_at is None and mailing.canary.left_at is not None:
        rows.tell(conn, mailing, "canary_left", now)
    if mailing.canary != before:
        rows.save(conn, mailing, now)


def _settle(conn: sqlite3.Connection, mailing_id: int, now: int) -> None:
    mailing = rows.read(conn, mailing_id)
    if mailing is None:
        return
    if _begins(mailing, now):
        mailing.started_at = now
        rows.tell(conn, mailing, "started", now)
    if _is_over(mailing, counts(conn, mailing_id)):
        if mailing.wish is not Wish.GO:  # nothing is left to wait: what is sent again later goes at once
            mailing.wish = Wish.GO
            batches.forget_pause(conn, mailing_id)
        if mailing.canary is not None and mailing.canary.continued_at is None:
            mailing.canary = msgspec.structs.replace(mailing.canary, continued_at=now)
        mailing.finished_at = now
        history.note(conn, mailing_id, counts(conn, mailing_id), now)
        rows.tell(conn, mailing, "finished", now)
    rows.save(conn, mailing, now)
