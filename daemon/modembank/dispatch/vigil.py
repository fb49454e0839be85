"""The vigil: since when no SIM serves a route, and that what waited through an outage is judged before it goes out.

An outage is a time in which nothing *could* be sent: the box was down, or no line was up that a route's messages may
leave through. A queue that is slow because of limits or windows has none, however old its messages are.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice

import structlog

from modembank.dispatch.desk import Desk
from modembank.dispatch.queues import RouteQueue
from modembank.messages.outbox import WAKE_LIMIT, Outbox
from modembank.messages.outbox.holding import START, Judged, Place
from modembank.messages.outbox.outages import Outage, OutageKind, Past
from modembank.store import Urgency

_log = structlog.get_logger()


class Vigil:
    """Watches lines come and go; closes a route's queue when an outage ends, and opens it as it is judged."""

    def __init__(self, desk: Desk, outbox: Outbox) -> None:
        """Use these; load() before the first route is added."""
        self._desk = desk
        self._outbox = outbox
        self._judging = outbox.judging
        self._cases: deque[Outage] = deque()
        """Outages that are not dealt with; the first is in hand."""
        self._work = asyncio.Event()
        self._past = Past(None, 0)
        self._loaded = False
        self._started_at = self._noted_at = desk.now
        desk.route_added = self._added

    async def load(self) -> None:
        """Learn what the life before left, and begin to watch every route on which something waits."""
        self._past = await self._judging.past()
        self._started_at = self._noted_at = self._desk.now
        self._cases.extend(self._past.unjudged)
        for route in await self._outbox.routes():
            self._desk.add_route(route)
        self._loaded = True

    async def run(self) -> None:
        """Judge for ever; raises StoreError when the store cannot be written, and what is not judged stays closed."""
        self._work.set()
        while True:
            await self._work.wait()
            self._work.clear()
            while self._cases:
                async with self._judging.lock:
                    await self._deal_with(self._cases[0])

    def look(self) -> None:
        """See which routes are served now: to be called whenever a line came or went, or a SIM was changed."""
        now = self._desk.now
        for queue in self._desk.routes.values():
            served, since = self._desk.served(queue), queue.unserved_since
            if served and since is not None:
                queue.unserved_since = None
                self._ended(queue, since, now)
            elif not served and since is None:
                queue.unserved_since = now

    async def note_alive(self, urgency: Urgency) -> None:
        """Note durably that the box lives; when the last time was long ago, nobody knows what happened in between.

        Before load() it lives only to fail: what the life before noted is still needed.
        """
        if not self._loaded:
            return
        now, before = self._desk.now, self._noted_at
        self._noted_at = now
        if now - before >= self._judging.after_ms:
            for queue in self._desk.routes.values():
                if queue.unserved_since is None:
                    self._ended(queue, before, now, OutageKind.CLOCK)
        await self._judging.note_alive(now, self._to_note(), urgency)

    def unserved(self) -> dict[int, int]:
        """Return the routes on which something waits and no line is up, with since when (unix ms)."""
        return {
            route_id: queue.unserved_since
            for route_id, queue in self._desk.routes.items()
            if queue.unserved_since is not None and (len(queue) or queue.more)
        }

    def _to_note(self) -> dict[int, int]:
        """An outage that has ended and is not durable yet still counts as going on: it must not be forgotten."""
        pending = {case.route_id: case.since for case in self._cases if not case.id and case.route_id is not None}
        return self.unserved() | pending

    def _added(self, queue: RouteQueue) -> None:
        """Judge a route that turned up now as if it had been watched all the time."""
        if any(case.route_id == queue.route.id for case in self._cases):
            queue.judged_to = START
        now, since = self._desk.now, self._since(queue.route.id)
        firsts = [line.first_up_at for line in self._desk.lines.values() if self._desk.leads(queue, line)]
        if not firsts:
            queue.unserved_since = now if since is None else since
            return
        if since is not None:
            self._ended(queue, since, min(firsts))
        if not self._desk.served(queue):
            queue.unserved_since = now

    def _since(self, route_id: int) -> int | None:
        """Return since when a route was not served as this life began; None when there is nothing to know.

        That may lie ahead, while the clock is not set yet: then nothing is an outage until it is.
        """
        alive = self._past.alive
        if alive is None or route_id > self._past.last_route:
            return None
        return alive.unserved.get(route_id, alive.at)

    def _ended(self, queue: RouteQueue, since: int, until: int, kind: OutageKind | None = None) -> None:
        if until - since < self._judging.after_ms:
            return
        if not self._judging.lets_all_pass:
            queue.judged_to = START
        self._cases.append(Outage(queue.route.id, kind or self._kind(since, until), since, until))
        self._work.set()

    def _kind(self, since: int, until: int) -> OutageKind:
        """The box itself was away when that makes up most of the time."""
        alive = self._past.alive
        if alive is None or since > alive.at:
            return OutageKind.NO_SIM
        if self._started_at < alive.at:  # the clock was not set
            return OutageKind.CLOCK
        return OutageKind.DOWN if 2 * (self._started_at - alive.at) >= until - since else OutageKind.NO_SIM

    async def _deal_with(self, outage: Outage) -> None:
        """Judge everything that waited through an outage; broken off, it can be called again."""
        while await self._outbox.wake_timed(outage.until) >= WAKE_LIMIT:  # what came due meanwhile is judged too
            pass
        if not outage.id:
            stored = await self._judging.begin(outage, self._desk.now)
            if stored is not None:
                self._cases[0] = outage = stored
        after: Place | None = START if outage.id and not outage.judged_at else None
        held = expired = 0
        while after is not None:
            step = await self._outbox.judge(outage, after)
            held, expired, after = held + step.held, expired + step.expired, step.after
            self._drop(step)
            if after is not None:
                self._open(outage.route_id, after)
        if outage.id:
            level = _log.warning if held or expired else _log.info
            level("outage_judged", route=outage.route_id, held=held, expired=expired)
        self._open(outage.route_id, None)
        self._cases.popleft()

    def _drop(self, step: Judged) -> None:
        in_hand = self._desk.in_hand()
        for message in step.taken:
            if message not in in_hand:
                self._desk.forget(message)

    def _open(self, route_id: int | None, judged_to: Place | None) -> None:
        """Give out a route's messages as far as that; none of them while another outage of it is to be dealt with."""
        queue = None if route_id is None else self._desk.routes.get(route_id)
        if queue is not None:
            again = any(case.route_id == route_id for case in islice(self._cases, 1, None))
            queue.judged_to = START if again else judged_to
            self._desk.notify(queue, len(self._desk.lines))
