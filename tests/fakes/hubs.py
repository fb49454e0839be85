"""A hub behind its real web application, in this process: real store and services, no broker."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import httpx
from litestar import Litestar

from fakes.browsers import PASSWORD
from fakes.guards import make_cheap
from fakes.voices import SaidBox, hears
from modembank.accounts import LOCAL_ADMIN, Role, Scope
from modembank.clock import SystemClock, to_ms
from modembank.store import Store
from modembank_fleet.wire import Signer
from modembank_hub.app import HubApp, assemble_hub
from modembank_hub.config import EnrolmentConfig, HubConfig, IdentityConfig, SigningConfig, StoreConfig
from modembank_web.cookies import page_token
from modembank_web.hub import create_hub_web
from modembankd.hub import HubDaemon

SIGNER = Signer("h2", bytes(range(32)))
"""What boxes of tests trust."""

ADMIN = "ada"
ENROLS = EnrolmentConfig(address="https://hub.test:8443", brokers=("mqtts://hub.test:8883",))
"""Of a hub that gives certificates."""


@dataclass
class Hub:
    """What tests look at."""

    app: HubApp

    @cached_property
    def web(self) -> Litestar:
        return create_hub_web(self.app)

    @property
    def store(self) -> Store:
        return self.app.store

    async def key(self, role: Role = Role.ADMIN, *scopes: Scope) -> str:
        if role.value not in [user.name for user in await self.app.accounts.users(LOCAL_ADMIN)]:
            await self.app.accounts.add_user(LOCAL_ADMIN, role.value, role)
        return (await self.app.accounts.add_key(LOCAL_ADMIN, role.value, scopes=scopes or None))[1]

    def client(self, key: str = "", **headers: str) -> httpx.AsyncClient:
        given = headers | ({"Authorization": f"Bearer {key}"} if key else {})
        transport = httpx.ASGITransport(self.web, client=("192.0.2.7", 40000))
        return httpx.AsyncClient(transport=transport, base_url="https://hub.test", headers=given)

    @contextlib.asynccontextmanager
    async def at_a_page(self, name: str = ADMIN, role: Role = Role.ADMIN) -> AsyncIterator[httpx.AsyncClient]:
        """Yield a client that sends what a page of somebody's sends."""
        make_cheap(self.app.accounts)
        if name not in [user.name for user in await self.app.accounts.users(LOCAL_ADMIN)]:
            await self.app.accounts.add_user(LOCAL_ADMIN, name, role, PASSWORD)
        token = (await self.app.accounts.sessions.begin(name, PASSWORD, source="192.0.2.7"))[1]
        given = {
            "Cookie": f"__Host-mb={token}", "X-Page-Token": page_token(token), "HX-Request": "true",
            "Sec-Fetch-Site": "same-origin",
        }  # fmt: skip
        async with self.client(**given) as client:
            yield client

    async def hears_of(self, *boxes: SaidBox, events: int = 0) -> None:
        """Let boxes be there, with telemetry and events."""
        now = to_ms(SystemClock().now())
        for box in boxes:
            said = [box.avail(), box.birth(now), box.box_tele(now), box.box_tele(now, sent=5, fail=1)]
            await hears(self.store, *said, box.modems_tele(now), now=now)
            if events:
                await hears(self.store, box.events(events, now), now=now)


def signing_in(folder: Path, signer: Signer = SIGNER) -> SigningConfig:
    """Put a hub's key into a folder, and return the section that names it."""
    (path := folder / "hub-key").write_text(signer.private.hex())
    path.chmod(0o600)
    return SigningConfig(str(path), signer.kid)


@contextlib.asynccontextmanager
async def hub_in(
    folder: Path,
    signing: SigningConfig | None = None,
    enrolment: EnrolmentConfig | None = None,
    store: StoreConfig | None = None,
) -> AsyncIterator[Hub]:
    """Yield a hub over a new database in a folder."""
    config = HubConfig(
        hub=IdentityConfig(data_dir=str(folder)),
        signing=signing or SigningConfig(),
        enrolment=enrolment or EnrolmentConfig(),
        store=store or StoreConfig(),
    )
    app = await assemble_hub(config, SystemClock())
    try:
        yield Hub(app)
    finally:
        await app.store.close()


@contextlib.contextmanager
def hub_in_a_thread(config: HubConfig, *boxes: SaidBox) -> Iterator[tuple[HubDaemon, asyncio.AbstractEventLoop]]:
    """Run a hub in a thread of its own, to which these boxes have spoken; yields it with its loop."""
    up, running = threading.Event(), list[tuple[HubDaemon, asyncio.AbstractEventLoop, asyncio.Event]]()

    async def serve() -> None:
        daemon = HubDaemon(config)
        await daemon.start()
        await Hub(daemon.app).hears_of(*boxes)
        stop = asyncio.Event()
        running.append((daemon, asyncio.get_running_loop(), stop))
        up.set()
        await stop.wait()
        await daemon.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert up.wait(30)
    daemon, loop, stop = running[0]
    try:
        yield daemon, loop
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
    assert not thread.is_alive()
