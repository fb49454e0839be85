"""A whole fleet for tests of the pool: the real hub, Debian's Mosquitto, real boxes on emulated banks."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from fakes.boxes import TestBox, emulated, running
from fakes.brokers import Mosquitto
from fakes.fleets import key_config
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.clock import SystemClock
from modembank.config import MqttConfig, WebConfig
from modembank_fleet.agent import agent as agent_module
from modembank_fleet.agent import pool as pool_module
from modembank_fleet.agent import streams, telemetry
from modembank_fleet.link import Backoff
from modembank_fleet.wire import Signer
from modembank_hub import lending
from modembank_hub.app import HubApp
from modembank_hub.config import HubConfig, IdentityConfig, SigningConfig
from modembank_hub.config import MqttConfig as HubMqtt
from modembankd.hub import HubDaemon

KEY = bytes(range(32))


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Have everything periodic come sooner than in service."""
    patch.setattr(agent_module, "Backoff", lambda: Backoff(0.2))
    patch.setattr(streams, "GATHER_S", 0.02)
    patch.setattr(streams, "PACE_S", 0.0)
    patch.setattr(streams, "SILENCE_S", 1.0)
    patch.setattr(streams, "DEAF_S", 1.0)
    patch.setattr(pool_module, "LOOK_S", 0.2)
    patch.setattr(lending, "LOOK_S", 0.2)
    patch.setitem(telemetry.PERIODS, "standard", telemetry.Period(1.0, 10.0))


def signing(folder: Path) -> SigningConfig:
    """Return the hub's key in a file."""
    path = folder / "signing.key"
    path.write_text(KEY.hex())
    path.chmod(0o600)
    return SigningConfig(str(path), "h1")


def box_config(broker: Mosquitto, name: str, pool: int = 10) -> MqttConfig:
    """Return the section of a box that lets the hub send through it."""
    key = key_config(Signer("h1", KEY))
    url = f"mqtt://127.0.0.1:{broker.port}"
    return MqttConfig(url=url, site="leeds", box=name, hub_key=(key,), pool=pool)


def hub_config(folder: Path, broker: Mosquitto) -> HubConfig:
    """Return a hub's configuration."""
    return HubConfig(
        hub=IdentityConfig(data_dir=str(folder / "hub"), workers=1, window_s=1.0, resend_s=2.0),
        mqtt=HubMqtt(port=broker.port),
        signing=signing(folder),
        web=WebConfig(listen="127.0.0.1:0"),
    )


class PoolHub:
    """A running hub, and an admin's HTTP client."""

    def __init__(self, daemon: HubDaemon, client: httpx.AsyncClient) -> None:
        self.daemon = daemon
        self.client = client

    @property
    def app(self) -> HubApp:
        return self.daemon.app

    async def row(self, sql: str, *args: object) -> tuple:
        return await self.app.store.fetch_one(sql, args)


@asynccontextmanager
async def hub_on(folder: Path, broker: Mosquitto) -> AsyncIterator[PoolHub]:
    """Run the hub inside the block; again on the same folder it is the same hub."""
    daemon = HubDaemon(hub_config(folder, broker), SystemClock())
    await daemon.start()
    try:
        accounts = daemon.app.accounts
        if "tester" not in [user.name for user in await accounts.users(LOCAL_ADMIN)]:
            await accounts.add_user(LOCAL_ADMIN, "tester", Role.ADMIN)
        _, key = await accounts.add_key(LOCAL_ADMIN, "tester")
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=daemon.url, headers=headers, timeout=30, trust_env=False) as client:
            yield PoolHub(daemon, client)
    finally:
        await daemon.stop()


@asynccontextmanager
async def boxes_on(folder: Path, broker: Mosquitto, count: int = 2, **bank: object) -> AsyncIterator[list[TestBox]]:
    """Run boxes, each on a bank of two emulated modems of its own."""
    async with contextlib.AsyncExitStack() as undo:
        made = []
        for number in range(1, count + 1):
            (place := folder / f"box-{number}").mkdir(exist_ok=True)
            running_bank = await undo.enter_async_context(emulated(place / "tty", **bank))
            rules = {"mqtt": box_config(broker, f"b{number}")}
            made.append(await undo.enter_async_context(running(running_bank, place / "data", rules=rules)))
        yield made


def new_id() -> str:
    """Return a number that is nobody's."""
    return f"+4479009{secrets.randbelow(100_000):05d}"
