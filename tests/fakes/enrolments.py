"""A hub that enrols boxes, a Mosquitto that asks for their certificates and reads its list, and boxes' daemons."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fakes.brokers import Mosquitto, free_port
from fakes.fleets import until
from fakes.hubs import signing_in
from modembank.accounts import LOCAL_ADMIN
from modembank.bank import BankOptions
from modembank.config import BankConfig, BoxConfig, Config, MqttConfig, WebConfig
from modembank_fleet.authority import kept_authority
from modembank_hub import config as of_hub
from modembank_hub.app import HubApp
from modembank_hub.rows_of_boxes import Wanted
from modembankd.daemon import Daemon
from modembankd.handed_over import HubToken
from modembankd.hub import HubDaemon

_CONF = """\
per_listener_settings true
persistence false
user {user}
listener {plain} 127.0.0.1
allow_anonymous true
listener {tls} 127.0.0.1
cafile {ca}/ca.crt
certfile {ca}/broker.crt
keyfile {ca}/broker.key
crlfile {ca}/crl.pem
require_certificate true
use_identity_as_username true
use_username_as_clientid true
acl_file {folder}/boxes.acl
"""
_ACL = """\
pattern write modembank/v1/%u/up/#
pattern read modembank/v1/%u/down/#
pattern read modembank/v1/_fleet/down/#
"""


class Broker(Mosquitto):
    """As docs/hub.md says: a door for boxes, by certificates, and one for the hub."""

    def __init__(self, folder: Path, ca: Path) -> None:
        """Use an authority's folder, in which the list is; ``port`` is the hub's, ``tls`` the boxes'."""
        super().__init__(folder)
        self.tls = free_port()
        authority, key = kept_authority(ca, "Test fleet"), _key(ca)
        (ca / "broker.crt").write_bytes(authority.certify_server(key, ["127.0.0.1"], 30))
        (folder / "boxes.acl").write_text(_ACL)
        (folder / "boxes.acl").chmod(0o600)
        given: dict[str, Any] = {"user": getpass.getuser(), "plain": self.port, "tls": self.tls}
        (folder / "mosquitto.conf").write_text(_CONF.format(ca=ca, folder=folder, **given))

    def reload(self) -> None:
        """Have it read the list again, as ``systemctl reload mosquitto`` does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)


def _key(ca: Path) -> bytes:
    from modembank_fleet.authority import new_server_key, write_private

    write_private(ca / "broker.key", key := new_server_key())
    return key


class Fleet:
    """The hub and its broker, and what a test does with them."""

    def __init__(self, folder: Path, *, days: int = 90, brokers: tuple[str, ...] | None = None) -> None:
        """Prepare; ``running`` starts both."""
        self.folder = folder
        (folder / "broker").mkdir()
        self.ca = folder / "hub" / "ca"
        kept_authority(self.ca, "Test fleet")
        self.broker = Broker(folder / "broker", self.ca)
        self.door = free_port()
        self.config = of_hub.HubConfig(
            hub=of_hub.IdentityConfig(data_dir=str(folder / "hub"), window_s=1.0),
            mqtt=of_hub.MqttConfig(port=self.broker.port),
            signing=signing_in(folder),
            enrolment=of_hub.EnrolmentConfig(
                address=f"https://127.0.0.1:{self.door}",
                listen=f"127.0.0.1:{self.door}",
                brokers=brokers or (f"mqtts://127.0.0.1:{self.broker.tls}",),
                certificate_days=days,
            ),
            web=WebConfig(listen="127.0.0.1:0"),
        )
        self.hub: HubDaemon | None = None

    @property
    def app(self) -> HubApp:
        assert self.hub is not None
        return self.hub.app

    async def open(self) -> None:
        """Start the hub."""
        self.hub = HubDaemon(self.config)
        await self.hub.start()

    async def close(self) -> None:
        """Stop the hub."""
        if self.hub is not None:
            hub, self.hub = self.hub, None
            await hub.stop()

    async def token(self, site: str = "kiel", box: str = "", hours: float | None = None) -> str:
        """Make a token."""
        return (await self.app.enrolment.make_token(LOCAL_ADMIN, site, box, hours))[1]

    async def online(self, *names: str) -> None:
        """Wait until just these boxes are with the hub."""

        async def there() -> bool:
            page = await self.app.fleet.listed(LOCAL_ADMIN, Wanted(standing="online"))
            return {row.name for row in page.items if row.birth} == set(names)

        await so(there)


@contextlib.asynccontextmanager
async def fleet_in(folder: Path, **more: Any) -> AsyncIterator[Fleet]:
    """Yield a hub with its broker, running."""
    fleet = Fleet(folder, **more)
    await fleet.open()
    try:
        await asyncio.to_thread(fleet.broker.start)
        yield fleet
    finally:
        await fleet.close()
        fleet.broker.kill()


def box_config(folder: Path, box: str = "b1", mqtt: MqttConfig | None = None) -> Config:
    """Return the configuration of a box without modems."""
    return Config(
        box=BoxConfig(id=box, data_dir=str(folder / box)),
        web=WebConfig(listen="127.0.0.1:0"),
        bank=BankConfig(),
        mqtt=mqtt or MqttConfig(),
    )


@contextlib.asynccontextmanager
async def box_in(
    folder: Path, box: str = "b1", *, token: HubToken | None = None, mqtt: MqttConfig | None = None
) -> AsyncIterator[Daemon]:
    """Yield a box's daemon, running; it tries its hub at once."""
    daemon = Daemon(box_config(folder, box, mqtt), BankOptions(), hub_within_s=0.05, hub_token=token)
    await daemon.start()
    try:
        yield daemon
    finally:
        await daemon.stop()


async def so(true: Any, within_s: float = 90.0) -> None:
    """Wait until what a coroutine function says is so."""
    async with asyncio.timeout(within_s):
        while not await true():
            await asyncio.sleep(0.05)


def files_of(folder: Path, box: str = "b1") -> dict[str, int]:
    """Return what lies in a box's folder of its enrolment, with the modes."""
    found = folder / box / "hub"
    return {path.name: path.stat().st_mode & 0o777 for path in sorted(found.iterdir())}


__all__ = ["Fleet", "box_config", "box_in", "files_of", "fleet_in", "so", "until"]
