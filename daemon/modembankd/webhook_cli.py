"""``modembank webhook``: makes, shows, tries and removes webhooks through the running daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from modembankd.asking import Refused, ask
from modembankd.options import config_option

_PATH = "/api/v1/webhooks"


@click.group()
def webhook() -> None:
    """Have events posted to addresses."""


@webhook.command("list")
@config_option
def webhook_list(config_path: Path) -> None:
    """Show all webhooks and how they do."""
    for one in ask(config_path, "GET", _PATH)["items"]:
        trouble = f"  {one['stopped_why'] or one['last_error']}" if one["state"] != "working" else ""
        events = ",".join(one["events"])
        click.echo(f"{one['id']}  {one['state']:8}{one['user']}  {events}  {one['url']}  {one['label']}{trouble}")


@webhook.command("add")
@click.argument("url")
@click.option("--user", required=True, help="Whose it is: it hears of this user's messages.")
@click.option("--event", "events", multiple=True, default=("*",), help="Kinds such as message.*; repeatable.")
@click.option("--label", default="", help="A name to know it by.")
@click.option("--all-users", is_flag=True, help="Hear of everybody's; its user must be an admin.")
@click.option("--allow-private", is_flag=True, help="Let the address lead into private networks or to this box.")
@config_option
def webhook_add(url: str, config_path: Path, **wanted: Any) -> None:
    """Have events posted to URL, and print the webhook's id and its secret, which is shown only this once."""
    made = ask(config_path, "POST", _PATH, {"url": url, **wanted})
    click.echo(made["id"])
    click.echo(made["secret"])


@webhook.command("test")
@click.argument("identifier")
@config_option
def webhook_test(identifier: str, config_path: Path) -> None:
    """Post a test event to the webhook IDENTIFIER now and say what it answers; exit status 1 unless it takes it."""
    told = ask(config_path, "POST", f"{_PATH}/{identifier}/test")
    if not told["ok"]:
        raise Refused(detail=f"{told['error']} (after {told['ms']} ms)")
    click.echo(f"it answered {told['status']} after {told['ms']} ms")


@webhook.command("remove")
@click.argument("identifier")
@config_option
def webhook_remove(identifier: str, config_path: Path) -> None:
    """Remove the webhook IDENTIFIER; what it has not been told yet, it will not be told."""
    ask(config_path, "DELETE", f"{_PATH}/{identifier}")
    click.echo(f"removed {identifier}")
