"""The hub's life: take in, answer, command; stop within ten seconds with everything committed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import structlog

from modembank.accounts import LOCAL_ADMIN
from modembank.clock import Clock, SystemClock
from modembank.config import WebConfig
from modembank.supervision import RestartPolicy, Supervisor
from modembank_fleet.authority import BadAuthority
from modembank_hub.alerting.watching import LOOK_S
from modembank_hub.app import HubApp, assemble_hub, ca_dir
from modembank_hub.config import HubConfig
from modembank_hub.doorway import Doorway
from modembank_web import WebServer, serve, with_all_as
from modembank_web.hub import create_doorway, create_hub_web
from modembankd.data_folder import make_data_folder
from modembankd.housekeeping import Chore, start_chores
from modembankd.local import SOCKET_NAME, listen_locally
from modembankd.notify import notify
from modembankd.stopping import when_told

WEB_STOP_S = 2.0
_POLICY = RestartPolicy(first_s=0.5, most_s=15.0)
_log = structlog.get_logger()


class HubDaemon:
    """One hub in this process."""

    def __init__(self, config: HubConfig, clock: Clock | None = None, *, sockets: Sequence[socket.socket] = ()) -> None:
        """Prepare; listening ``sockets`` that somebody else made are taken instead of the configured address."""
        self._config = config
        self._clock = clock or SystemClock()
        self._sockets = sockets
        self._data_dir = Path(config.hub.data_dir)
        self._supervisor = Supervisor()
        self._leading = Supervisor()
        """What the process does that leads; another hub's does not."""
        self._servers: list[WebServer] = []
        self._app: HubApp | None = None
        self._doorway: Doorway | None = None
        self._at_doorway: WebServer | None = None
        self.url = ""
        """Where the API and the pages answer, once started."""

    @property
    def doorway(self) -> str:
        """Where boxes enrol; empty: nowhere."""
        return "" if self._at_doorway is None else self._at_doorway.url

    @property
    def app(self) -> HubApp:
        """The services; only after ``start``."""
        if self._app is None:
            message = "the hub has not started"
            raise RuntimeError(message)
        return self._app

    async def start(self) -> None:
        """Open the store, answer, and connect; raises ModembankError with nothing left running."""
        make_data_folder(self._data_dir)
        self._app = app = await assemble_hub(self._config, self._clock)
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self.stop)
            await self._serve()
            await self._open_doorway()
            undo.pop_all()
        for number in range(1, self._config.hub.workers + 1):
            self._supervisor.start(f"hub.in-{number}", partial(app.lines.worker, number), _POLICY)
        start_chores(self._supervisor, (Chore("certificates", 86_400, self._daily, first_s=3600),))
        if app.sharing.shared:
            self._join(app)
        else:
            await self._begin_to_lead()
        await app.first_start.offer()
        notify("READY=1")
        _log.info("hub_started", url=self.url, data_dir=str(self._data_dir), workers=self._config.hub.workers)

    async def stop(self) -> None:
        """Stop taking in, then answering, then the store: what was not committed was not acknowledged."""
        notify("STOPPING=1")
        await asyncio.gather(self._supervisor.stop_all(5.0), self._lead_no_more())
        self.app.events.stop()
        await asyncio.gather(*(server.stop(WEB_STOP_S) for server in self._servers))
        (self._data_dir / SOCKET_NAME).unlink(missing_ok=True)
        await self.app.store.close()
        _log.info("hub_stopped")

    def _join(self, app: HubApp) -> None:
        """Be one of several processes."""
        self._supervisor.start("hub.listens", app.sharing.listen, _POLICY)
        self._supervisor.start("hub.speaks", app.sharing.speak, _POLICY)
        self._supervisor.start("hub.leads", self._lead_in_turn, _POLICY)
        if app.enrolment.authority is not None:
            self._supervisor.start("hub.list", app.enrolment.keep_list, _POLICY)

    async def _lead_in_turn(self) -> None:
        """Lead whenever it is this process's turn, for ever; raises StoreError."""
        sharing = self.app.sharing
        while True:
            await sharing.leads.wait()
            try:
                await self._begin_to_lead()
                self._leading.start("hub.channels", self.app.tellers.keep_up, _POLICY)
                await sharing.follows.wait()
            finally:
                await self._lead_no_more()

    async def _begin_to_lead(self) -> None:
        self._leading.start("hub.control", self.app.lines.control, _POLICY)
        start_chores(self._leading, _chores(self.app))
        await self.app.tellers.start()

    async def _lead_no_more(self) -> None:
        await self._leading.stop_all(5.0)
        await self.app.tellers.stop()

    async def _open_doorway(self) -> None:
        """Answer boxes that want a certificate, and have the list of revoked ones lie ready; raises BadAuthority."""
        app, config = self.app, self._config.enrolment
        if app.enrolment.authority is None:
            return
        self._doorway = Doorway(config, app.enrolment.authority, ca_dir(self._config), self._clock)
        await self._renew_doorway()
        await app.enrolment.write_list()
        web = WebConfig(listen=config.listen, tls_cert=str(self._doorway.certificate), tls_key=str(self._doorway.key))
        self._at_doorway = await serve(create_doorway(app), web)
        self._servers.append(self._at_doorway)

    async def _renew_doorway(self) -> None:
        if self._doorway is None:
            return
        try:
            another = await asyncio.to_thread(self._doorway.ready)
        except OSError as error:
            raise BadAuthority(
                path=self._doorway.certificate, problem=f"cannot be written: {error.strerror}"
            ) from error
        if another and self._at_doorway is not None:
            self._at_doorway.take_certificate()

    async def _daily(self) -> None:
        await self._renew_doorway()
        await self.app.enrolment.write_list()

    async def _serve(self) -> None:
        answering = create_hub_web(self.app)
        web = await serve(answering, self._config.web, sockets=self._sockets)
        self._servers.append(web)
        local = listen_locally(self._data_dir)
        self._servers.append(await serve(with_all_as(LOCAL_ADMIN, answering), self._config.web, sockets=[local]))
        self.url = web.url


def _chores(app: HubApp) -> tuple[Chore, ...]:
    return (
        Chore("roll_up", 60, app.fleet.roll_up, first_s=10),
        Chore("overdue", 5, app.orders.end_overdue, first_s=2),
        Chore("rollouts", 2, app.rollouts.advance, first_s=1),
        Chore("newcomers", 60, app.rollouts.welcome, first_s=30),
        Chore("configs", 300, app.configs.compare, first_s=60),
        Chore("pool", 5, app.lending.pass_time, first_s=3),
        Chore("alerts", LOOK_S, app.watch.look, first_s=2),
        Chore("old_alerts", 3600, app.watch.forget_old, first_s=240),
        Chore("old", 3600, app.fleet.forget_old, first_s=120),
        Chore("old_pool", 3600, lambda: app.pool.forget_old(app.config.keep.events_days), first_s=180),
    )


async def run_hub(
    config: HubConfig,
    started: Callable[[HubDaemon], None] | None = None,
    sockets: Sequence[socket.socket] = (),
) -> None:
    """Run until SIGTERM or SIGINT; ``started`` is called once everything runs."""
    stopping = when_told()
    daemon = HubDaemon(config, sockets=sockets)
    await daemon.start()
    try:
        if started is not None:
            started(daemon)
        await stopping.wait()
    finally:
        await daemon.stop()
