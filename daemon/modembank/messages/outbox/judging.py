"""Judging what waited through an outage, by the box's rule; and the notes by which the next start knows of one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog
from msgspec.structs import replace

from modembank.clock import rfc3339
from modembank.config import OutageConfig
from modembank.messages.outbox import holding, outages
from modembank.messages.outbox.holding import Judged, Place
from modembank.messages.outbox.outages import Outage, Past
from modembank.metrics import Metrics
from modembank.store import Store, Urgency

_log = structlog.get_logger()


class Judging:
    """Writes one bounded step at a time; who calls sees to it that nothing of the route goes out before its turn."""

    def __init__(self, store: Store, metrics: Metrics, rule: OutageConfig) -> None:
        """Use these."""
        self._store = store
        self._metrics = metrics
        self.rule = rule
        self.lock = asyncio.Lock()
        """Held while an outage is judged, and while an admin's decision is carried out: never both."""

    @property
    def after_ms(self) -> int:
        """How long nothing could be sent when it is called an outage."""
        return self.rule.after_s * 1000

    @property
    def lets_all_pass(self) -> bool:
        """Whether outages are only noted."""
        return self.rule.rule == "send"

    async def past(self) -> Past:
        """Return what the life before this one left."""
        return await self._store.read(outages.read_past)

    async def note_alive(self, at: int, unserved: Mapping[int, int], urgency: Urgency) -> None:
        """Note that the box lives, and since when routes on which something waits have been without a SIM."""
        await self._store.write(lambda conn: outages.note_alive(conn, at, unserved), urgency)

    async def begin(self, outage: Outage, now: int) -> Outage | None:
        """Make an outage durable, so that a crash in the middle of judging is made good; None when nothing waited."""
        given = replace(outage, judged_at=now if self.lets_all_pass else None)
        stored = await self._store.write(lambda conn: outages.add(conn, given))
        if stored is not None:
            self._metrics.outages.labels(stored.kind.value).inc()
            _log.warning(
                "outage_ended",
                route=stored.route_id,
                kind=stored.kind.value,
                since=rfc3339(stored.since),
                until=rfc3339(stored.until),
            )
        return stored

    async def step(self, outage: Outage, after: Place, now: int) -> Judged:
        """Judge the next messages of a stored outage; events are to be published by the caller."""
        if self.lets_all_pass:  # the box was started again under this rule, in the middle of judging
            await self._store.write(lambda conn: outages.count(conn, outage.id, 0, 0, now))
            return Judged(None)
        older_than_ms, expire = self.rule.older_than_s * 1000, self.rule.rule == "expire"
        looked = await self._store.read(lambda conn: holding.look(conn, outage, older_than_ms, after, now))
        if looked.after is not None and not looked.late and not looked.old:
            return Judged(looked.after)
        time = asyncio.get_running_loop().time
        began = time()
        judged = await self._store.write(lambda conn: holding.judge(conn, outage, looked, now, expire=expire))
        await asyncio.sleep(time() - began)  # so that others, in other processes too, have half of the writer's time
        return judged
