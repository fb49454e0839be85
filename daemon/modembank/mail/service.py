"""The service of forwards: the couriers that run, one for each address, and how they do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from modembank.clock import Clock
from modembank.config import Config
from modembank.couriers import Crew
from modembank.eventlog import EventLog, Told
from modembank.mail import notes
from modembank.mail.courier import Courier, Ground
from modembank.mail.model import ForwardView, Note, Post, view_of
from modembank.metrics import Metrics
from modembank.providers.model import Result
from modembank.sim import Sims
from modembank.store import Store

if TYPE_CHECKING:
    from modembank.mail.office import Office


class Mail:
    """Tells inbound messages by mail, as the configuration has it; without a forward it does nothing."""

    def __init__(
        self, config: Config, store: Store, events: EventLog, clock: Clock, metrics: Metrics, *, sims: Sims
    ) -> None:
        """Tell nobody before ``start``."""
        self._config = config
        self._store = store
        self._posts = [
            Post(server, forward, to)
            for server in config.mail_out
            for forward in server.forward
            for to in {address.lower(): address for address in reversed(forward.to)}.values()
        ]
        self._offices = _offices(config) if config.mail_out else {}
        self._crew = Crew()
        self._couriers: dict[str, Courier] = {}
        self.server_trouble = ""
        """Why mails of the LAN cannot be taken, for people; the server that takes them says so."""
        self._ground = Ground(
            store=store,
            events=events,
            clock=clock,
            label_of=lambda iccid: _label(sims, iccid),
            send=self._send,
            counted=lambda result: metrics.mails_forwarded.labels(result).inc(),
        )
        events.keep_for(notes.needed_after)

    async def start(self) -> None:
        """Begin to tell. An address that is new in the configuration is told what comes from now on."""
        names = [post.name for post in self._posts]
        if await self._store.read(lambda conn: notes.names(conn) != set(names)):
            await self._store.write(lambda conn: notes.begin(conn, names))
        self._crew.open()
        for post in self._posts:
            self._launch(post)

    async def stop(self) -> None:
        """Tell no more; a mail that is being handed over may be finished, and is told again if it is not."""
        await self._crew.close()
        await asyncio.gather(*(office.close() for office in self._offices.values()))

    def retry_now(self, name: str) -> bool:
        """Let an address be tried at once; return whether there is one of that name."""
        return self._crew.poke(_task_of(name))

    def all(self) -> list[ForwardView]:
        """Return every address, for the box itself."""
        return [view_of(post, self._couriers.get(post.name, _NOBODY).note) for post in self._posts]

    def _launch(self, post: Post) -> None:
        def make() -> Courier:
            made = self._couriers[post.name] = Courier(post, self._ground)
            return made

        self._crew.send(_task_of(post.name), make)

    async def _send(self, post: Post, told: Told, label: str) -> Result:
        return await self._offices[post.server.name].send(post, told.data, label)


class _Nobody:
    note = Note(0)


_NOBODY = _Nobody()


def _offices(config: Config) -> dict[str, Office]:
    from modembank.mail.office import Office  # with its library, only for those who need it

    domain = config.mail_in.domain if config.mail_in.listen else ""
    return {server.name: Office(server, config.box.id, domain) for server in config.mail_out}


def _label(sims: Sims, iccid: str | None) -> str:
    sim = None if iccid is None else sims.by_iccid(iccid)
    return "" if sim is None else sim.label


def _task_of(name: str) -> str:
    return f"mail[{name}]"
