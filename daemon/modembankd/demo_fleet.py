"""``modembank demo-fleet``: a broker, a hub and boxes on emulated banks on this machine, with throw-away data.

The broker is a Mosquitto of the machine's, set up as docs/hub.md says: boxes show certificates, which the hub gave them
for a token, and the hub comes over the loopback. Hub and boxes are the real ones, in one process.
"""

from __future__ import annotations

import asyncio
import getpass
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import click

from modembank.accounts import LOCAL_ADMIN, Role
from modembank.bank import BankOptions
from modembank.config import BankConfig, BoxConfig, Config, LogConfig, MqttConfig, PortEntry, WebConfig
from modembank.errors import ModembankError
from modembank_emulator import Bank, LatencyModel
from modembank_emulator import BankConfig as EmulatedBankConfig
from modembank_fleet.wire import new_signer
from modembank_hub.app import keep_signer
from modembank_hub.config import load_hub_config
from modembank_hub.doorway import issue_server
from modembank_hub.rows_of_boxes import Wanted
from modembankd.daemon import Daemon
from modembankd.demo import LIMITS, until_registered
from modembankd.hub import HubDaemon
from modembankd.logs import configure_logs
from modembankd.options import latency_option, run_async
from modembankd.stopping import when_told

SITE = "demo"
KID = "demo"
ONLINE_WITHIN_S = 60.0
POOL = 50
_LOOPBACK = "127.0.0.1"
_ANSWERS_WITHIN_S = 10.0
_LOOK_S = 0.2
_ACL = """\
pattern write modembank/v1/%u/up/#
pattern read modembank/v1/%u/down/#
topic read modembank/v1/hub/#
"""
_BROKER = """\
per_listener_settings true
persistence false
max_queued_messages 10000
user {user}
listener {tls} 127.0.0.1
cafile {ca}/ca.crt
crlfile {ca}/crl.pem
certfile {ca}/broker.crt
keyfile {ca}/broker.key
require_certificate true
use_identity_as_username true
use_username_as_clientid true
acl_file {acl}
listener {plain} 127.0.0.1
allow_anonymous true
"""
_HUB = """\
[hub]
data_dir = "{folder}/hub"
window_s = 1
[mqtt]
port = {port}
[signing]
key_file = "{folder}/signing.key"
kid = "{kid}"
[enrolment]
address = "https://127.0.0.1:{door}"
listen = "127.0.0.1:{door}"
brokers = ["mqtts://127.0.0.1:{tls}"]
[web]
listen = "127.0.0.1:{listen}"
"""


class NoBroker(ModembankError):
    """The demonstration has no MQTT broker."""

    key = "no_broker"
    template = "there is no broker: {reason}"


class NotOnline(ModembankError):
    """Boxes do not come to the hub."""

    key = "not_online"
    template = "only {online} of {boxes} boxes are with the hub after {seconds:.0f} s; --verbose shows why"


@click.command("demo-fleet")
@click.option("--boxes", type=click.IntRange(1, 16), default=3, show_default=True, help="How many boxes.")
@click.option("--modems", type=click.IntRange(1, 16), default=4, show_default=True, help="Emulated modems of each.")
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="Port of the hub; 0: any.")
@latency_option
@click.option("--verbose", is_flag=True, help="Show the logs of hub and boxes too.")
def demo_fleet(boxes: int, modems: int, port: int, latency: LatencyModel, verbose: bool) -> None:
    """Run a hub and boxes on emulated banks with a Mosquitto between them, with throw-away data."""
    configure_logs(LogConfig(level="info" if verbose else "error"))
    run_async(_run(boxes, modems, port, latency))


async def _run(boxes: int, modems: int, port: int, latency: LatencyModel) -> None:
    stopping = when_told()
    with tempfile.TemporaryDirectory(prefix="modembank-fleet-") as name:
        folder = Path(name)
        async with AsyncExitStack() as stack:
            tls, plain, door = _free_ports(3)
            hub = await stack.enter_async_context(_hub(folder, port, tls, plain, door))
            await stack.enter_async_context(_broker(folder, tls, plain))
            click.echo(f"a broker at {tls} (TLS, for boxes) and {plain} (for the hub); {boxes} boxes start …")
            started = [
                await stack.enter_async_context(_box(folder, number, modems, latency, hub))
                for number in range(1, boxes + 1)
            ]
            if await _online(hub, boxes, stopping):
                await _introduce(hub, started, folder)
                await stopping.wait()
            click.echo("\nstopping …")
    click.echo("stopped; the data of this demo is gone")


