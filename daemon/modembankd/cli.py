"""The command line: ``modembank``. Exit status 0, 1 (failed), 2 (usage)."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modembank.errors import ModembankError
from modembankd.garbage import look_rarely
from modembankd.options import config_option, latency_option, run_async

if TYPE_CHECKING:
    from modembank.config import Config
    from modembank_emulator import LatencyModel

PRIVATE = 0o077
"""Whatever is written (messages, numbers, keys' digests, the control socket) is for the daemon's user alone."""


LATER: dict[str, tuple[str, str]] = {
    "apikey": ("accounts_cli.apikey", "Make, list and revoke API keys."),
    "audit": ("accounts_cli.audit_group", "Read and verify the record of who changed what."),
    "backup": (
        "backup_cli.backup",
        "Write everything the box must not forget into FILE, checked; a running daemon goes on undisturbed.",
    ),
    "box": (
        "box_cli.box",
        "Show the appliance: version, slot, data partition, mistakes in box.toml, update, certificate.",
    ),
    "demo-fleet": (
        "demo_fleet.demo_fleet",
        "Run a hub and boxes on emulated banks with a Mosquitto between them, with throw-away data.",
    ),
    "doctor": (
        "doctor_cli.doctor",
        "Look at everything the box needs and say what is wrong, in sentences; exit status 1 when something is.",
    ),
    "events": ("messages_cli.events", "Show what happens, as it happens, until Ctrl-C."),
    "fleet": ("fleet_cli.fleet", "See the boxes of a fleet and command them, on the machine that its hub runs on."),
    "hub": ("hub_cli.hub", "Run the hub of a fleet: it takes in what boxes tell over MQTT, and commands them."),
    "hub-enrol": (
        "hub_enrol_cli.hub_enrol",
        "Enrol this box at a hub with the TOKEN of its page; - reads it from standard input.",
    ),
    "inbox": ("messages_cli.inbox", "Show what came in, the newest first."),
    "mailing": ("mailings_cli.mailing", "Send files of recipients, and see how that goes."),
    "messages": ("messages_cli.messages", "Look at what was sent, and cancel what was not yet."),
    "optout": ("optout_cli.optout", "See and change who wants no messages."),
    "preview": (
        "messages_cli.preview",
        "Tell how TEXT would go out: alphabet, segments, and what makes it longer; - reads standard input.",
    ),
    "restore": (
        "backup_cli.restore_command",
        "Put the backup FILE in the place of the box's database, which is set aside; the daemon must not run.",
    ),
    "selftest": ("selftest_cli.selftest", "Prove that nothing accepted is lost and nothing silently sent twice."),
    "send": ("messages_cli.send", "Queue TEXT for one number TO, or several, and print the ids of the messages."),
    "setup-code": (
        "accounts_cli.setup_code",
        "Show the code with which the first admin is made, on the page /ui/setup.",
    ),
    "twilio": ("twilio_cli.twilio", "Let clients of the Twilio Messages API use the box."),
    "user": ("accounts_cli.user", "Add, list and change users."),
    "webhook": ("webhook_cli.webhook", "Have events posted to addresses."),
}
"""Commands whose modules are loaded when they are called: where each is, and the first sentence of its help.

On a small computer it takes seconds to load all of the box, of which most commands need little.
"""


class _Group(click.Group):
    """Shows a product error as one sentence with exit status 1, never as a traceback; loads commands ``later``."""

    def __init__(self, *arguments: Any, later: Mapping[str, tuple[str, str]] | None = None, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._later = later or {}

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModembankError as error:
            click.echo(f"modembank: {error}", err=True)
            ctx.exit(1)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._later})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self._later.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module, _, name = place[0].partition(".")
        command: click.Command = getattr(importlib.import_module(f"modembankd.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        own = [(name, command.get_short_help_str(limit=200)) for name, command in self.commands.items()]
        rows = sorted([*own, *((name, sentence) for name, (_, sentence) in self._later.items())])
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


@click.group(cls=_Group, later=LATER, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="modembank")
def main() -> None:
    """An SMS appliance: a bank of modems behind a durable queue, a REST API and per-SIM limits.

    Exit status: 0 when it is done, 1 when it failed or found something wrong (a sentence says what), 2 for wrong usage.
    """
    from modembank.config import LogConfig
    from modembankd.logs import configure_logs

    os.umask(PRIVATE)
    configure_logs(LogConfig(level="error"))


@main.command()
@config_option
def run(config_path: Path) -> None:
    """Run the daemon in the foreground until SIGTERM or Ctrl-C."""
    look_rarely()

    from modembank.config import load_config
    from modembank.system import Process
    from modembankd.daemon import run_daemon
    from modembankd.handed_over import hub_token, sockets_from_systemd, with_credentials
    from modembankd.logs import configure_logs

    config, process = load_config(config_path), Process(config_path.absolute())
    configure_logs(config.log, process.logs)
    given = with_credentials(config)
    run_async(run_daemon(given, process=process, sockets=sockets_from_systemd(), hub_token=hub_token()))


@main.command()
@click.option("--modems", type=click.IntRange(1, 64), default=8, show_default=True, help="How many modems to emulate.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port of the API; 0: any.")
@latency_option
@click.option("--verbose", is_flag=True, help="Show the daemon's log too.")
def demo(modems: int, port: int, latency: LatencyModel, verbose: bool) -> None:
    """Run the daemon on an embedded bank of emulated modems, with throw-away data."""
    from modembankd.demo import run_demo

    run_async(run_demo(modems, port, latency, verbose=verbose))


@main.group()
def config() -> None:
    """Look at the configuration."""


@config.command("check")
@config_option
def config_check(config_path: Path) -> None:
    """Check the configuration file and say what it means."""
    from modembank.config import load_config

    loaded = load_config(config_path)
    click.echo(f"{config_path} is fine.")
    click.echo(f"  data:   {loaded.box.data_dir}")
    click.echo(f"  listen: {loaded.web.listen}{' (TLS)' if loaded.web.tls_cert else ''}")
    click.echo(f"  ports:  {_ports(loaded)}")
    click.echo(f"  SIMs:   {len(loaded.sim)} configured")
    click.echo(f"  limits: {_limits(loaded)}")


def _ports(loaded: Config) -> str:
    listed = ", ".join(port.path for port in loaded.bank.port)
    if loaded.bank.discovery == "static":
        return listed or 'none: add [[bank.port]], or set discovery = "usb" in [bank]'
    ignored = f"; not at {', '.join(loaded.bank.ignore)}" if loaded.bank.ignore else ""
    return f"{f'{listed}, and ' if listed else ''}every modem that is found on the USB{ignored}"


def _limits(loaded: Config) -> str:
    limits = loaded.limits
    shown = {name: getattr(limits, name) for name in limits.__struct_fields__}
    return ", ".join(f"{name} {value:g}" for name, value in shown.items() if value) or "none"
