"""Which settings are the hub's: worked out for each SIM, and laid over the site's by the services that faces call.

A key that becomes the hub's remembers what the site had; when it is the hub's no more, the site has that again, or what
it has wanted meanwhile. Laying the same document over twice changes nothing the second time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping

import msgspec

from modembank.accounts import Actor
from modembank.app import App
from modembank.audit import record
from modembank.clock import to_ms
from modembank.decency import QuietHoursConfig
from modembank.errors import NotFound
from modembank.fleet import shadow as rows
from modembank.fleet.shadow import Owned, Value
from modembank.sim import LimitName, RateLimits, Sim, SimChange
from modembank_fleet.agent.telling import Pseudonyms
from modembank_fleet.wire import EVERY_SIM, CfgDocument, CfgQuietHours, ReportedError, of_sim

PAUSED = "paused"
BY_THE_HUB = "paused by the hub's configuration"
_LIMITS = "limits."


class Difference(msgspec.Struct):
    """What is to change of one SIM."""

    set: dict[str, Value] = msgspec.field(default_factory=dict)
    takes: dict[str, Value] = msgspec.field(default_factory=dict)
    """Keys that become the hub's, with what the site has."""
    leaves: list[str] = msgspec.field(default_factory=list)
    """Keys that are the site's again."""

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.set or self.takes or self.leaves)

    def as_change(self) -> SimChange:
        """Return it as the registry of SIMs takes it."""
        limits = {key.removeprefix(_LIMITS): value for key, value in self.set.items() if key.startswith(_LIMITS)}
        label, paused = self.set.get("label"), self.set.get(PAUSED)
        return SimChange(
            label=None if label is None else str(label),
            limits=limits or None,  # type: ignore[arg-type]  # these keys have numbers
            pause=(paused if isinstance(paused, str) else BY_THE_HUB) if paused else None,
            resume=PAUSED in self.set and not paused,
        )


