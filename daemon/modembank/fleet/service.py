"""The fleet service: what the agent notes of the link, and what faces may see of it."""

from __future__ import annotations

import sqlite3

from modembank.accounts import Actor, Scope
from modembank.clock import Clock, to_ms
from modembank.config import Config
from modembank.eventlog import EventLog, log
from modembank.fleet import pool_rows, rows, shadow
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
        self.set_up = bool(config.mqtt.url)
        self.state = LinkState.CONNECTING if self.set_up else LinkState.NOT_SET_UP
        self.since: int | None = to_ms(clock.now()) if self.set_up else None
        self.why = ""
        self.hub = HubState.UNKNOWN
        self.next_try_at: int | None = None
        self.profile: str = config.mqtt.profile
        self.life: Life | None = None
        self.refused = 0
        self.working_at: int | None = self.since
        """When the hub was last known to hear the box, or when the daemon started."""
        if self.set_up:
            events.keep_for(self._needed)

    @property
    def site(self) -> str:
        """The first half of the box's name."""
        return self._config.mqtt.site

    @property
    def box(self) -> str:
        """The second half."""
        return self._config.mqtt.box or self._config.box.id

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
        mqtt = self._config.mqtt
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
        known = rows.acked(conn)
        return max(known["ev"], log.latest(conn) - self._config.mqtt.most_events) if known else None
