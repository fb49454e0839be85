"""``modembank twilio``: makes, shows and removes accounts of the Twilio dialect through the running daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from modembankd.asking import ask
from modembankd.options import config_option

_PATH = "/api/v1/twilio-accounts"


@click.group()
def twilio() -> None:
    """Let clients of the Twilio Messages API use the box."""


@twilio.command("list")
@config_option
def twilio_list(config_path: Path) -> None:
    """Show all accounts and how their endpoints do, without their tokens."""
    for one in ask(config_path, "GET", _PATH)["items"]:
        trouble = f"  {one['last_error']}" if one["last_error"] else ""
        urls = f"sms={one['sms_url'] or '-'}  status={one['status_callback'] or '-'}"
        click.echo(f"{one['sid']}  {one['user']}  {urls}  waiting={one['waiting']}{trouble}")


@twilio.command("add")
@click.argument("user")
@click.option("--sms-url", help="Post inbound messages there; the answer says what to reply.")
@click.option("--status-callback", help="Tell there what becomes of messages that name no address themselves.")
@click.option("--allow-private", is_flag=True, help="Let the addresses lead into private networks or to this box.")
@config_option
def twilio_add(user: str, config_path: Path, **wanted: Any) -> None:
    """Make an account for USER, and print its sid and its auth token."""
    made = ask(config_path, "POST", _PATH, {"user": user, **wanted})
    click.echo(made["sid"])
    click.echo(made["auth_token"])


@twilio.command("remove")
@click.argument("sid")
@config_option
def twilio_remove(sid: str, config_path: Path) -> None:
    """Remove the account SID; what its endpoints have not been told yet, they will not be told."""
    ask(config_path, "DELETE", f"{_PATH}/{sid}")
    click.echo(f"removed {sid}")
