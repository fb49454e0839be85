"""Who may take a message, in stages: as it names them, as the first rule that fits says, else the cheapest first."""

from __future__ import annotations

from datetime import tzinfo
from itertools import groupby

from modembank.dispatch.queues import Entry
from modembank.dispatch.window import opens_at
from modembank.messages.model import QueuedMessage, Route, Stage
from modembank.messages.routes import SimNames
from modembank.providers import BANK, Channel, Provider, Providers, Rule

_BANK = (Stage(bank=True),)


class Planner:
    """Knows the rules and what providers cost."""

    def __init__(self, providers: Providers | None, names: SimNames, zone: tzinfo | None = None) -> None:
        """``zone`` is the box's own when None."""
        self._providers = providers
        self._names = names
        self._zone = zone
        self._version = -1
        self._by_cost: dict[str, tuple[Stage, ...]] = {}
        self._rules: list[tuple[int, Rule, tuple[Stage, ...]]] = []
        """With the place of each among all."""
        self._timed = False

    def stages(self, entry: Entry, route: Route, now: int) -> tuple[Stage, ...] | None:
        """Return who may take a message, in order; None: any SIM of its route, all alike."""
        if route.stages:
            return route.stages
        if self._providers is None or not route.is_open:
            return None
        self._refresh(self._providers)
        if not self._rules and self._by_cost.get(route.channel, ()) == _BANK:
            return None
        mark = (self._version, now // 60_000 if self._timed else 0)
        if entry.planned != mark:
            entry.planned, entry.plan = mark, self._plan(entry.message, route.channel, now)
        return entry.plan

    def may_ever(self, route: Route, provider: Provider) -> bool:
        """Return whether a provider can come to take messages of a route."""
        if route.stages:
            return any(provider.row.id in stage.providers for stage in route.stages)
        if self._providers is None or not route.is_open or route.channel != provider.channel:
            return False
        self._refresh(self._providers)
        plans = [self._by_cost.get(route.channel, ()), *(stages for _, _, stages in self._rules)]
        return any(provider.row.id in stage.providers for stages in plans for stage in stages)

    def is_staged(self, route: Route) -> bool:
        """Return whether some of those who lead out of a route go before others."""
        if route.stages:
            return len(route.stages) > 1
        if self._providers is None or not route.is_open:
            return False
        self._refresh(self._providers)
        return bool(self._rules) or self._by_cost.get(route.channel, ()) != _BANK

    def chosen(
        self, recipient: str, channel: str, user: str, priority: int, now: int
    ) -> tuple[int | None, tuple[Stage, ...]]:
        """Return who may take a message that names nobody, in order, and the place of the rule that says so."""
        if self._providers is None:
            return None, _BANK if channel == Channel.SMS else ()
        self._refresh(self._providers)
        for place, rule, stages in self._rules:
            if rule.channel != channel or not rule.fits(recipient, user, priority):
                continue
            if not rule.hours or opens_at(rule.hours, now, self._zone) is None:
                return place, stages
        return None, self._by_cost.get(channel, ())

    def _plan(self, message: QueuedMessage, channel: str, now: int) -> tuple[Stage, ...]:
        assert self._providers is not None
        user = self._providers.user_name(message.user_id)
        return self.chosen(message.recipient, channel, user, 9 - message.rank, now)[1]

    def _refresh(self, providers: Providers) -> None:
        if self._version == providers.version:
            return
        self._by_cost = {channel.value: self._cheapest(providers, channel) for channel in Channel}
        named = ((place, rule, self.named(rule.providers)) for place, rule in enumerate(providers.rules))
        self._rules = [each for each in named if each[2]]
        self._timed = any(rule.hours for rule in providers.rules)
        self._version = providers.version

    def named(self, names: tuple[str, ...]) -> tuple[Stage, ...]:
        """Return stages of these names in order; SIMs that stand side by side are one stage, unknown names none."""
        found: list[Stage] = []
        for is_provider, group in groupby(names, self._is_provider):
            if is_provider:
                known = (None if self._providers is None else self._providers.named(name) for name in group)
                found += [Stage(providers=(each.row.id,)) for each in known if each is not None]
                continue
            some = tuple(group)
            sims = {sim for name in some if name != BANK for sim in self._names.one(name)}
            if BANK in some or sims:
                found.append(Stage(bank=BANK in some, sims=tuple(sorted(sims))))
        return tuple(found)

    def _is_provider(self, name: str) -> bool:
        return name != BANK and self._providers is not None and self._providers.named(name) is not None

    @staticmethod
    def _cheapest(providers: Providers, channel: Channel) -> tuple[Stage, ...]:
        costs = [(each.row.sharing.cost, each.row.id) for each in providers.of(channel) if each.row.sharing.automatic]
        if channel is Channel.SMS:
            costs.append((0.0, 0))
        return tuple(
            Stage(bank=any(id_ == 0 for _, id_ in group), providers=tuple(sorted(id_ for _, id_ in group if id_)))
            for group in (tuple(each) for _, each in groupby(sorted(costs), lambda one: one[0]))
        )
