"""The link to the site's broker: says what there is of the box and how it is, and hears a few commands."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import structlog

from modembank.app import App
from modembank.errors import ModembankError
from modembank.events import Event, MessageReceived, ModemForgotten
from modembank.home_assistant import LinkState
from modembank.supervision import Supervisor
from modembank_fleet.link import (
    Backoff,
    Broker,
    Incoming,
    LinkError,
    LinkRefused,
    Login,
    Session,
    TlsFiles,
    Will,
    connect,
    first_error,
)
from modembank_home_assistant.announcing import Announcing
from modembank_home_assistant.commands import Commands
from modembank_home_assistant.discovery import OFFLINE, ONLINE
from modembank_home_assistant.states import States
from modembank_home_assistant.topics import Topics

SESSION_S = 300
"""A command that came while the connection was away for less is not lost."""
WILL_S = 5
WINDOW_S = 10.0
"""Over so many seconds the second try is spread; the first comes at once, since a site has few boxes."""
JITTER_S = 10.0
"""After its start Home Assistant is told again within so many seconds."""
QUIET_S = 2.0
"""After so long nothing more comes of what is retained."""
MOST_EVENTS = 100
"""Messages that came and are not told yet; what is beyond is in the inbox alone."""
_log = structlog.get_logger()


class HomeAssistantLink:
    """The box's side of the link; without a broker in the configuration it does nothing."""

    def __init__(
        self,
        app: App,
        *,
        backoff: Backoff | None = None,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Make it; ``start`` begins."""
        self._app = app
        self._config = config = app.config.home_assistant
        self._topics = topics = Topics(config.discovery_prefix, config.topic_prefix, app.home_assistant.node)
        self._states = States(app, topics)
        self._announcing = Announcing(app, self._states)
        self._commands = Commands(app, self._hurry)
        self._backoff = backoff or Backoff(WINDOW_S)
        self._draw = draw
        self._supervisor = Supervisor()
        self._session: Session | None = None
        self._unsubscribe: list[Callable[[], None]] = []
        self._news, self._urgent, self._greeted = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._came: deque[MessageReceived] = deque(maxlen=MOST_EVENTS)
        self._arrival = asyncio.Event()

    async def start(self) -> None:
        """Begin, if there is a broker; it may come later, or never."""
        if not self._app.home_assistant.set_up:
            return
        if self._config.enabled:
            subscribe = self._app.bus.subscribe
            self._unsubscribe += [
                subscribe(Event, lambda _: self._news.set()),
                subscribe(MessageReceived, self._arrived),
                subscribe(ModemForgotten, lambda event: self._announcing.forget_modem(event.slot)),
            ]
        self._supervisor.start("home_assistant.link", self._keep_connected)

    async def stop(self) -> None:
        """Say that the box goes, if there is a connection, and end."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        session = self._session
        if session is not None and session.alive:
            with contextlib.suppress(LinkError, LinkRefused, TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._say_available(session, OFFLINE)
        await self._supervisor.stop_all(2.0)

    # -- the connection

    async def _keep_connected(self) -> None:
        clock, home = self._app.clock, self._app.home_assistant
        wait_s = 0.0
        while True:
            if wait_s:
                kept = home.state if home.state is LinkState.REFUSED else LinkState.WAITING
                home.note(kept, home.why, wait_s)
            await asyncio.sleep(wait_s)
            began = clock.monotonic()
            if home.state is not LinkState.REFUSED:
                home.note(LinkState.CONNECTING, home.why)
            try:
                if not self._config.enabled:
                    await self._take_back()
                    home.note(LinkState.TAKEN_BACK)
                    return
                await self._connected()
            except LinkRefused as error:
                self._failed(LinkState.REFUSED, str(error))
            except ModembankError as error:  # the connection's, or the store's
                self._failed(LinkState.WAITING, str(error))
            self._backoff.held(clock.monotonic() - began)
            wait_s = self._backoff.next_s()

    def _failed(self, state: LinkState, why: str) -> None:
        level = "warning" if self._app.home_assistant.why != why else "debug"
        getattr(_log, level)("home_assistant_link_down", why=why)
        self._app.home_assistant.note(state, why)

    async def _connected(self) -> None:
        """Hold one connection until it is gone: raises LinkError or LinkRefused."""
        will = Will(self._topics.available, _available(OFFLINE), WILL_S)
        async with connect(await self._broker(SESSION_S), will, clean_start=False) as session:
            if not session.session_present:
                self._commands.forget_packets()
            self._session = session
            self._came.clear()
            try:
                # The document first: what was left there is known before anything else is said.
                await session.subscribe(self._topics.document, self._topics.everything, self._topics.birth)
                await self._say_available(session, ONLINE)
                self._announcing.begin()
                await first_error(
                    self._receive(session), self._tell(session), self._greet(session), self._tell_arrivals(session)
                )
            finally:
                self._session = None

    async def _broker(self, session_expiry_s: int) -> Broker:
        url = urlsplit(self._config.url)
        secure = url.scheme == "mqtts"
        files = TlsFiles(self._config.ca, self._config.certificate, self._config.key)
        return Broker(
            url.hostname or "",
            url.port or (8883 if secure else 1883),
            f"modembank-{self._topics.node}",
            files if secure else None,
            await asyncio.to_thread(self._login),
            session_expiry_s=session_expiry_s,
        )

    def _login(self) -> Login | None:
        """Read the password anew for each connection; raises LinkError."""
        if not self._config.username:
            return None
        try:
            file = self._config.password_file
            return Login(self._config.username, Path(file).read_text("utf-8").strip("\r\n") if file else "")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
            raise LinkError(why=f"the password file {self._config.password_file} cannot be read: {why}") from error

    # -- what comes

    async def _receive(self, session: Session) -> None:
        while True:
            incoming = await session.receive()
            if incoming.topic == self._topics.birth:
                if incoming.payload == ONLINE.encode():
                    self._greeted.set()
            elif incoming.topic == self._topics.document:
                self._announcing.found_document(incoming.payload)
                self._hurry()
            elif incoming.payload or not incoming.retain:
                await self._below_own_name(incoming)
            incoming.ack()

    async def _below_own_name(self, incoming: Incoming) -> None:
        parts = self._topics.commanded(incoming.topic)
        if parts is not None:
            await self._commands.take(parts, incoming)
        if incoming.retain:  # a command that would come at each connection, or what an earlier life left
            self._announcing.found_retained(incoming.topic)
            self._news.set()

    # -- what goes

    async def _tell(self, session: Session) -> None:
        """Say what has changed: at most every ``every_s`` seconds, but at once where somebody waits for it."""
        home, every_s = self._app.home_assistant, self._config.every_s
        while True:
            self._news.clear()
            self._urgent.clear()
            await self._announcing.say(session)
            if home.state is not LinkState.ONLINE:
                home.note(LinkState.ONLINE)
                _log.info("home_assistant_link_up", entities=home.entities)
            await _wait(self._urgent, every_s)
            if not self._urgent.is_set():
                await _wait(self._news, every_s)

    async def _greet(self, session: Session) -> None:
        """Say all of it again when Home Assistant has started."""
        while True:
            await self._greeted.wait()
            self._greeted.clear()
            await asyncio.sleep(self._draw(0.0, JITTER_S))
            await self._say_available(session, ONLINE)
            self._announcing.begin()
            self._hurry()

    async def _tell_arrivals(self, session: Session) -> None:
        while True:
            await self._arrival.wait()
            self._arrival.clear()
            while self._came:
                try:
                    payload = await self._states.received(self._came.popleft())
                except (LinkError, LinkRefused):
                    raise
                except ModembankError as error:  # it was deleted meanwhile
                    _log.info("home_assistant_event_left_out", why=error.key)
                    continue
                await session.publish(self._topics.event, payload)

    async def _say_available(self, session: Session, state: str) -> None:
        await session.publish(self._topics.available, _available(state), retain=True)

    def _hurry(self) -> None:
        self._urgent.set()
        self._news.set()

    def _arrived(self, event: MessageReceived) -> None:
        if self._session is not None and self._config.privacy != "counts":
            self._came.append(event)
            self._arrival.set()

    # -- the end

    async def _take_back(self) -> None:
        """Empty all that is retained of the box, the document first; raises LinkError or LinkRefused."""
        async with connect(await self._broker(0)) as session:
            await session.subscribe(self._topics.document, self._topics.everything)
            found: list[str] = []
            with contextlib.suppress(TimeoutError):
                while True:
                    async with asyncio.timeout(QUIET_S):
                        incoming = await session.receive()
                    incoming.ack()
                    if incoming.retain and incoming.payload:
                        found.append(incoming.topic)
            for topic in sorted(set(found), key=lambda topic: topic != self._topics.document):
                await session.publish(topic, b"", retain=True)
        _log.info("home_assistant_taken_back", topics=len(found))


def _available(state: str) -> bytes:
    return msgspec.json.encode({"state": state})


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
