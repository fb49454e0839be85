"""The daemon's life: start everything in order, wait, stop everything in stages within ten seconds."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from modembank.accounts import LOCAL_ADMIN
from modembank.bank import BankOptions
from modembank.clock import Clock, SystemClock
from modembank.config import Config
from modembank.failpoints import Failpoint, reach
from modembank.store import StoreError, Urgency
from modembank.supervision import Supervisor
from modembank.system import Process
from modembank_web import WebServer, create_app, redirecting, serve, with_all_as
from modembankd.compose import Box, assemble
from modembankd.data_folder import make_data_folder
from modembankd.garbage import spare_what_stays
from modembankd.handed_over import HubToken, Sockets
from modembankd.heartbeat import beat
from modembankd.housekeeping import Chore, start_chores
from modembankd.local import SOCKET_NAME, listen_locally
from modembankd.membership import FleetMembership
from modembankd.notify import notify
from modembankd.status import StatusLine
from modembankd.stopping import when_told

if TYPE_CHECKING:
    from modembank_home_assistant import HomeAssistantLink
    from modembank_mail import MailServer

ADDRESS_NAME = "address"
NO_SOCKETS = Sockets()
WEB_STOP_S = 2.0
DRAIN_S = 3.0
_log = structlog.get_logger()


class Daemon:
    """One box in this process."""

    def __init__(
        self,
        config: Config,
        options: BankOptions | None = None,
        clock: Clock | None = None,
        process: Process | None = None,
        *,
        sockets: Sockets = NO_SOCKETS,
        hub_within_s: float | None = None,
        hub_token: HubToken | None = None,
    ) -> None:
        """Prepare; ``start`` opens the data folder and the ports.

        Listening ``sockets`` that somebody else made are taken instead of the configured address. The first try for
        the hub comes within ``hub_within_s`` seconds (None: two minutes, so that a fleet does not come all at once).
        ``hub_token`` is what the first start's file says of a hub that shall enrol the box.
        """
        self._config = config
        self._options = options
        self._clock = clock or SystemClock()
        self._process = process
        self._sockets = sockets
        self._hub_within_s = hub_within_s
        self._hub_token = hub_token
        self._data_dir = Path(config.box.data_dir)
        self._supervisor = Supervisor()
        self._servers: list[WebServer] = []
        self._box: Box | None = None
        self._membership: FleetMembership | None = None
        self._home: HomeAssistantLink | None = None
        self._mail: MailServer | None = None
        self.url = ""
        """Where the API answers, once started."""

    @property
    def box(self) -> Box:
        """The assembled box; only after ``start``."""
        if self._box is None:
            message = "the daemon has not started"
            raise RuntimeError(message)
        return self._box

    async def start(self) -> None:
        """Recover, open the bank, begin to send, and answer; raises ModembankError with nothing left running."""
        notify("STATUS=Opening the database")
        make_data_folder(self._data_dir)
        self._box = box = await assemble(self._config, self._clock, self._options, self._process)
        app = box.app
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self.stop)
            await app.appliance.clean()
            await app.health.load()
            app.events.start()
            if self._hub_token is not None:
                await app.fleet.enrolment.ask_at_first(*self._hub_token)
            self._membership = FleetMembership(app, self._hub_within_s)
            await self._membership.prepare()
            await self._serve()
            app.providers.start(box.returning)
            await app.dispatcher.start()
            await app.mailings.start()
            app.health.start()
            await app.bank.start()
            await app.discovery.start()
            await app.webhooks.start()
            await app.twilio.start()
            await app.mail.start()
            await self._membership.start()
            if app.home_assistant.set_up:
                from modembank_home_assistant import HomeAssistantLink

                self._home = HomeAssistantLink(app)
                await self._home.start()
            if self._config.mail_in.listen:
                from modembank_mail import MailServer

                self._mail = MailServer(app)
                await self._mail.start()
            undo.pop_all()
        self._supervisor.start("heartbeat", lambda: beat(app.store, app.metrics))
        start_chores(self._supervisor, _chores(box))
        await app.first_start.offer()
        notify("READY=1")
        _log.info("daemon_started", url=self.url, data_dir=str(self._data_dir), ports=len(self._config.bank.port))

    async def stop(self) -> None:
        """Stop in stages: faces, dispatcher, modems, chores, store. Whatever is cut short is UNKNOWN, never lost."""
        notify("STOPPING=1")
        box = self.box
        await box.app.health.stop()
        if self._membership is not None:
            await self._membership.stop()
        if self._home is not None:
            await self._home.stop()
        if self._mail is not None:
            await self._mail.stop(WEB_STOP_S)
        box.app.events.stop()
        telling = box.app.webhooks.stop(), box.app.twilio.stop(), box.app.mail.stop()
        await asyncio.gather(*telling, *(server.stop(WEB_STOP_S) for server in self._servers))
        await box.app.mailings.stop()
        (self._data_dir / SOCKET_NAME).unlink(missing_ok=True)
        (self._data_dir / ADDRESS_NAME).unlink(missing_ok=True)
        reach(Failpoint.STOP_FACES)
        drained = asyncio.create_task(box.app.dispatcher.drain(DRAIN_S))
        await asyncio.wait([drained], timeout=DRAIN_S + 1)
        reach(Failpoint.STOP_DRAINED)
        await box.app.providers.stop()
        await box.app.discovery.stop()
        await box.app.bank.stop()
        with suppress(StoreError):  # the last note of the minute has to do
            await box.app.dispatcher.note_alive(Urgency.SOON)
        await self._supervisor.stop_all(1.0)
        await box.outbox.flush()
        reach(Failpoint.STOP_FLUSHED)
        await box.app.store.close()
        _log.info("daemon_stopped")

    def take_certificate(self) -> None:
        """Take up a certificate that was renewed, with the same key."""
        for server in self._servers:
            server.take_certificate()
        if self._mail is not None:
            self._mail.take_certificate()

    async def _serve(self) -> None:
        answering = create_app(self.box.app)
        web = await serve(answering, self._config.web, sockets=self._sockets.web)
        self._servers.append(web)
        local = listen_locally(self._data_dir)
        self._servers.append(await serve(with_all_as(LOCAL_ADMIN, answering), self._config.web, sockets=[local]))
        if self._sockets.redirect:
            plain = msgspec.structs.replace(self._config.web, tls_cert="", tls_key="")
            self._servers.append(await serve(redirecting(web.address[1]), plain, sockets=self._sockets.redirect))
        self.url = web.url
        (self._data_dir / ADDRESS_NAME).write_text(self.url + "\n", "ascii")


async def run_daemon(
    config: Config,
    started: Callable[[Daemon], None] | None = None,
    process: Process | None = None,
    sockets: Sockets = NO_SOCKETS,
    hub_token: HubToken | None = None,
) -> None:
    """Run until SIGTERM or SIGINT; ``started`` is called once everything runs."""
    stopping = when_told()
    daemon = Daemon(config, process=process, sockets=sockets, hub_token=hub_token)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, daemon.take_certificate)
    await daemon.start()
    spare_what_stays()
    try:
        if started is not None:
            started(daemon)
        await stopping.wait()
    finally:
        await daemon.stop()


def _chores(box: Box) -> tuple[Chore, ...]:
    app = box.app
    image = (Chore("appliance", 1, app.appliance.look, first_s=1),) if app.appliance.present else ()
    return (
        *image,
        Chore("incomplete_messages", 30, box.receiving.sweep),
        Chore("old_events", 3600, app.events.forget_old, first_s=180),
        Chore("idempotency_keys", 3600, app.messages.forget_old_keys),
        Chore("backup", 60, app.backups.run_if_due, first_s=30),
        Chore("old_issues", 6 * 3600, app.health.forget_old, first_s=120),
        Chore("hub_commands", 6 * 3600, app.fleet.forget_old, first_s=300),
        Chore("search", 10, box.indexing.index, first_s=20),
        Chore("search_tidy", 6 * 3600, box.indexing.tidy, first_s=240),
        Chore("sim_usage", 6 * 3600, app.sims.compact, first_s=60),
        Chore("status", 5, StatusLine(app.bank, app.messages).refresh, first_s=0),
        Chore("alive", 60, app.dispatcher.note_alive, first_s=0),
    )
