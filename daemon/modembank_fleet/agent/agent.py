"""The agent: connects, says what the box is, tells what happens, and takes commands, for as long as the box runs."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
import structlog

from modembank.app import App
from modembank.clock import to_ms
from modembank.config import MqttConfig
from modembank.eventlog import Entry, append
from modembank.events import BoxChanged, Event, ModemStateChanged, SimChanged
from modembank.fleet import HubState, LinkState, Pair
from modembank.store import Urgency
from modembank.supervision import Supervisor
from modembank_fleet.agent.clocks import Timekeeper
from modembank_fleet.agent.commands import Commands, Trust
from modembank_fleet.agent.ota import ota
from modembank_fleet.agent.owning import Owning
from modembank_fleet.agent.pool import Pool
from modembank_fleet.agent.shadow import ConfigShadow, Trial
from modembank_fleet.agent.streams import Means, Streams, stamp
from modembank_fleet.agent.telemetry import LIVE_S, PERIODS, Telemetry
from modembank_fleet.agent.telling import Pseudonyms
from modembank_fleet.agent.updating import Pace, Updating
from modembank_fleet.agent.verbs import Renew, Surroundings, not_enrolled
from modembank_fleet.link import (
    Backoff,
    Broker,
    Incoming,
    LinkError,
    LinkRefused,
    Session,
    TlsFiles,
    Will,
    connect,
    first_error,
)
from modembank_fleet.wire import (
    HELLO,
    Ack,
    Address,
    Avail,
    Hello,
    HubKey,
    LogChunk,
    WireError,
    decode,
    encode,
    everything_down,
    pack,
)

SESSION_S = 300
WILL_S = 30
CLOCK_S = 10.0
CHANGES_S = 10.0
"""Within so many seconds a change of modems is told; several that come together in one."""
LOG_S = 3600
UPDATE_S = 5.0
_log = structlog.get_logger()


class Agent:
    """The box's side of the fleet link; without a hub in the configuration it does nothing."""

    def __init__(
        self,
        app: App,
        *,
        time: Timekeeper | None = None,
        backoff: Backoff | None = None,
        trial: Trial | None = None,
        renew: Renew = not_enrolled,
        pace: Pace | None = None,
    ) -> None:
        """Make it; ``prepare`` lays over what the hub owns, ``start`` begins to tell.

        ``renew`` gets another certificate, where a hub enrolled the box.
        """
        self._app = app
        self._config = app.fleet.mqtt
        self._renew = renew
        self._tries = 0
        self._in_use = 0
        self._other_certificate = asyncio.Event()
        self._time = time or Timekeeper(app.clock)
        self._backoff = backoff or Backoff()
        self._supervisor = Supervisor()
        self._connections = 0
        self._hub_epoch: str | None = None
        self._session: Session | None = None
        self._streams: Streams | None = None
        self._telemetry: Telemetry | None = None
        self._commands: Commands | None = None
        self._shadow: ConfigShadow | None = None
        self._trial = trial or Trial()
        self._updating = Updating(app, self._poke, self._update_changed, pace or Pace())
        self._updated = asyncio.Event()
        self._reconfigured = asyncio.Event()
        self._pool: Pool | None = None
        self._unsubscribe: list[Callable[[], None]] = []
        self._retimed = asyncio.Event()
        self._born_again = asyncio.Event()
        self._within_s = 0.0
        self._said: list[list[Any]] = []
        self._live_until = 0.0

    async def prepare(self) -> None:
        """Lay over the settings that are the hub's, before anything is sent."""
        if not self._app.fleet.set_up or self._shadow is not None:
            return
        self._life = life = await self._app.fleet.begin()
        self._address = Address(self._app.fleet.site, self._app.fleet.box)
        self._pool = pool = Pool(self._app, self._time, life, self._poke)
        gates = frozenset(self._config.commands)
        trust = Trust(self._address, life.epoch, _keys(self._config), gates, pool=pool.is_on)
        self._names = names = Pseudonyms(life.secret)
        self._telemetry = Telemetry(self._app, self._time, life, trust, names, pool)
        owning = Owning(self._app, names, self._set_profile)
        self._shadow = ConfigShadow(
            owning, trust, life, self._time, self._trial, self._refused, self._linked, self._reconfigured.set
        )
        around = Surroundings(
            self._app,
            self._rebirth,
            self._set_profile,
            self._time.up_s,
            self._send_log,
            self._shadow.again,
            lambda: 0 if self._shadow is None else self._shadow.in_force,
            self._renew,
            self._updating,
        )
        self._commands = Commands(trust, around, self._time, self._poke, pool)
        await pool.start()
        await self._shadow.resume()

    async def start(self) -> None:
        """Begin, if there is a hub to report to; the broker may come later, or never."""
        await self.prepare()
        commands, shadow, pool = self._commands, self._shadow, self._pool
        if commands is None or shadow is None or pool is None:
            self._app.appliance.fetched.forget()  # of a hub that there was
            return
        self._means = Means(
            self._app.store,
            self._app.events,
            self._time,
            self._life,
            self._address,
            self._config.privacy,
            self._names,
            self._app.clock.monotonic,
        )
        await commands.resume()
        for kind in (ModemStateChanged, SimChanged):
            self._unsubscribe.append(self._app.bus.subscribe(kind, self._changed))
        self._unsubscribe.append(self._app.bus.subscribe(BoxChanged, lambda _: self._update_changed()))
        self._supervisor.start("fleet.commands", commands.run)
        self._supervisor.start("fleet.config", shadow.run)
        self._supervisor.start("fleet.pool", pool.run)
        self._supervisor.start("fleet.update", self._updating.run)
        self._supervisor.start("fleet.clock", self._watch_clock)
        self._supervisor.start("fleet.link", self._keep_connected)

    async def stop(self) -> None:
        """Say that the box goes, if there is a connection, and end."""
        self._app.sims.guard(None)
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        if self._pool is not None:
            self._pool.stop()
        session = self._session
        if session is not None and session.alive:
            with contextlib.suppress(LinkError, LinkRefused, TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._say_avail(session, "offline", "shutdown")
        await self._supervisor.stop_all(2.0)

    def change_certificate(self) -> None:
        """There is another certificate: connect with it soon, unless that is how the box is connected."""
        coming = self._coming
        if coming is not None and coming.number != self._in_use:
            self._tries = 0
            self._other_certificate.set()

    # -- the connection

    async def _keep_connected(self) -> None:
        fleet = self._app.fleet
        while True:
            wait_s = 0.0 if self._other_certificate.is_set() else self._backoff.next_s()
            self._other_certificate.clear()
            fleet.note(fleet.state if fleet.state is LinkState.REFUSED else LinkState.WAITING, fleet.why, wait_s)
            await asyncio.sleep(wait_s)
            began = self._app.clock.monotonic()
            if fleet.state is not LinkState.REFUSED:
                fleet.note(LinkState.CONNECTING, fleet.why)
            self._tries += 1
            try:
                await self._connected()
            except LinkRefused as error:
                self._failed(LinkState.REFUSED, str(error))
            except LinkError as error:
                self._failed(LinkState.WAITING, str(error))
            else:
                self._tries = 0  # it left for a new certificate: that is the next
            self._backoff.held(self._app.clock.monotonic() - began)

    def _failed(self, state: LinkState, why: str) -> None:
        level = "warning" if self._app.fleet.why != why else "debug"
        getattr(_log, level)("fleet_link_down", why=why)
        self._app.fleet.note(state, why)

    async def _connected(self) -> None:
        """Hold one connection until it is gone: raises LinkError or LinkRefused."""
        self._connections += 1
        will = Will(self._address.up("avail"), encode(self._avail("offline", "will")), WILL_S)
        pair = self._pair()
        async with connect(self._broker(pair), will, clean_start=False) as session:
            self._session, self._in_use = session, pair.number if pair else 0
            try:
                await session.subscribe(everything_down(self._address), HELLO)
                await self._born(session)
                await self._app.fleet.enrolment.prove(self._in_use)
                self._app.fleet.note(LinkState.ONLINE)
                _log.info("fleet_link_up", connection=self._connections)
                self._streams = streams = Streams(self._means, session, self._heard, self._app.fleet.worked)
                await first_error(
                    self._receive(session),
                    streams.run(),
                    self._tell_of_itself(session),
                    self._be_born(session),
                    self._report_config(session),
                    self._another_certificate(),
                    self._report_update(session),
                )
            except _OtherCertificateError:  # the block ends in order: nobody believes that the box is gone
                _log.info("fleet_link_anew")
            finally:
                self._session = self._streams = None
                self._in_use = 0

    async def _another_certificate(self) -> None:
        while True:
            await self._other_certificate.wait()
            if self._coming is not None and self._coming.number != self._in_use:
                raise _OtherCertificateError
            self._other_certificate.clear()

    @property
    def _coming(self) -> Pair | None:
        member = self._app.fleet.enrolment.membership
        return None if member is None else member.coming

    def _pair(self) -> Pair | None:
        """Return which pair to connect with: a new one and the one before by turns, until a session proved the new."""
        member = self._app.fleet.enrolment.membership
        if member is None:
            return None
        return member.coming if member.coming is not None and self._tries % 2 else member.pair

    def _broker(self, pair: Pair | None) -> Broker:
        fleet = self._app.fleet
        brokers = fleet.brokers
        url = urlsplit(brokers[(self._tries // 2 if self._coming else self._tries) % len(brokers)])
        secure = url.scheme == "mqtts"
        named = self._config.ca, self._config.certificate, self._config.key
        files = TlsFiles(*(named if pair is None else fleet.enrolment.files(pair)))
        return Broker(
            url.hostname or "",
            url.port or (8883 if secure else 1883),
            self._address.common_name,
            files if secure else None,
            session_expiry_s=SESSION_S,
            keepalive_s=PERIODS[fleet.profile].keepalive_s,
        )

    # -- what comes

    async def _receive(self, session: Session) -> None:
        while True:
            incoming = await session.receive()
            if incoming.topic == HELLO:
                self._greeted(incoming)
                incoming.ack()
            elif incoming.topic == self._address.down("ack"):
                await self._acknowledged(incoming)
            elif incoming.topic == self._address.down("cfg", "desired"):
                await self._configured(incoming)
            elif self._commands is not None:
                await self._commands.take(incoming)

    def _greeted(self, incoming: Incoming) -> None:
        try:
            hello = decode(Hello, incoming.payload, incoming.user.get("ce", ""))
        except WireError as error:
            _log.warning("fleet_hello_malformed", detail=error.detail)
            return
        self._backoff.window_s = hello.window
        fleet = self._app.fleet
        fleet.hub = HubState.ONLINE if hello.s == "online" else HubState.OFFLINE
        if hello.s == "online":
            known, self._hub_epoch = self._hub_epoch, hello.he
            if known not in (None, hello.he):  # the hub starts anew and wants to know everybody again, one by one
                self._rebirth(hello.window)
            if self._streams is not None:
                self._streams.heard_of_hub(hello.window)

    async def _configured(self, incoming: Incoming) -> None:
        if self._shadow is not None:
            await self._shadow.take(incoming)

    async def _refused(self, code: str, topic: str) -> None:
        if self._commands is not None:
            await self._commands.note_refused(code, topic)

    def _linked(self) -> bool:
        return self._session is not None and self._session.alive

    async def _acknowledged(self, incoming: Incoming) -> None:
        commands, streams = self._commands, self._streams
        try:
            good = streams is None or await streams.take(decode(Ack, incoming.payload, incoming.user.get("ce", "")))
            code = "bad_ack"
        except WireError as error:
            good, code = False, error.code
        if not good and commands is not None:
            await commands.note_refused(code, incoming.topic)
        incoming.ack()
        if self._pool is not None:
            self._pool.wake()

    # -- what goes

    async def _born(self, session: Session) -> None:
        if self._telemetry is not None:
            await self._say_avail(session, "online", "birth")
            self._said = self._telemetry.identities()
            payload, how = pack(encode(self._telemetry.birth(self._connections)))
            await session.publish(self._address.up("birth"), payload, retain=True, user={"ce": how} if how else {})
            await self._say_config(session)
            await self._say_update(session)

    async def _report_update(self, session: Session) -> None:
        """Say how the latest update goes whenever that changes, every few seconds at most."""
        while True:
            await self._updated.wait()
            self._updated.clear()
            await self._say_update(session)
            await asyncio.sleep(UPDATE_S)

    async def _say_update(self, session: Session) -> None:
        state = await self._app.appliance.state()
        if state.present:
            payload = ota(stamp(self._time, self._life), state, self._updating.job)
            await session.publish(self._address.up("ota"), encode(payload), retain=True)

    async def _report_config(self, session: Session) -> None:
        """Say how the hub's configuration stands whenever that changes."""
        while True:
            await self._reconfigured.wait()
            self._reconfigured.clear()
            await self._say_config(session)

    async def _say_config(self, session: Session) -> None:
        if self._shadow is not None:
            payload, how = pack(encode(self._shadow.reported()))
            topic = self._address.up("cfg", "reported")
            await session.publish(topic, payload, retain=True, user={"ce": how} if how else {})

    async def _be_born(self, session: Session) -> None:
        """Say again what the box is when the hub wants to know, at a moment of its own."""
        while True:
            await self._born_again.wait()
            self._born_again.clear()
            within_s, self._within_s = self._within_s, 0.0
            await asyncio.sleep(random.uniform(0.0, within_s))
            await self._born(session)

    async def _say_avail(self, session: Session, state: Literal["online", "offline"], why: Any) -> None:
        await session.publish(self._address.up("avail"), encode(self._avail(state, why)), retain=True)

    def _avail(self, state: Literal["online", "offline"], why: Any) -> Avail:
        life = self._life
        return Avail(v=1, s=state, ep=life.epoch, bs=life.starts, conn=self._connections, ts=self._time.now(), why=why)

    async def _tell_of_itself(self, session: Session) -> None:
        """Send telemetry as often as the profile wants."""
        clock, telemetry = self._app.clock, self._telemetry
        box_at = modems_at = clock.monotonic()
        while telemetry is not None:
            now = clock.monotonic()
            if self._live_until and now >= self._live_until:
                self._set_profile(self._config.profile if self._shadow is None else self._shadow.owning.usual_profile)
            period = PERIODS[self._app.fleet.profile]
            if now >= box_at:
                await self._send(session, "box", await telemetry.box(), period.box_s)
                box_at = now + period.box_s
            if now >= modems_at:
                await self._send(session, "modems", telemetry.modems(), period.modems_s)
                modems_at = now + period.modems_s
            self._retimed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.1, min(box_at, modems_at) - clock.monotonic())):
                    await self._retimed.wait()
                    box_at = modems_at = clock.monotonic()

    async def _send(self, session: Session, what: str, message: msgspec.Struct, period_s: float) -> None:
        payload, how = pack(encode(message))
        user = {"ce": how} if how else {}
        await session.publish(self._address.up("tele", what), payload, qos=0, expiry_s=2 * period_s, user=user)

    async def _send_log(self, command: str, number: int, lines: list[str], end: bool) -> None:
        session = self._session
        if session is None:
            raise LinkError(why="there is no connection")
        payload, how = pack(encode(LogChunk(v=1, id=command, n=number, end=end, lines=lines)))
        topic = self._address.up("log", command.lower(), str(number))
        await session.publish(topic, payload, expiry_s=LOG_S, user={"ce": how} if how else {})

    # -- the rest

    def _heard(self, somebody: bool) -> None:
        self._app.fleet.why = "" if somebody else "the broker has nobody who listens for this box"

    def _rebirth(self, within_s: float = 0.0) -> None:
        self._within_s = within_s
        self._born_again.set()

    def _changed(self, _: Event) -> None:
        """A modem or SIM is another one, perhaps: what stays as it is has changed then."""
        if self._shadow is not None:
            self._shadow.poke()
        if self._telemetry is not None and self._telemetry.identities() != self._said:
            self._rebirth(CHANGES_S)
        if self._pool is not None and self._pool.has_other_window():
            self._retimed.set()

    def _update_changed(self) -> None:
        self._updated.set()

    def _poke(self) -> None:
        if self._streams is not None:
            self._streams.poke()

    def _set_profile(self, profile: str) -> None:
        self._app.fleet.profile = profile
        self._live_until = self._app.clock.monotonic() + LIVE_S if profile == "live" else 0.0
        self._retimed.set()

    async def _watch_clock(self) -> None:
        """Note when the clock is set, so that the hub can date what was told before."""
        while True:
            await asyncio.sleep(CLOCK_S)
            stepped = self._time.step()
            if stepped is not None:
                body = json.dumps(stepped | {"bs": self._life.starts})
                entry = Entry(to_ms(self._app.clock.now()), "clock.stepped", None, None, body)
                await self._app.store.write(lambda conn, entry=entry: append(conn, [entry]), Urgency.SOON)  # type: ignore[misc]
                self._app.events.wake()


class _OtherCertificateError(Exception):
    """Leave the connection for one with another certificate."""


def _keys(config: MqttConfig) -> tuple[HubKey, ...]:
    return tuple(HubKey(key.kid, base64.b64decode(key.public), _end_of(key.not_after)) for key in config.hub_key)


def _end_of(day: str) -> float | None:
    if not day:
        return None
    return (datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)).timestamp()
