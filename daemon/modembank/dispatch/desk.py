"""Matching: which message a SIM takes next, and which SIM is woken for a message. Synchronous, in memory, no I/O."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator

from modembank.clock import Clock, to_ms
from modembank.dispatch.decency import Decency
from modembank.dispatch.lines import LineState
from modembank.dispatch.queues import Entry, RouteQueue
from modembank.dispatch.window import opens_at
from modembank.errors import NotFound
from modembank.messages.model import Decision, Expire, QueuedMessage, RetryAt, Route
from modembank.sim import Denied, LimitName, Sim, Sims

Decide = Callable[[int, Decision], object]
WINDOW_CAUSE = "window"
"""Cause of a message that waits for its window."""


class Desk:
    """All messages in memory, by route or by the SIM that has sent a part of them, and all lines."""

    def __init__(self, sims: Sims, clock: Clock, decide: Decide, decency: Decency | None = None) -> None:
        """``decide`` records a decision durably."""
        self.decency = decency or Decency()
        self._sims = sims
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
        return [line.sending for line in self.lines.values() if line.sending is not None]

    def add_route(self, route: Route) -> RouteQueue:
        """Return the route's queue, made when new; its messages are still in the store."""
        queue = self.routes.get(route.id)
        if queue is None:
            queue = self.routes[route.id] = RouteQueue(route)
            self.route_added(queue)
        return queue

    def serves(self, route: Route, sim: Sim) -> bool:
        """Return whether a route leads through a SIM."""
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
        sim = self._sims.get(line.sim_id)
        if sim.paused:
            return None
        while (found := self._best(line, sim, now)) is not None:
            queue, entry = found
            if self._set_aside(entry, now):
                continue
            denied = self._denied(line, entry.message, now)
            if denied is None:
                queue.remove(entry)
                if queue.hungry:
                    self.hungry.set()
                line.sending, line.turn = entry.message.id, next(self._turns)
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
        sim = self._sims.get(line.sim_id)
        found = None if sim.paused or not self.open else self._best(line, sim, self.now)
        return None if found is None else found[1]

    def give_back(self, entry: Entry) -> None:
        """Put a message that a line held back into its queue."""
        self._put(entry)

    def hand_over(self, line: LineState) -> None:
        """A line has nothing in hand any more."""
        line.sending = None
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
        """Wake idle lines for so many messages, least recently used first; those only that can take ``entry``."""
        now = self.now
        idle = [
            line
            for line in self.lines.values()
            if line.idle
            and line.open(now)
            and (entry is None or entry.open_to(line.sim_id, now))
            and self._may(line, queue)
        ]
        for line in sorted(idle, key=lambda line: line.turn)[:count]:
            line.wake()

    def notify_all(self) -> None:
        """Have every line look again, least recently used first."""
        for line in sorted(self.lines.values(), key=lambda line: line.turn):
            line.wake()

    def leads(self, queue: RouteQueue, line: LineState) -> bool:
        """Return whether a queue's messages may leave through a line's SIM, whether or not it can send now."""
        return self.serves(queue.route, self._sims.get(line.sim_id))

    def served(self, queue: RouteQueue) -> bool:
        """Return whether a line is up through which a queue's messages may leave."""
        return any(line.line is not None and self._may(line, queue) for line in self.lines.values())

    def others(self, route_id: int, sim_id: int, entry: Entry) -> bool:
        """Return whether another line could try a message that this SIM could not send."""
        queue, now = self.routes.get(route_id), self.now
        return queue is not None and any(
            line.sim_id != sim_id
            and line.line is not None
            and entry.open_to(line.sim_id, now)
            and self._may(line, queue)
            for line in self.lines.values()
        )

    def denied(self, line: LineState, message: QueuedMessage, now: int, *, starts: bool = True) -> Denied | None:
        """Return the limit that keeps one more segment of a message from leaving now, or None."""
        return self._sims.ledger(line.sim_id).admit(now, 1, message.recipient, starts=starts)

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
            sim_id = self._sims.get(tied).id
            queue = self.bound.setdefault(sim_id, RouteQueue(Route(-1, (sim_id,)), limit=1 << 30))
            queue.more = False
            return queue
        return self.routes[entry.message.route_id]

    def _queues_of(self, line: LineState, sim: Sim) -> Iterator[RouteQueue]:
        if line.sim_id in self.bound:
            yield self.bound[line.sim_id]
        yield from (queue for queue in self.routes.values() if len(queue) and self.serves(queue.route, sim))

    def _best(self, line: LineState, sim: Sim, now: int) -> tuple[RouteQueue, Entry] | None:
        found = [
            (queue, entry)
            for queue in self._queues_of(line, sim)
            if (entry := queue.best(line.sim_id, now, self._judged)) is not None
        ]
        return min(found, key=lambda pair: pair[1].key, default=None)

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
        ledger = self._sims.ledger(line.sim_id)
        left = message.segments - len(message.done)
        denied = ledger.admit(now, left, message.recipient)
        if denied is not None and denied.until is None:
            return ledger.admit(now, 1, message.recipient)
        return denied

    def _may(self, line: LineState, queue: RouteQueue) -> bool:
        sim = self._sims.get(line.sim_id)
        return not sim.paused and self.serves(queue.route, sim)

    def _same(self, sim_id: int, sim: Sim) -> bool:
        """Return whether a row id is another one of this SIM's (two rows turned out to be one card)."""
        try:
            return self._sims.get(sim_id).id == sim.id
        except NotFound:
            return False


def _tied_to(entry: Entry) -> int | None:
    message = entry.message
    return message.sim_id if message.done else None
