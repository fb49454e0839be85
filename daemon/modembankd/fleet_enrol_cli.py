"""``modembank fleet enrol``, ``tokens``, ``certificates``, ``revoke``: who is of the fleet, asked of the hub here."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from modembankd.asking import ask_at, listed_at
from modembankd.fleet_places import data_dir_of, place_of
from modembankd.hub_cli import hub_config_option
from modembankd.messages_cli import json_option, print_json
from modembankd.showing import on_one_line, table

_TOKENS, _CERTIFICATES, _BOXES = "/api/v1/enrolment/tokens", "/api/v1/certificates", "/api/v1/boxes"
_limit_option = click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="How many."
)


@click.command("enrol")
@click.argument("box")
@click.option("--hours", type=click.FloatRange(0, 720, min_open=True), help="For how long the token is good.")
@json_option
@hub_config_option
def enrol(box: str, hours: float | None, config_path: Path, *, as_json: bool) -> None:
    """Make a token for BOX (site/name), or for one that names itself (site); print it, this once."""
    site, _, name = box.partition("/")
    body: dict[str, Any] = {"site": site, "box": name} | ({} if hours is None else {"hours": hours})
    made = ask_at(data_dir_of(config_path), "POST", _TOKENS, body)
    print_json(made) if as_json else click.echo(made["token"])


@click.command("tokens")
@_limit_option
@json_option
@hub_config_option
def tokens(limit: int, config_path: Path, *, as_json: bool) -> None:
    """List tokens, newest first; their texts are not kept."""
    found = listed_at(data_dir_of(config_path), _TOKENS, {}, limit)
    if as_json:
        print_json(found)
        return
    rows = [
        (one["id"], one["box"], one["state"], on_one_line(one["by"]), one["ends_at"], one["used_by"] or "-")
        for one in found
    ]
    for line in table(("id", "for", "state", "by", "good until", "used by"), rows):
        click.echo(line)


@click.command("withdraw")
@click.argument("token")
@hub_config_option
def withdraw(token: str, config_path: Path) -> None:
    """Withdraw the open TOKEN with this id."""
    gone = ask_at(data_dir_of(config_path), "DELETE", f"{_TOKENS}/{quote(token, safe='')}")
    click.echo(f"the token for {gone['box']} counts no more")


@click.command("certificates")
@click.argument("box", required=False)
@_limit_option
@json_option
@hub_config_option
def certificates(box: str | None, limit: int, config_path: Path, *, as_json: bool) -> None:
    """List certificates, newest first: of BOX (site/name), or of all."""
    if box is not None:
        place_of(box)
    found = listed_at(data_dir_of(config_path), _CERTIFICATES, {"box": box}, limit)
    if as_json:
        print_json(found)
        return
    rows = [(one["box"], one["state"], one["how"], one["issued_at"], one["ends_at"], one["serial"]) for one in found]
    for line in table(("box", "state", "for", "given", "good until", "serial"), rows):
        click.echo(line)


@click.command("revoke")
@click.argument("box")
@click.option("--reason", default="", help="Why, for whoever looks later.")
@hub_config_option
def revoke(box: str, reason: str, config_path: Path) -> None:
    """Shut BOX (site/name) out: nothing that it says counts, and the broker refuses it once it reads its list again."""
    told = ask_at(data_dir_of(config_path), "POST", f"{_BOXES}/{place_of(box)}/revoke", {"reason": reason})
    count = told["certificates"]
    click.echo(f"{told['box']} is shut out; certificates revoked: {count}")
    if told["problem"]:
        click.echo(f"but the broker's list was not written: {told['problem']}", err=True)
        raise SystemExit(1)
    click.echo("have the broker read its list again: systemctl reload mosquitto")
