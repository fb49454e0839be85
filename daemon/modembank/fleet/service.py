"""The fleet service: what the agent notes of the link, and what faces may see of it."""

from __future__ import annotations

import sqlite3

import msgspec

from modembank.accounts import Actor, Scope
from modembank.clock import Clock, to_ms
from modembank.config import Config, MqttConfig
from modembank.eventlog import EventLog, log
from modembank.fleet import pool_rows, rows, shadow
from modembank.fleet.enrolment import Enrolment
from modembank.fleet.model import FleetView, HubState, Life, LinkState
from modembank.store import Store, Urgency

KEEP_COMMANDS_MS = 61 * 86_400_000
"""How long a command is remembered: twice as long as any may wait."""


class Fleet:
    """The box's place in a fleet; without a hub it only says so."""

    def __init__(self, config: Config, store: Store, clock: Clock, events: EventLog) -> None:
        """Use these; events that the hub has not had are kept for it."""
        self._config = config
        self._store = store
        self._clock = clock
        self.enrolment = Enrolment(config, store, clock, self._begin_anew)
        self.why = ""
        self.hub = HubState.UNKNOWN
        self.next_try_at: int | None = None
        self.profile: str = config.mqtt.profile
        self.life: Life | None = None
        self.refused = 0
        self._begin_anew()
        events.keep_for(self._needed)

    def _begin_anew(self) -> None:
        """There is a link to be, or none, from now on."""
        now = to_ms(self._clock.now()) if self.set_up else None
        self.state = LinkState.CONNECTING if self.set_up else LinkState.NOT_SET_UP
        self.since: int | None = now
        self.working_at: int | None = now
        """When the hub was last known to hear the box, or when the daemon started."""
        self.why, self.next_try_at, self.hub = "", None, HubState.UNKNOWN

    @property
    def set_up(self) -> bool:
        """Whether there is a hub to report to: of the configuration file, or one that enrolled the box."""
        return bool(self._config.mqtt.url) or self.enrolment.membership is not None

    @property
    def mqtt(self) -> MqttConfig:
        """The section in force: the file's, completed where that names no hub by what one answered."""
        member = self.enrolment.membership
        if member is None:
            return self._config.mqtt
        ca, certificate, key = self.enrolment.files(member.pair)
        return msgspec.structs.replace(
            self._config.mqtt,
            url=member.brokers[0],
            site=member.site,
            box=member.box,
            ca=ca,
            certificate=certificate,
            key=key,
            hub_key=member.hub_keys,
        )

    @property
    def brokers(self) -> tuple[str, ...]:
        """Where the link can be made; one after another is tried."""
        member = self.enrolment.membership
        return (self._config.mqtt.url,) if member is None else member.brokers

    @property
    def site(self) -> str:
        """The first half of the box's name."""
        return self.mqtt.site

    @property
    def box(self) -> str:
        """The second half."""
        return self.mqtt.box or self._config.box.id

    async def begin(self) -> Life:
        """Count this start; once, before anything is told."""
        self.life = await self._store.write(lambda conn: rows.begin(conn, self._store.epoch))
        return self.life

    def note(self, state: LinkState, why: str = "", next_try_s: float | None = None) -> None:
        """Note how the link stands."""
        now = to_ms(self._clock.now())
        if state is not self.state:
            self.state, self.since = state, now
        self.why = why
        self.next_try_at = None if next_try_s is None else now + round(next_try_s * 1000)
        if state is not LinkState.ONLINE:
            self.hub = HubState.UNKNOWN

    def worked(self) -> None:
        """The hub heard the box."""
        self.working_at = to_ms(self._clock.now())

    async def view(self, actor: Actor) -> FleetView:
        """Return how the link stands. Raises Forbidden for all but admins."""
        actor.require(Scope.ADMIN)
        events, results, oldest, acknowledged = (
            await self._store.read(rows.waiting) if self.set_up else (0, 0, None, None)
        )
        mqtt, enrolment = self.mqtt, self.enrolment
        member = enrolment.membership
        wanted = await self._store.read(shadow.load) if self.set_up else shadow.Shadow()
        return FleetView(
            state=self.state,
            since=self.since,
            why=self.why,
            broker=mqtt.url,
            site=self.site if self.set_up else "",
            box=self.box if self.set_up else "",
            epoch=self.life.epoch if self.life else "",
            hub=self.hub,
            acknowledged_at=acknowledged,
            events_waiting=events,
            results_waiting=results,
            oldest_waiting_at=oldest,
            next_try_at=self.next_try_at,
            profile=self.profile,
            privacy=mqtt.privacy,
            commands_refused=self.refused,
            configuration=wanted.in_force[0],
            configuration_newest=wanted.ver,
            configuration_state=wanted.told if wanted.ver else "",
            enrolment=enrolment.state,
            enrolment_hub=enrolment.hub,
            enrolment_why=enrolment.why,
            certificate_ends_at=round(member.pair.not_after * 1000) if member else None,
            certificate_renews_at=round((member.coming or member.pair).renew_at * 1000) if member else None,
        )

    async def owned(self, sim_id: int) -> list[shadow.Owned]:
        """Return the keys of a SIM that are the hub's; nothing without a hub."""
        if not self.set_up:
            return []
        return [one for one in await self._store.read(shadow.owned) if one.sim == sim_id]

    async def forget_old(self) -> int:
        """Forget commands and messages of the pool that ended long ago; return how many commands."""
        now = to_ms(self._clock.now())
        await self._store.write(lambda conn: pool_rows.forget(conn, now - pool_rows.KEEP_MS), Urgency.LAZY)
        return await self._store.write(lambda conn: rows.forget(conn, now - KEEP_COMMANDS_MS), Urgency.LAZY)

    def _needed(self, conn: sqlite3.Connection) -> int | None:
        if not self.set_up:
            return None
        known = rows.acked(conn)
        return max(known["ev"], log.latest(conn) - self._config.mqtt.most_events) if known else None
