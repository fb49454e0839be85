"""Watching over the conservation law: the counters often, the whole table as often as it is cheap."""

from __future__ import annotations

import asyncio

import msgspec
import structlog

from modembank.clock import Clock, rfc3339, to_ms
from modembank.health.views import ConservationView
from modembank.messages import Conservation, Messages

REST_S = 600.0
"""Between two recounts at least."""
SHARE = 100
"""And so many times as long as the last one took: reading the table takes one percent of the time at most."""
CHEAP_S = 1.0
"""A recount that takes less is made whenever somebody asks."""
_log = structlog.get_logger()


class Recount(msgspec.Struct, frozen=True):
    """One look at the whole table."""

    found: Conservation
    at: int
    """Unix ms."""
    duration_s: float
    ended: float
    """Monotonic seconds."""


class Law:
    """Recounts, one at a time; a long one reads from a snapshot beside the writer and never blocks it."""

    def __init__(self, messages: Messages, clock: Clock) -> None:
        """Nothing is read until asked."""
        self._messages = messages
        self._clock = clock
        self._one = asyncio.Lock()
        self.last: Recount | None = None

    async def counters(self) -> Conservation:
        """Return what the counters say now."""
        return await self._messages.counters()

    async def recount(self) -> Recount:
        """Read the whole table now."""
        async with self._one:
            return await self._recount()

    async def fresh(self) -> Recount:
        """Return a new recount, or the last one where counting again is dear and would exceed its share of the time."""
        async with self._one:
            last = self.last
            if last is None or last.duration_s < CHEAP_S:
                return await self._recount()
            rested = self._clock.monotonic() - last.ended >= SHARE * last.duration_s
            return await self._recount() if rested else last

    def rest_s(self) -> float:
        """Return how long to wait before the next recount."""
        return REST_S if self.last is None else max(REST_S, SHARE * self.last.duration_s)

    async def breaches(self) -> tuple[str, ...]:
        """Return what is wrong: by the counters of now, and by the table when it was last read."""
        found = (await self.counters()).breaches()
        counted = () if self.last is None else self.last.found.breaches()
        return tuple(dict.fromkeys((*found, *counted)))

    async def _recount(self) -> Recount:
        started = self._clock.monotonic()
        at = to_ms(self._clock.now())
        found = await self._messages.recount()
        ended = self._clock.monotonic()
        self.last = Recount(found, at, ended - started, ended)
        if not found.holds:
            _log.error("conservation_broken", breaches=found.breaches())
        return self.last


def view_of(recount: Recount) -> ConservationView:
    """Return a recount as it is shown."""
    found = recount.found
    return ConservationView(
        holds=found.holds,
        accepted=found.accepted,
        terminal=found.terminal,
        open=found.open,
        recorded=found.recorded,
        counted=found.counted or {},
        breaches=found.breaches(),
        stranded=found.stranded,
        checked_at=rfc3339(recount.at),
        duration_s=round(recount.duration_s, 3),
    )
