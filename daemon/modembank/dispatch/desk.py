"""Matching: which message a SIM takes next, and which SIM is woken for a message. Synchronous, in memory, no I/O."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator

from modembank.clock import Clock, to_ms
from modembank.dispatch.carriers import Carrier, Carriers
from modembank.dispatch.decency import Decency
from modembank.dispatch.lines import LineState
from modembank.dispatch.planning import Planner
from modembank.dispatch.queues import Entry, RouteQueue
from modembank.dispatch.window import opens_at
from modembank.errors import NotFound
from modembank.messages.model import Decision, Expire, QueuedMessage, RetryAt, Route, Stage
from modembank.messages.routes import SimNames
from modembank.providers import Provider
from modembank.sim import Denied, LimitName, Sim

Decide = Callable[[int, Decision], object]
PATIENCE_MS = 60_000
"""For so long a message waits for those who go first, when they cannot send: limits, a modem that starts again."""
WINDOW_CAUSE = "window"
"""Cause of a message that waits for its window."""


class Desk:
    """All messages in memory, by route or by the SIM that has sent a part of them, and all lines."""

    def __init__(self, carriers: Carriers, clock: Clock, decide: Decide, decency: Decency | None = None) -> None:
        """``decide`` records a decision durably."""
        self.decency = decency or Decency()
        self._carriers = carriers
        self._planner = Planner(carriers.providers, SimNames(carriers.sims))
        self._begun_at = to_ms(clock.now())
        self._clock = clock
        self._decide = decide
        self._turns = itertools.count(1)
        self._known: dict[int, Entry] = {}
        self.routes: dict[int, RouteQueue] = {}
        self.bound: dict[int, RouteQueue] = {}
        """By SIM: messages of which a part went through it; the rest must follow."""
        self.lines: dict[int, LineState] = {}
        self.to_read: dict[int, int] = {}
        """Message -> route, of messages whose content is to be read (again)."""
        self.hungry = asyncio.Event()
        """Set when the store should be read."""
        self.hand_emptied = asyncio.Event()
        """Set, and cleared at once, whenever a line ends with a message."""
        self.open = False
        """Whether messages are given out: after recovery, until the drain."""
        self.route_added: Callable[[RouteQueue], object] = lambda _: None
        """Called with the queue of a route that was not known before, while it is still empty."""

    @property
    def now(self) -> int:
        """Unix ms."""
        return to_ms(self._clock.now())

    def known(self) -> frozenset[int]:
        """Return the ids of all messages in memory, in queues and in hand."""
        return frozenset(self._known)

    def in_hand(self) -> list[int]:
        """Return the messages that lines hold now."""
        return [message for line in self.lines.values() for message in line.in_hand]

    def add_route(self, route: Route) -> RouteQueue:
        """Return the route's queue, made when new; its messages are still in the store."""
        queue = self.routes.get(route.id)
        if queue is None:
            queue = self.routes[route.id] = RouteQueue(route)
            self.route_added(queue)
        return queue

    def serves(self, route: Route, carrier: Carrier) -> bool:
        """Return whether a route leads through a SIM or a provider, maybe when others cannot."""
        if isinstance(carrier, Provider):
            return self._planner.may_ever(route, carrier)
        sim = self._sim(carrier)
        if route.stages:
            return any(self._within(stage, sim) for stage in route.stages)
        if route.channel != "sms":
            return False
        if route.pool is not None:
            return sim.label == route.pool
        return not route.sims or sim.id in route.sims or any(self._same(one, sim) for one in route.sims)

    def offer(self, message: QueuedMessage) -> bool:
        """Take a message into memory if it belongs there, and wake a line for it; return whether it was taken."""
        queue = self.routes.get(message.route_id)
        if message.id in self._known or queue is None or not queue.wants((message.rank, message.id)):
            return False
        self._put(Entry(message))
        return True

    def loaded(self, queue: RouteQueue, messages: Iterable[QueuedMessage], *, exhausted: bool) -> None:
        """Take what the store gave for a route."""
        entries = [Entry(message) for message in messages if message.id not in self._known]
        tied = [entry for entry in entries if _tied_to(entry) is not None]
        free = [entry for entry in entries if _tied_to(entry) is None]
        self._known.update((entry.message.id, entry) for entry in free)
        for fallen in queue.loaded(free, exhausted=exhausted):
            self._known.pop(fallen.message.id, None)
        for entry in tied:
            self._put(entry)
        self.notify(queue, len(free))

    def take(self, line: LineState) -> Entry | None:
        """Give a line the best message it may send now, or None; it is told who may send and what is refused."""
        now = self.now
        if not self.open or not line.open(now):
            return None
        carrier = self._carriers.get(line.sim_id)
        if carrier.paused:
            return None
        while (found := self._best(line, carrier, now)) is not None:
            queue, entry = found
            if self._set_aside(entry, now):
                continue
            denied = self._denied(line, entry.message, now)
            if denied is None:
                queue.remove(entry)
                if queue.hungry:
                    self.hungry.set()
                line.in_hand.add(entry.message.id)
                line.turn = next(self._turns)
                return entry
            if denied.limit is LimitName.RECIPIENTS_PER_MONTH and denied.until is not None:
                entry.refused_until[line.sim_id] = denied.until
                self.notify(queue, 1, entry)
                continue
            line.close(now + 60_000 if denied.until is None else denied.until, denied)
            self.notify(queue, 1, entry)
            return None
        return None

    def peek(self, line: LineState) -> Entry | None:
        """Return what a line would probably be given next."""
        carrier = self._carriers.get(line.sim_id)
        found = None if carrier.paused or not self.open else self._best(line, carrier, self.now)
        return None if found is None else found[1]

    def give_back(self, entry: Entry) -> None:
        """Put a message that a line held back into its queue."""
        self._put(entry)

    def hand_over(self, line: LineState, message_id: int) -> None:
        """A line has a message in hand no more."""
        line.in_hand.discard(message_id)
        self.hand_emptied.set()
        self.hand_emptied.clear()

    def abandon(self, entry: Entry) -> None:
        """A sender broke with a message in hand: the store knows what is true of it, look there again."""
        self._known.pop(entry.message.id, None)
        self.routes[entry.message.route_id].more = True
        self.hungry.set()

    def look_up(self, message_id: int, route_id: int) -> None:
        """What we knew of a message was out of date: read it again, if it is still to be sent."""
        self.forget(message_id)
        self.to_read[message_id] = route_id
        self.hungry.set()

    def decide(self, message_id: int, decision: Decision) -> None:
        """Record a decision about a message and drop it from memory."""
        self._decide(message_id, decision)
        self.forget(message_id)

    def reconsider(self, sim_id: int) -> None:
        """A SIM's limits changed: what it was refused for may hold no more."""
        for entry in self._known.values():
            entry.refused_until.pop(sim_id, None)

    def forget(self, message_id: int) -> None:
        """Drop a message from memory: it is settled, decided, or to be found in the store again."""
        entry = self._known.pop(message_id, None)
        if entry is None:
            return
        queue = self._queue_of(entry)
        queue.remove(entry)
        if queue.hungry:
            self.hungry.set()

    def notify(self, queue: RouteQueue, count: int, entry: Entry | None = None) -> None:
        """Wake idle lines for so many messages, least recently used first; those only that can take ``entry``.

        Where some go before others, all are woken: who is in turn finds out by itself.
        """
        now = self.now
        idle = [
            line
            for line in self.lines.values()
            if line.idle
            and line.open(now)
            and (entry is None or entry.open_to(line.sim_id, now))
            and self._may(line, queue)
        ]
        most = len(idle) if self._planner.is_staged(queue.route) else count
        for line in sorted(idle, key=lambda line: line.turn)[:most]:
            line.wake()

    def notify_all(self) -> None:
        """Have every line look again, least recently used first."""
        for line in sorted(self.lines.values(), key=lambda line: line.turn):
            line.wake()

    def leads(self, queue: RouteQueue, line: LineState) -> bool:
        """Return whether a queue's messages may leave through a line, whether or not it can send now."""
        return self.serves(queue.route, self._carriers.get(line.sim_id))

    def served(self, queue: RouteQueue) -> bool:
        """Return whether a line is up through which a queue's messages may leave."""
        return any(line.is_up and self._may(line, queue) for line in self.lines.values())

    def others(self, route_id: int, sim_id: int, entry: Entry) -> bool:
        """Return whether another line could try a message that this SIM could not send."""
        queue, now = self.routes.get(route_id), self.now
        return queue is not None and any(
            line.sim_id != sim_id and line.is_up and entry.open_to(line.sim_id, now) and self._may(line, queue)
            for line in self.lines.values()
        )

    def denied(self, line: LineState, message: QueuedMessage, now: int, *, starts: bool = True) -> Denied | None:
        """Return the limit that keeps one more segment of a message from leaving now, or None."""
        segments = message.segments if line.sim_id < 0 else 1
        return self._carriers.ledger(line.sim_id).admit(now, segments, message.recipient, starts=starts)

    def _put(self, entry: Entry) -> None:
        self._known[entry.message.id] = entry
        queue = self._queue_of(entry)
        fallen = queue.put(entry)
        if fallen is not None:
            self._known.pop(fallen.message.id, None)
        self.notify(queue, 1, entry)

    def _queue_of(self, entry: Entry) -> RouteQueue:
        tied = _tied_to(entry)
        if tied is not None:
            sim_id = self._carriers.get(tied).id
            queue = self.bound.setdefault(sim_id, RouteQueue(Route(-1, (sim_id,)), limit=1 << 30))
            queue.more = False
            return queue
        return self.routes[entry.message.route_id]

    def _queues_of(self, line: LineState, carrier: Carrier) -> Iterator[RouteQueue]:
        if line.sim_id in self.bound:
            yield self.bound[line.sim_id]
        yield from (queue for queue in self.routes.values() if len(queue) and self.serves(queue.route, carrier))

    def _best(self, line: LineState, carrier: Carrier, now: int) -> tuple[RouteQueue, Entry] | None:
        found = [
            (queue, entry)
            for queue in self._queues_of(line, carrier)
            if (entry := queue.best(line.sim_id, now, self._allowed(carrier, queue, now))) is not None
        ]
        return min(found, key=lambda pair: pair[1].key, default=None)

    def _allowed(self, carrier: Carrier, queue: RouteQueue, now: int) -> Callable[[Entry], bool]:
        """Return what tells whether a line may take a message now: it is judged, and those before the line cannot."""
        if queue.route.id < 0 or not self._planner.is_staged(queue.route):
            return self._judged
        before: dict[tuple[Stage, ...], list[LineState] | None] = {}

        def may(entry: Entry) -> bool:
            stages = self._planner.stages(entry, queue.route, now) or ()
            if stages not in before:
                place = next((at for at, stage in enumerate(stages) if self._within(stage, carrier)), None)
                before[stages] = (
                    None if place is None or self._too_early(stages[:place], now) else self._able(stages[:place], now)
                )
            able = before[stages]
            return able is not None and not any(entry.open_to(one.sim_id, now) for one in able) and self._judged(entry)

        return may

    def _too_early(self, stages: tuple[Stage, ...], now: int) -> bool:
        """Return whether modems of these stages may still be starting, as the box is."""
        starting = now - self._begun_at < PATIENCE_MS
        return starting and any(stage.bank or stage.sims or stage.pools for stage in stages)

    def _able(self, stages: tuple[Stage, ...], now: int) -> list[LineState]:
        """Return the lines of these stages for which a message waits: they can send it now or before long."""
        able: list[LineState] = []
        for line in self.lines.values():
            carrier = self._carriers.get(line.sim_id)
            if carrier.paused or not any(self._within(stage, carrier) for stage in stages):
                continue
            lately = now - line.down_at < PATIENCE_MS if line.down_at else False
            if (line.is_up and line.closed_until <= now + PATIENCE_MS) or lately:
                able.append(line)
        return able

    def _within(self, stage: Stage, carrier: Carrier) -> bool:
        if isinstance(carrier, Provider):
            return carrier.row.id in stage.providers
        sim = self._sim(carrier)
        named = stage.bank or sim.id in stage.sims or sim.label in stage.pools
        return named or any(self._same(one, sim) for one in stage.sims)

    def _judged(self, entry: Entry) -> bool:
        """Return whether its route's outage has been dealt with as far as this message, wherever it is queued."""
        route = self.routes.get(entry.message.route_id)
        return route is None or route.judged(entry.key)

    def _set_aside(self, entry: Entry, now: int) -> bool:
        """Decide about a message whose time is over, or not now; return whether that was so."""
        message = entry.message
        if message.expires_at <= now:
            self.decide(message.id, Expire())
            return True
        opens = None if message.window is None else opens_at(message.window, now)
        if opens is not None:
            self.decide(message.id, RetryAt(opens, f"{WINDOW_CAUSE}: {message.window}"))
            return True
        later = self.decency.put_off(message, now)
        if later is not None:
            self.decide(message.id, later)
        return later is not None

    def _denied(self, line: LineState, message: QueuedMessage, now: int) -> Denied | None:
        """A message starts when all of it may leave at once; one that is larger than a limit starts with a segment."""
        ledger = self._carriers.ledger(line.sim_id)
        left = message.segments - len(message.done)
        denied = ledger.admit(now, left, message.recipient)
        if denied is not None and denied.until is None and line.sim_id > 0:
            return ledger.admit(now, 1, message.recipient)
        return denied

    def _may(self, line: LineState, queue: RouteQueue) -> bool:
        carrier = self._carriers.get(line.sim_id)
        return not carrier.paused and self.serves(queue.route, carrier)

    @staticmethod
    def _sim(carrier: Carrier) -> Sim:
        assert isinstance(carrier, Sim)
        return carrier

    def _same(self, sim_id: int, sim: Sim) -> bool:
        """Return whether a row id is another one of this SIM's (two rows turned out to be one card)."""
        try:
            return self._carriers.get(sim_id).id == sim.id
        except NotFound:
            return False


def _tied_to(entry: Entry) -> int | None:
    message = entry.message
    return message.sim_id if message.done else None