class Owning(msgspec.Struct):
    """Lays documents over the settings of a box."""

    app: App
    names: Pseudonyms
    set_profile: Callable[[str], None]
    usual_profile: str = ""
    """How often telemetry comes when no command wants it otherwise."""

    def __post_init__(self) -> None:
        """Begin with what the file says."""
        self.usual_profile = self.usual_profile or self.app.config.mqtt.profile

    def wanted_of(self, document: CfgDocument, sim: Sim) -> dict[str, Value]:
        """Return the keys of a SIM that are the hub's: its own entry's before those of all SIMs, none beyond a cap."""
        found: dict[str, Value] = {}
        mine = {self.names.of(sim.iccid), sim.iccid}
        for selector, entry in document.sims.items():
            if selector == EVERY_SIM:
                found = {**of_sim(entry), **found}
            elif selector in mine or (len(selector) > 16 and self.app.sims.by_iccid(selector) is sim):
                found.update(of_sim(entry))
        caps = self._caps(sim)
        for key, value in found.items():
            if key.startswith(_LIMITS) and _beyond(caps, key, value):
                found[key] = caps.cap(LimitName(key.removeprefix(_LIMITS)))
        return found

    def problems(self, document: CfgDocument) -> Iterator[ReportedError]:
        """Yield what this box can not do of a document."""
        allowed = frozenset(self.app.config.mqtt.hub_settings)
        for path, setting in document.settings():
            if setting not in allowed:
                yield ReportedError(path=path, code="site_owned", detail=f"the site keeps {setting} to itself")
        sims = self.app.sims.all()
        for selector, entry in document.sims.items():
            found = [sim for sim in sims if selector in {sim.iccid, self.names.of(sim.iccid)}]
            if selector != EVERY_SIM and not found and (sim := self.app.sims.by_iccid(selector)) is not None:
                found = [sim]
            if selector != EVERY_SIM and not found:
                yield ReportedError(path=f"sims.{selector}", code="sim_not_found", detail="no such SIM was ever here")
            caps = [self._caps(sim) for sim in found] or [RateLimits.of(self.app.config.limits)]
            for key, value in of_sim(entry).items():
                path = f"sims.{selector}.{key}"
                if key.startswith(_LIMITS) and any(_beyond(cap, key, value) for cap in caps):
                    detail = f"the site allows {caps[0].cap(LimitName(key.removeprefix(_LIMITS))):g}"
                    yield ReportedError(path=path, code="beyond_local_cap", detail=detail)

    async def lay_over(self, document: CfgDocument, ver: int, actor: Actor, *, fresh: bool = False) -> int:
        """Make the box as a document wants it; return how many SIMs were changed.

        What the site has wanted since ``ver`` was the newest stands (a pause), unless that was before a ``fresh`` one.
        Raises InvalidRequest, StoreError.
        """
        profile = document.profile if isinstance(document.profile, str) else self.app.config.mqtt.profile
        if profile != self.usual_profile:
            self.usual_profile = profile
            self.set_profile(profile)
        self.app.quiet_hours.set(self._quiet_hours(document))
        owned: dict[int, dict[str, Owned]] = {}
        for one in await self.app.store.read(rows.owned):
            try:
                owned.setdefault(self.app.sims.get(one.sim).id, {})[one.key] = one
            except NotFound:
                continue
        changed = 0
        for sim in self.app.sims.all():
            now_owned = owned.get(sim.id, {})
            found = self._difference(sim, self.wanted_of(document, sim), now_owned, ver if fresh else None)
            if found:
                await self._change(sim, found, now_owned, ver, actor)
                changed += 1
        return changed

    def _quiet_hours(self, document: CfgDocument) -> QuietHoursConfig:
        wanted = document.quiet_hours
        if not isinstance(wanted, CfgQuietHours):
            return self.app.config.quiet_hours
        return QuietHoursConfig(wanted.from_, wanted.to, wanted.exempt_priority)

    def _difference(
        self, sim: Sim, wanted: Mapping[str, Value], owned: Mapping[str, Owned], fresh: int | None
    ) -> Difference:
        """``fresh``: what the site wanted before this version is answered by it."""
        found = Difference()
        for key, value in wanted.items():
            has, mine = current(sim, key), owned.get(key)
            if mine is None:
                found.takes[key] = self._of_the_site(sim, key)
            elif key == PAUSED and mine.wanted == (True,) and (fresh is None or mine.wanted_ver >= fresh):
                value = True  # noqa: PLW2901 - the site's pause stands
            if has != value:
                found.set[key] = value
        for key in owned.keys() - wanted.keys():
            mine = owned[key]
            value = mine.site if mine.wanted is None else mine.wanted[0]
            found.leaves.append(key)
            if not (key == PAUSED and value is True and sim.paused) and self._of_the_site(sim, key) != value:
                found.set[key] = value
        return found

    async def _change(self, sim: Sim, found: Difference, owned: Mapping[str, Owned], ver: int, actor: Actor) -> None:
        now = to_ms(self.app.clock.now())
        told = dict(found.set)

        def also(conn: sqlite3.Connection) -> None:
            rows.own(conn, sim.id, found.takes)
            rows.release(conn, [(owned[key].sim, key) for key in found.leaves])
            if told:
                record(conn, actor, "sim.change", sim.iccid, now, {"version": ver, **told})

        if found.set:
            await self.app.sims.change(sim.id, found.as_change(), also, by_the_owner=True)
        else:
            await self.app.store.write(also)

    def _of_the_site(self, sim: Sim, key: str) -> Value:
        """Return what the site has, as it is to be given back: nothing where it follows its file."""
        if key == PAUSED:
            return sim.paused_reason
        if key == "label":
            entry = self.app.sims.configured(sim.iccid)
            return "" if entry is not None and entry.label == sim.label else sim.label
        return sim.overrides.get(key.removeprefix(_LIMITS))

    def _caps(self, sim: Sim) -> RateLimits:
        entry = self.app.sims.configured(sim.iccid)
        return RateLimits.of(self.app.config.limits, entry.limits if entry else None)


def current(sim: Sim, key: str) -> Value:
    """Return what a key of a SIM is now, as a document writes it; None for a limit that was not set at run time."""
    if key == PAUSED:
        return sim.paused
    return sim.label if key == "label" else sim.overrides.get(key.removeprefix(_LIMITS))


def named(change: SimChange) -> dict[str, Value]:
    """Return what somebody wants to change of a SIM, by keys as documents have them."""
    found: dict[str, Value] = {}
    if change.label is not None:
        found["label"] = change.label
    for name, value in (change.limits or {}).items():
        found[f"{_LIMITS}{name}"] = value
    if change.pause is not None:
        found[PAUSED] = True
    elif change.resume:
        found[PAUSED] = False
    return found


def beyond(caps: RateLimits, name: LimitName, value: float) -> bool:
    """Whether a limit is looser than a site's own."""
    cap = caps.cap(name)
    return value < cap if name == LimitName.MIN_INTERVAL else cap > 0 and (value == 0 or value > cap)


def _beyond(caps: RateLimits, key: str, value: Value) -> bool:
    return beyond(caps, LimitName(key.removeprefix(_LIMITS)), float(value or 0))
