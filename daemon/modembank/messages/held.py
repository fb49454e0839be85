"""Held messages: how many there are and why, and an admin's decision about them."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import structlog

from modembank import audit
from modembank.accounts.model import Actor
from modembank.bus import Bus
from modembank.clock import Clock, rfc3339, to_ms
from modembank.errors import Conflict, FieldProblem, Forbidden, InvalidRequest
from modembank.events import MessagesReady
from modembank.messages.model import Stage
from modembank.messages.outbox import holding, outages
from modembank.messages.outbox.holding import START, Chosen, Decided, Held, Place
from modembank.messages.outbox.judging import Judging
from modembank.messages.outbox.outages import Outage, OutageKind
from modembank.messages.outbox.queue import read_route
from modembank.messages.views import AgeView, HeldRouteView, OutageDecision, OutagePeriod, OutageView
from modembank.store import Store, Urgency

BUCKETS_S = (3_600, 4 * 3_600, 12 * 3_600, 86_400, 2 * 86_400, 7 * 86_400)
"""Bounds between the buckets of ages."""
SHOWN = 20
"""Past outages in one answer."""
_log = structlog.get_logger()


class HeldMessages:
    """What waits for an admin's decision, on behalf of an actor."""

    def __init__(
        self, store: Store, bus: Bus, clock: Clock, judging: Judging, unserved: Callable[[], Mapping[int, int]]
    ) -> None:
        """``unserved`` tells since when routes on which something waits have been without a SIM."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._judging = judging
        self._unserved = unserved

    async def count(self) -> int:
        """Return how many messages are held."""
        return await self._store.read(holding.count_held)

    async def overview(self, actor: Actor) -> OutageView:
        """Return held messages by age and route, and the outages; raises Forbidden for all but admins."""
        _require_admin(actor)
        now, unserved = self._now(), dict(self._unserved())
        rule = self._judging.rule

        def read(conn: sqlite3.Connection) -> OutageView:
            found = holding.ages(conn, [bound * 1000 for bound in BUCKETS_S], now)
            routes = Counter({one.route_id: 0 for one in found})
            for one in found:
                routes[one.route_id] += one.count
            going_on = [Outage(route_id, OutageKind.NO_SIM, since, now) for route_id, since in unserved.items()]
            return OutageView(
                held=routes.total(),
                oldest_due_at=rfc3339(min(one.oldest for one in found)) if found else None,
                ages=_ages(found),
                routes=tuple(HeldRouteView(_route(conn, route_id), n) for route_id, n in routes.most_common()),
                outages=(
                    *(_period(conn, one, goes_on=True) for one in going_on),
                    *(_period(conn, one) for one in outages.outages(conn)[:SHOWN]),
                ),
                rule=rule.rule,
                after_s=rule.after_s,
                older_than_s=rule.older_than_s,
            )

        return await self._store.read(read)

    async def decide(
        self,
        actor: Actor,
        decision: Literal["send", "expire"],
        *,
        older_than_s: int | None = None,
        newer_than_s: int | None = None,
        recorded: bool = False,
    ) -> OutageDecision:
        """Send or give up the held messages whose age lies between; again, it finds what is still held.

        The order goes into the audit log with its first step, unless the caller has ``recorded`` it.

        Raises Forbidden for all but admins, InvalidRequest for ages that no message can have, and Conflict while what
        waited is still being looked through.
        """
        _require_admin(actor)
        if older_than_s is not None and newer_than_s is not None and newer_than_s <= older_than_s:
            raise InvalidRequest(FieldProblem("/newer_than_s", "must be greater than older_than_s"))
        if self._judging.lock.locked():
            raise Conflict(why="what waited is still being looked through; ask again in a minute")
        now = self._now()
        chosen = Chosen(
            after=None if newer_than_s is None else now - newer_than_s * 1000,
            until=None if older_than_s is None else now - older_than_s * 1000,
        )

        def step(conn: sqlite3.Connection, after: Place) -> Decided:
            if after == START and not recorded:
                ages = {"older_than_s": older_than_s, "newer_than_s": newer_than_s}
                audit.record(conn, actor, "outage.decide", "", now, {"decision": decision, **ages})
            if decision == "send":
                return holding.release(conn, chosen, after, now)
            return holding.give_up(conn, chosen, after, now, actor.name)

        async with self._judging.lock:
            sent, expired = await self._in_steps(step)
        _log.info("held_messages_decided", decision=decision, sent=sent, expired=expired, by=actor.name)
        return OutageDecision(sent, expired, await self.count())

    async def _in_steps(self, step: Callable[[sqlite3.Connection, Place], Decided]) -> tuple[int, int]:
        """Take bounded steps, each durable before the next; what is released is announced as it is."""
        sent = expired = 0
        place: Place | None = START
        while place is not None:
            after = place
            done = await self._store.write(lambda conn, after=after: step(conn, after), Urgency.NOW)  # type: ignore[misc]
            for event in done.events:
                self._bus.publish(event)
            if done.entries:
                self._bus.publish(MessagesReady(self._now(), done.entries))
            sent, expired, place = sent + len(done.entries) + done.later, expired + done.expired, done.after
        if sent:  # wakes who waits for a time, too
            self._bus.publish(MessagesReady(self._now(), ()))
        return sent, expired

    def _now(self) -> int:
        return to_ms(self._clock.now())


def _require_admin(actor: Actor) -> None:
    if not actor.is_admin:
        raise Forbidden(why="only an admin decides what becomes of held messages")


def _ages(found: list[Held]) -> tuple[AgeView, ...]:
    counts: Counter[int] = Counter()
    for one in found:
        counts[one.bucket] += one.count
    bounds = (0, *BUCKETS_S, None)
    return tuple(AgeView(bounds[at] or 0, bounds[at + 1], counts[at]) for at in range(len(BUCKETS_S) + 1))


def _period(conn: sqlite3.Connection, outage: Outage, *, goes_on: bool = False) -> OutagePeriod:
    return OutagePeriod(
        route="everything" if outage.route_id is None else _route(conn, outage.route_id),
        kind=outage.kind.value,
        cause=outage.why,
        since=rfc3339(outage.since),
        until=None if goes_on else rfc3339(outage.until),
        held=outage.held,
        expired=outage.expired,
    )


def _route(conn: sqlite3.Connection, route_id: int) -> str:
    """Return what messages of a route may leave through, in words."""
    route = read_route(conn, route_id)
    if route is not None and route.stages:
        return ", else ".join(_stage(conn, stage) for stage in route.stages)
    if route is not None and route.channel != "sms":
        return f"any provider of {route.channel}"
    if route is None or route.is_open:
        return "any SIM"
    if route.pool is not None:
        return f"pool {route.pool}"
    return _sims(conn, route.sims)


def _stage(conn: sqlite3.Connection, stage: Stage) -> str:
    if stage.providers:
        wanted = (
            conn.execute("SELECT name FROM providers WHERE id = ?", (each,)).fetchone() for each in stage.providers
        )
        return f"provider {', '.join('unknown' if row is None else row[0] for row in wanted)}"
    return "any SIM" if stage.bank else _sims(conn, stage.sims)


def _sims(conn: sqlite3.Connection, sims: Sequence[int]) -> str:
    rows = (conn.execute("SELECT iccid FROM sims WHERE id = ?", (sim_id,)).fetchone() for sim_id in sims)
    return f"SIM {', '.join('unknown' if row is None else row[0] for row in rows)}"
