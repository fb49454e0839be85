"""``modembank fleet alerts`` and its kin: what needs a person, asked of the hub that runs on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from modembankd.asking import ask_at, listed_at
from modembankd.fleet_places import data_dir_of
from modembankd.hub_cli import hub_config_option
from modembankd.messages_cli import json_option, print_json
from modembankd.showing import on_one_line, table

_ALERTS, _SILENCES, _CHANNELS = "/api/v1/alerts", "/api/v1/alert-silences", "/api/v1/alert-channels"
_STATES = click.Choice(["active", "open", "acknowledged", "ended", "all"])
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Length(click.ParamType[int]):
    """A length of time such as 30m, 4h or 2d; a number alone is seconds."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return seconds."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", value)
        if found is None:
            self.fail(f"{value!r} is no length of time: write 30m, 4h or 2d", param, ctx)
        return int(found[1]) * _UNITS[found[2] or "s"]


@click.command("alerts")
@click.option("--state", type=_STATES, default="active", show_default=True, help="Only those; active: not over.")
@click.option("--kind", help="Only those of this kind, such as box.offline.")
@click.option("--site", help="Only those of this site's boxes.")
@click.option("--severity", type=click.Choice(["critical", "warning", "info"]), help="Only those that are so bad.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="How many.")
@click.option("--check", is_flag=True, help="Exit status 1 when one of them is open.")
@json_option
@hub_config_option
def fleet_alerts(config_path: Path, *, state: str, limit: int, check: bool, as_json: bool, **wanted: Any) -> None:
    """List alerts, that first which opened last."""
    asked = wanted | {"state": None if state == "all" else state}
    found = listed_at(data_dir_of(config_path), _ALERTS, asked, limit)
    if as_json:
        print_json(found)
    else:
        rows = [(one["id"], one["severity"], _state(one), one["opened_at"], _words(one)) for one in found]
        for line in table(("id", "severity", "state", "opened", "what"), rows):
            click.echo(line)
    if check and any(one["state"] == "open" for one in found):
        raise SystemExit(1)


@click.command("alert")
@click.argument("alert")
@click.option("--acknowledge", "note", help="Say that you look after it, with a note for the others.")
@hub_config_option
def fleet_alert(alert: str, note: str | None, config_path: Path) -> None:
    """Show one ALERT with its way, as JSON."""
    data_dir, path = data_dir_of(config_path), f"{_ALERTS}/{quote(alert, safe='')}"
    if note is not None:
        ask_at(data_dir, "POST", f"{path}/acknowledge", {"note": note})
    print_json(ask_at(data_dir, "GET", path))


@click.command("silence")
@click.argument("place")
@click.option("--for", "for_s", type=Length(), required=True, help="How long, such as 30m, 4h or 2d.")
@click.option("--kind", default="", help="Only this kind of alert.")
@click.option("--reason", default="", help="Why, for the others.")
@hub_config_option
def fleet_silence(place: str, for_s: int, kind: str, reason: str, config_path: Path) -> None:
    """Tell nobody of alerts at PLACE for a while: site:NAME, group:NAME, box:SITE/NAME, hub, or '*'."""
    body = {"place": place, "for_s": for_s, "kind": kind, "reason": reason}
    made = ask_at(data_dir_of(config_path), "POST", _SILENCES, body)
    click.echo(f"silence {made['id']} of {made['place']} until {made['until']}")


@click.command("silences")
@click.option("--end", "ended", help="End this one now.")
@json_option
@hub_config_option
def fleet_silences(ended: str | None, config_path: Path, *, as_json: bool) -> None:
    """List silences that last or are to come; or end one."""
    data_dir = data_dir_of(config_path)
    if ended is not None:
        ask_at(data_dir, "POST", f"{_SILENCES}/{quote(ended, safe='')}/end")
    found = ask_at(data_dir, "GET", _SILENCES)["items"]
    if as_json:
        print_json(found)
        return
    rows = [(one["id"], one["place"], one["kind"] or "every kind", one["until"], one["reason"]) for one in found]
    for line in table(("id", "where", "kind", "until", "reason"), rows):
        click.echo(line)


@click.command("alert-channels")
@click.option("--test", "tried", help="Tell this one (its name or id) that it is a test; exit status 1 when it fails.")
@json_option
@hub_config_option
def fleet_alert_channels(tried: str | None, config_path: Path, *, as_json: bool) -> None:
    """List who is told of alerts, and how that goes; or try one."""
    data_dir = data_dir_of(config_path)
    found = ask_at(data_dir, "GET", _CHANNELS)["items"]
    if tried is not None:
        _try(data_dir, next((one["id"] for one in found if tried in {one["name"], one["id"]}), tried))
    elif as_json:
        print_json(found)
    else:
        rows = [
            (one["id"], one["name"], one["means"], one["state"], str(one["delivered"]), one["last_error"] or "-")
            for one in found
        ]
        for line in table(("id", "name", "by", "state", "taken", "last error"), rows):
            click.echo(line)


def _try(data_dir: Path, channel: str) -> None:
    said = ask_at(data_dir, "POST", f"{_CHANNELS}/{quote(channel, safe='')}/test")
    if not said["ok"]:
        message = f"it was not taken: {on_one_line(said['error'])}"
        raise click.ClickException(message)
    click.echo("it was taken")


def _state(one: dict[str, Any]) -> str:
    return f"{one['state']}{' (silenced)' if one['silenced_until'] else ''}"


def _words(one: dict[str, Any]) -> str:
    more = f": {one['particulars']}" if one["particulars"] else ""
    note = f" [{one['acknowledged_by']}: {one['note']}]" if one["acknowledged_by"] else ""
    return f"{one['title']}{more}{note}"
