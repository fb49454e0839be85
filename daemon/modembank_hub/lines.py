"""The hub's connections to its broker: the workers', and the one that says hello and sends commands.

A connection that was away may have missed what is told only once (a presence, a birth). So whenever one is back, the
hub's hello names a new epoch, and boxes tell everything anew, spread over the window.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import structlog

from modembank.clock import Clock
from modembank.store import Store
from modembank_fleet import wire
from modembank_fleet.link import Backoff, Broker, LinkError, LinkRefused, Session, TlsFiles, Will, connect
from modembank_hub import rows_of_boxes as boxes
from modembank_hub import rows_of_config as configs
from modembank_hub.config import HubConfig
from modembank_hub.ingest import Ingest
from modembank_hub.metrics import HubMetrics
from modembank_hub.sharing import BACK, Alone, Sharing

WORKER_TAKES = 1000
"""Receive Maximum of a worker: messages that it has not written down."""
HANDSHAKE_S = 0.006
"""What a box's connection costs the broker, with some room: the window grows with the fleet."""
_RETRY_WINDOW_S = 2.0
"""The hub is one client: it need not spread itself as boxes do."""
_SETTLE_S = 1.0
_WILL_DELAY_S = 5
_AGAIN_S = 60.0
Serve: TypeAlias = Callable[[Session], Awaitable[None]]
_log = structlog.get_logger()


class Lines:
    """Keeps the connections, each in a loop of its own."""

    def __init__(
        self,
        config: HubConfig,
        store: Store,
        clock: Clock,
        metrics: HubMetrics,
        ingest: Ingest,
        speaks: Sequence[Serve],
        *,
        sharing: Sharing | None = None,
    ) -> None:
        """Prepare; ``worker`` and ``control`` are run under a supervisor. ``speaks`` send to boxes what is due.

        ``sharing``: the connection that says hello may be another process's.
        """
        self._sharing = sharing or Alone()
        self._config = config
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._ingest = ingest
        self._speaks = speaks
        self._came_back = asyncio.Event()
        self._up: set[str] = set()
        self.why_down = "not connected yet"
        """Why the connection that failed last did."""

    @property
    def up(self) -> int:
        """How many connections stand, of all that there should be."""
        return len(self._up)

    @property
    def takes_in(self) -> bool:
        """Whether anything that boxes say can come."""
        return any(name != "control" for name in self._up)

    @property
    def wanted(self) -> int:
        """How many there should be: the one that says hello is of the process that leads."""
        return self._config.hub.workers + int(self._sharing.leads.is_set())

    def came_back(self) -> None:
        """A connection is back, of this process or of another: boxes are to tell everything anew."""
        self._came_back.set()

    async def worker(self, number: int) -> None:
        """Be a worker for ever."""
        name = f"in-{number}"
        before = self._sharing.shared  # it may take the place of one that was killed

        async def serve(session: Session) -> None:
            nonlocal before
            if before:
                self.came_back()
                self._sharing.tell(BACK, None)
            before = True
            await self._ingest.serve(session)

        await self._keep(name, serve, None)

    async def control(self) -> None:
        """Say hello and send commands for ever."""
        await self._keep("control", self._control, Will(wire.HELLO, self._hello("offline"), _WILL_DELAY_S))

    async def _control(self, session: Session) -> None:
        async with contextlib.AsyncExitStack() as undo:
            tasks = [
                asyncio.create_task(self._greet(session), name="hub.hello"),
                *(asyncio.create_task(_ever(speak, session), name="hub.speaks") for speak in self._speaks),
            ]
            undo.push_async_callback(_end, tasks)
            lost = asyncio.create_task(session.lost(), name="hub.lost")
            undo.push_async_callback(_end, [lost])
            try:
                done, _ = await asyncio.wait([*tasks, lost], return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:  # in order: boxes are told at once that nobody listens
                with contextlib.suppress(LinkError, LinkRefused, TimeoutError):
                    async with asyncio.timeout(1.0):
                        await session.publish(wire.HELLO, self._hello("offline"), retain=True)
                raise
            for task in done:
                if task is lost:
                    raise lost.result()
                task.result()

    async def _greet(self, session: Session) -> None:
        while True:
            self._came_back.clear()
            count = (await self._store.fetch_one("SELECT count(*) FROM boxes") or (0,))[0]
            window = max(self._config.hub.window_s, count * HANDSHAKE_S)
            hello = self._hello("online", min(window, 3600.0))
            await session.publish(wire.HELLO, hello, retain=True)
            while not await self._is_back():  # the farewell of a process that led before may have come late
                await session.publish(wire.HELLO, hello, retain=True)
            await asyncio.sleep(_SETTLE_S)

    async def _is_back(self) -> bool:
        """Wait until a connection is back; return that it is not after a while, where others may lead."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_AGAIN_S if self._sharing.shared else None):
                await self._came_back.wait()
        return self._came_back.is_set()

    def _hello(self, state: str, window: float = 120.0) -> bytes:
        said = wire.Hello(
            v=wire.VERSION,
            he=secrets.token_hex(6),
            s="online" if state == "online" else "offline",
            ts=self._clock.now() if state == "online" else None,
            window=window,
        )
        return wire.encode(said)

    async def _keep(self, name: str, serve: Serve, will: Will | None) -> None:
        backoff = Backoff(_RETRY_WINDOW_S)
        while True:
            began = self._clock.monotonic()
            try:
                async with connect(self._broker(name), will) as session:
                    self._note(name, up=True)
                    await serve(session)
            except (LinkError, LinkRefused) as error:
                first = self._note(name, up=False)
                self.why_down = str(error)
                (_log.warning if first else _log.info)("hub_line_down", line=name, why=str(error))
            finally:
                self._note(name, up=False)
            backoff.held(self._clock.monotonic() - began)
            await asyncio.sleep(min(backoff.next_s(), 15.0))

    def _note(self, name: str, *, up: bool) -> bool:
        """Note that a connection stands or not; return whether that is new."""
        new = (name in self._up) is not up
        (self._up.add if up else self._up.discard)(name)
        self._metrics.connected.set(len(self._up))
        return new

    def _broker(self, name: str) -> Broker:
        mqtt = self._config.mqtt
        tls = TlsFiles(mqtt.tls_ca, mqtt.tls_cert, mqtt.tls_key) if mqtt.tls_ca else None
        client_id = f"{self._config.hub.id}-{name}-{secrets.token_hex(4)}"
        return Broker(mqtt.host, mqtt.port, client_id, tls, receive_maximum=WORKER_TAKES)


async def _ever(speak: Serve, session: Session) -> None:
    await speak(session)


async def _end(tasks: Sequence[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def observe(store: Store, clock: Clock, metrics: HubMetrics) -> None:
    """Bring the gauges of boxes up to date."""
    now = round(clock.now() * 1000)
    totals = await store.read(lambda conn: boxes.totals(conn, now))
    stand = await store.read(configs.counts)
    for state in configs.STATES:
        metrics.configurations.labels(state).set(stand.get(state, 0))
    for standing in ("online", "stale", "offline"):
        metrics.boxes.labels(standing).set(totals[standing])
