"""``modembank demo``: the same daemon on an embedded emulated bank, with throw-away data and a live view."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from modembank.accounts import LOCAL_ADMIN, Role
from modembank.bank import BankOptions
from modembank.bus import Bus
from modembank.clock import rfc3339
from modembank.config import BankConfig, BoxConfig, Config, LimitsConfig, LogConfig, PortEntry, WebConfig
from modembank.events import Event, MessageReceived, MessageStateChanged, ModemStateChanged
from modembank.ids import public_id
from modembank.messages import MessageState, SubmitRequest
from modembank.modem import ModemState
from modembank.system import Process
from modembank_emulator import Bank as EmulatedBank
from modembank_emulator import BankConfig as EmulatedBankConfig
from modembank_emulator import LatencyModel
from modembankd.daemon import Daemon
from modembankd.logs import configure_logs
from modembankd.stopping import when_told

REGISTERED_WITHIN_S = 30.0
LIMITS = LimitsConfig(min_interval_s=1.0, per_minute=15, per_hour=200, per_day=1000)
"""Of each emulated SIM."""


async def run_demo(modems: int, port: int, latency: LatencyModel, *, verbose: bool) -> None:
    """Run until Ctrl-C or SIGTERM."""
    process = Process()
    configure_logs(LogConfig(level="info" if verbose else "error"), process.logs)
    stopping = when_told()
    with tempfile.TemporaryDirectory(prefix="modembank-demo-") as name:
        folder = Path(name)
        emulated = EmulatedBankConfig(modems=modems, link_dir=folder / "tty", latency=latency)
        async with EmulatedBank(emulated) as bank:
            click.echo(f"emulating {modems} modems; they look for their network …")
            daemon = Daemon(_config(folder, modems, port), BankOptions(stagger_s=0.02), process=process)
            await daemon.start()
            try:
                await until_registered(daemon, modems)
                hide_events = await _introduce(daemon, [card.msisdn for card in bank.cards[:2]])
                await stopping.wait()
                hide_events()
                click.echo("\nstopping …")
            finally:
                await daemon.stop()
    click.echo("stopped; the data of this demo is gone")


def _config(folder: Path, modems: int, port: int) -> Config:
    ports = tuple(PortEntry(path=str(folder / "tty" / f"modem-{number:02d}")) for number in range(modems))
    return Config(
        box=BoxConfig(id="demo", data_dir=str(folder / "data")),
        web=WebConfig(listen=f"127.0.0.1:{port}"),
        bank=BankConfig(port=ports),
        limits=LIMITS,
    )


async def until_registered(daemon: Daemon, modems: int) -> None:
    """Wait until so many modems are on their network; raises TimeoutError."""
    app, changed = daemon.box.app, asyncio.Event()
    unsubscribe = app.bus.subscribe(ModemStateChanged, lambda _: changed.set())
    async with asyncio.timeout(REGISTERED_WITHIN_S):
        while sum(view.state is ModemState.REGISTERED for view in app.bank.modems()) < modems:
            changed.clear()
            await changed.wait()
    unsubscribe()


async def _introduce(daemon: Daemon, numbers: list[str]) -> Callable[[], None]:
    """Print how to talk to the box, send a first message, and show what happens until the returned is called."""
    app = daemon.box.app
    password = secrets.token_urlsafe(9)
    user = await app.accounts.add_user(LOCAL_ADMIN, "demo", Role.ADMIN, password)
    _, key = await app.accounts.add_key(LOCAL_ADMIN, user.name, label="demo")
    own, other = numbers[0], numbers[-1]
    body = msgspec.json.encode({"to": other, "text": "Hello from curl"}).decode()
    click.echo(f"""
  pages     {daemon.url}/  (log in as {user.name} with {password})
  API docs  {daemon.url}/docs
  API key   {key}

Send a message from one emulated SIM to another:

  curl -s {daemon.url}/api/v1/messages -H 'Authorization: Bearer {key}' \\
       -H 'Content-Type: application/json' -d '{body}'

Read its status back with the id from the answer, and what came in:

  curl -s {daemon.url}/api/v1/messages/ID -H 'Authorization: Bearer {key}'
  curl -s {daemon.url}/api/v1/inbox -H 'Authorization: Bearer {key}'

Ctrl-C ends it. What happens is shown below; the first message is on its way.
""")
    hide_events = _show_events(app.bus)
    actor = await app.accounts.authenticate(key)
    await app.messages.submit(actor, SubmitRequest(to=own, text="Hello from Modembank"))
    return hide_events


def _show_events(bus: Bus) -> Callable[[], None]:
    printers: dict[type[Event], Callable[[Event], str | None]] = {
        MessageStateChanged: _state_line,
        MessageReceived: _received_line,
        ModemStateChanged: _modem_line,
    }

    def show(event: Event) -> None:
        printer = printers.get(type(event))
        line = printer(event) if printer is not None else None
        if line is not None:
            click.echo(f"{rfc3339(event.at)[11:23]}  {line}")

    return bus.subscribe(Event, show)


def _state_line(event: Event) -> str | None:
    if not isinstance(event, MessageStateChanged):
        return None
    cause = f" ({event.cause})" if event.cause else ""
    return f"{public_id('msg', event.message)} is {MessageState(event.state).word}{cause}"


def _received_line(event: Event) -> str | None:
    if not isinstance(event, MessageReceived):
        return None
    return f"{public_id('inb', event.message)} came in from {event.sender}"


def _modem_line(event: Event) -> str | None:
    if not isinstance(event, ModemStateChanged):
        return None
    return f"modem {event.slot} is {event.new} ({event.reason}{': ' + event.detail if event.detail else ''})"
