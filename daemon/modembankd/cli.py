"""The command line: ``modembank``. Exit status 0, 1 (failed), 2 (usage)."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import click

from modembank.config import Config, LogConfig, load_config
from modembank.errors import ModembankError
from modembankd.logs import configure_logs
from modembankd.options import config_option, run_async

PRIVATE = 0o077
"""Whatever is written (messages, numbers, keys' digests, the control socket) is for the daemon's user alone."""
_ELSEWHERE = {
    "apikey": "accounts_cli:apikey",
    "audit": "accounts_cli:audit_group",
    "backup": "backup_cli:backup",
    "doctor": "talk_cli:doctor",
    "events": "messages_cli:events",
    "inbox": "messages_cli:inbox",
    "messages": "messages_cli:messages",
    "optout": "optout_cli:optout",
    "preview": "messages_cli:preview",
    "restore": "backup_cli:restore_command",
    "selftest": "selftest_cli:selftest",
    "send": "messages_cli:send",
    "twilio": "twilio_cli:twilio",
    "user": "accounts_cli:user",
    "webhook": "webhook_cli:webhook",
}
"""Where each command is. Only the one that is called is imported: on a Pi, all of them take seconds."""


class _Group(click.Group):
    """Shows a product error as one sentence with exit status 1, never as a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_ELSEWHERE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = _ELSEWHERE.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module, _, name = place.partition(":")
        found: click.Command = getattr(importlib.import_module(f"modembankd.{module}"), name)
        return found

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModembankError as error:
            click.echo(f"modembank: {error}", err=True)
            ctx.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="modembank")
def main() -> None:
    """An SMS appliance: a bank of modems behind a durable queue, a REST API and per-SIM limits.

    Exit status: 0 when it is done, 1 when it failed or found something wrong (a sentence says what), 2 for wrong usage.
    """
    os.umask(PRIVATE)
    configure_logs(LogConfig(level="error"))


@main.command()
@config_option
def run(config_path: Path) -> None:
    """Run the daemon in the foreground until SIGTERM or Ctrl-C."""
    from modembankd.daemon import run_daemon

    config = load_config(config_path)
    configure_logs(config.log)
    run_async(run_daemon(config))


@main.command()
@click.option("--modems", type=click.IntRange(1, 64), default=8, show_default=True, help="How many modems to emulate.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port of the API; 0: any.")
@click.option("--latency", default="lte", show_default=True, help="Of the emulated network: zero, lte, gsm, fixed:S.")
@click.option("--verbose", is_flag=True, help="Show the daemon's log too.")
def demo(modems: int, port: int, latency: str, verbose: bool) -> None:
    """Run the daemon on an embedded bank of emulated modems, with throw-away data."""
    from modembank_emulator import LatencyModel
    from modembankd.demo import run_demo

    try:
        drawn = LatencyModel.parse(latency)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--latency") from error
    run_async(run_demo(modems, port, drawn, verbose=verbose))


@main.group()
def config() -> None:
    """Look at the configuration."""


@config.command("check")
@config_option
def config_check(config_path: Path) -> None:
    """Check the configuration file and say what it means."""
    loaded = load_config(config_path)
    click.echo(f"{config_path} is fine.")
    click.echo(f"  data:   {loaded.box.data_dir}")
    click.echo(f"  listen: {loaded.web.listen}{' (TLS)' if loaded.web.tls_cert else ''}")
    click.echo(f"  ports:  {', '.join(port.path for port in loaded.bank.port) or 'none'}")
    click.echo(f"  SIMs:   {len(loaded.sim)} configured")
    click.echo(f"  limits: {_limits(loaded)}")


def _limits(loaded: Config) -> str:
    limits = loaded.limits
    shown = {name: getattr(limits, name) for name in limits.__struct_fields__}
    return ", ".join(f"{name} {value:g}" for name, value in shown.items() if value) or "none"
