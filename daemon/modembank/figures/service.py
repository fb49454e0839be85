"""The figures service: reads counters that are kept anyway, never the messages themselves, on behalf of an admin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import pairwise

from modembank.accounts import Actor, Scope
from modembank.accounts.quotas import accepted_by_day
from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.errors import FieldProblem, InvalidRequest
from modembank.figures.past import Past
from modembank.figures.report import MOST_DAYS, Line, Report
from modembank.messages.ended_badly import BAD_ENDS, bad_ends_by_sim
from modembank.providers import Providers
from modembank.sim import Sim, Sims
from modembank.sim.limits import DAY_MS
from modembank.sim.usage import USAGE_KEPT_MS
from modembank.store import Store


class Figures:
    """Reports over days of the box."""

    def __init__(
        self, store: Store, bus: Bus, clock: Clock, sims: Sims, providers: Providers, zone: tzinfo | None = None
    ) -> None:
        """Use these; ``zone`` is the box's own when None."""
        self._store = store
        self._past = Past(store, bus)
        self._clock = clock
        self._sims = sims
        self._providers = providers
        self._zone = zone

    def today(self) -> date:
        """Return the day of the box."""
        return datetime.fromtimestamp(self._clock.now(), self._zone).date()

    async def report(self, actor: Actor, first: date, last: date) -> Report:
        """Return what happened from one day to another, both in.

        Raises Forbidden for all but admins, and InvalidRequest for a span that is none or is longer than MOST_DAYS.
        """
        actor.require(Scope.ADMIN)
        days = _days(first, last)
        midnights = [self._midnight(day) for day in (*days, days[-1] + timedelta(days=1))]

        counted = await self._past.days(list(pairwise(midnights)), to_ms(self._clock.now()))
        accepted = await self._store.read(lambda conn: accepted_by_day(conn, first, last))
        sims = {sim.id: sim for sim in self._sims.all()}
        return Report(
            days=days,
            senders=_most_first(
                Line(name, name, "", tuple(by_day.get(day, 0) for day in days)) for name, by_day in accepted.items()
            ),
            sims=_most_first(
                self._line(sim_id, tuple(day.sent.get(sim_id, 0) for day in counted), sims)
                for sim_id in {sim_id for day in counted for sim_id in day.sent}
            ),
            sims_since=self._known_since(),
            ends={state: tuple(day.ends[state] for day in counted) for state in BAD_ENDS},
        )

    async def failures(self, actor: Actor) -> Mapping[int | None, int]:
        """Return the messages of the last 24 hours that came to a bad end, by the SIM that tried last (None: none did).

        Raises Forbidden for all but admins.
        """
        actor.require(Scope.ADMIN)
        since = to_ms(self._clock.now()) - DAY_MS
        return await self._store.read(lambda conn: bad_ends_by_sim(conn, since))

    def _line(self, sim_id: int, by_day: tuple[int, ...], sims: Mapping[int, Sim]) -> Line:
        if sim_id < 0:
            name = self._providers.name_of(sim_id)
            return Line(f"provider {name}", name, "provider", by_day)
        sim = sims.get(sim_id)
        if sim is None:
            return Line(f"SIM {sim_id}", f"SIM {sim_id}", "", by_day)
        return Line(sim.iccid, sim.name, sim.msisdn or f"…{sim.iccid[-6:]}", by_day)

    def _known_since(self) -> date:
        """Return the first day of which nothing has been dropped yet."""
        oldest = self._clock.now() - USAGE_KEPT_MS / 1000
        return datetime.fromtimestamp(oldest, self._zone).date() + timedelta(days=1)

    def _midnight(self, day: date) -> int:
        return to_ms(datetime.combine(day, time(), self._zone).timestamp())


def _days(first: date, last: date) -> tuple[date, ...]:
    count = (last - first).days + 1
    if count < 1:
        raise InvalidRequest(FieldProblem("/to", "must not lie before the first day"))
    if count > MOST_DAYS:
        raise InvalidRequest(FieldProblem("/from", f"{count} days are too many at once: ask for at most {MOST_DAYS}"))
    return tuple(first + timedelta(days=place) for place in range(count))


def _most_first(lines: Iterable[Line]) -> tuple[Line, ...]:
    return tuple(sorted(lines, key=lambda line: (-line.total, line.name.casefold(), line.key)))