@asynccontextmanager
async def _broker(folder: Path, tls: int, plain: int) -> AsyncIterator[None]:
    """Run a Mosquitto inside the block, with ports for boxes and for the hub. Raises NoBroker."""
    program = shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin")
    if program is None:
        raise NoBroker(reason="install Mosquitto (on Debian: apt install mosquitto)")
    issue_server(folder / "hub/ca", "broker", [_LOOPBACK])
    (folder / "boxes.acl").write_text(_ACL)
    (folder / "boxes.acl").chmod(0o600)
    given = {"user": getpass.getuser(), "tls": tls, "plain": plain, "ca": folder / "hub/ca"}
    (folder / "broker.conf").write_text(_BROKER.format(acl=folder / "boxes.acl", **given))
    with (folder / "broker.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program, "-c", folder / "broker.conf", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,  # Ctrl-C is for us: it has to outlive the boxes
        )  # fmt: skip
    try:
        if not await _answers(process, plain):
            said = await asyncio.to_thread((folder / "broker.log").read_text, "utf-8", "replace")
            raise NoBroker(reason=f"Mosquitto does not answer: {said[-500:]}")
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _answers(process: asyncio.subprocess.Process, port: int) -> bool:
    until = time.monotonic() + _ANSWERS_WITHIN_S
    while process.returncode is None and time.monotonic() < until:
        try:
            _, writer = await asyncio.open_connection(_LOOPBACK, port)
        except OSError:
            await asyncio.sleep(_LOOK_S)
        else:
            writer.close()
            return True
    return False


@asynccontextmanager
async def _hub(folder: Path, port: int, tls: int, plain: int, door: int) -> AsyncIterator[HubDaemon]:
    keep_signer(folder / "signing.key", new_signer(KID))
    path = folder / "hub.toml"
    path.write_text(_HUB.format(folder=folder, port=plain, kid=KID, listen=port, tls=tls, door=door))
    daemon = HubDaemon(load_hub_config(path))
    await daemon.start()
    try:
        yield daemon
    finally:
        await daemon.stop()


@asynccontextmanager
async def _box(folder: Path, number: int, modems: int, latency: LatencyModel, hub: HubDaemon) -> AsyncIterator[Daemon]:
    """Run a box that the hub enrols with a token of its name."""
    own = folder / f"box-{number}"
    own.mkdir()
    async with Bank(EmulatedBankConfig(modems=modems, link_dir=own / "tty", latency=latency)):
        ports = tuple(PortEntry(path=str(own / "tty" / f"modem-{place:02d}")) for place in range(modems))
        config = Config(
            box=BoxConfig(id=f"box-{number}", data_dir=str(own / "data")),
            web=WebConfig(listen=f"{_LOOPBACK}:0"),
            bank=BankConfig(port=ports),
            limits=LIMITS,
            mqtt=MqttConfig(pool=POOL),
        )
        daemon = Daemon(config, BankOptions(stagger_s=0.02), hub_within_s=1.0)
        await daemon.start()
        try:
            _, token = await hub.app.enrolment.make_token(LOCAL_ADMIN, SITE, f"box-{number}")
            await daemon.box.app.fleet.enrolment.ask(LOCAL_ADMIN, token)
            await until_registered(daemon, modems)
            yield daemon
        finally:
            await daemon.stop()


async def _online(hub: HubDaemon, boxes: int, stopping: asyncio.Event) -> bool:
    """Wait until all boxes are with the hub; False: somebody stops it before. Raises NotOnline."""
    until = time.monotonic() + ONLINE_WITHIN_S
    while not stopping.is_set():
        page = await hub.app.fleet.listed(LOCAL_ADMIN, Wanted(standing="online"))
        if len(page.items) == boxes:
            return True
        if time.monotonic() > until:
            raise NotOnline(online=len(page.items), boxes=boxes, seconds=ONLINE_WITHIN_S)
        await asyncio.sleep(_LOOK_S)
    return False


async def _introduce(hub: HubDaemon, boxes: list[Daemon], folder: Path) -> None:
    """Make somebody who may do all at the hub and each box, and print how to look at them."""
    password = secrets.token_urlsafe(9)
    for accounts in (hub.app.accounts, *(box.box.app.accounts for box in boxes)):
        await accounts.add_user(LOCAL_ADMIN, "demo", Role.ADMIN, password)
    shown = "\n".join(f"  {SITE}/box-{number}  {box.url}/" for number, box in enumerate(boxes, 1))
    click.echo(f"""
  hub         {hub.url}/  (log in here and at the boxes as demo with {password})
{shown}

In a second terminal, with the same modembank:

  modembank fleet list --config {folder}/hub.toml
  modembank fleet command {SITE}/box-1 diag.run --wait --config {folder}/hub.toml
  modembank fleet command {SITE}/box-1 cred.rotate --wait --config {folder}/hub.toml
  modembank fleet certificates --config {folder}/hub.toml
  modembank fleet send +447900900123 --text 'Hello from the fleet' --wait --config {folder}/hub.toml

Ctrl-C ends it.
""")


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server((_LOOPBACK, 0)) for _ in range(number)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
