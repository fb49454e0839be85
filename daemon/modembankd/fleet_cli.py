"""``modembank fleet``: the boxes of a fleet, asked of the hub that runs on this machine."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from modembankd.asking import ask_at, listed_at
from modembankd.fleet_alerts_cli import (
    fleet_alert,
    fleet_alert_channels,
    fleet_alerts,
    fleet_silence,
    fleet_silences,
)
from modembankd.fleet_config_cli import config
from modembankd.fleet_enrol_cli import certificates, enrol, revoke, tokens, withdraw
from modembankd.fleet_places import data_dir_of, place_of
from modembankd.hub_cli import hub_config_option
from modembankd.messages_cli import json_option, print_json
from modembankd.showing import on_one_line, table

_BOXES, _COMMANDS, _POOL = "/api/v1/boxes", "/api/v1/commands", "/api/v1/pool/messages"
_WENT = frozenset({"sent", "delivered"})
_LOOK_S = 1.0
_HEADS = ("box", "state", "version", "modems", "waiting", "problems", "last heard of")


@click.group()
def fleet() -> None:
    """See the boxes of a fleet and command them, on the machine that its hub runs on."""


for _command in (
    config, enrol, tokens, withdraw, certificates, revoke,
    fleet_alerts, fleet_alert, fleet_silence, fleet_silences, fleet_alert_channels,
):  # fmt: skip
    fleet.add_command(_command)


@fleet.command("list")
@click.option("--standing", type=click.Choice(["online", "stale", "offline"]), help="Only boxes that stand so.")
@click.option("--text", help="Only boxes with this in site, name or label.")
@click.option("--version", "version", help="Only boxes that run this version.")
@click.option("--problems", is_flag=True, help="Only boxes with open issues or modems in error.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, help="How many.")
@json_option
@hub_config_option
def fleet_list(config_path: Path, *, problems: bool, limit: int, as_json: bool, **wanted: Any) -> None:
    """List boxes by site and name: how each stands, what runs on it, and what it told last."""
    asked = {**wanted, "problems": "true" if problems else None}
    found = listed_at(data_dir_of(config_path), _BOXES, asked, limit)
    print_json(found) if as_json else _print_boxes(found)


@fleet.command("show")
@click.argument("box")
@hub_config_option
def fleet_show(box: str, config_path: Path) -> None:
    """Show all that is known of BOX (site/name), as JSON."""
    print_json(ask_at(data_dir_of(config_path), "GET", f"{_BOXES}/{place_of(box)}"))


@fleet.command("watch")
@click.option("--every", "every_s", type=click.FloatRange(0.5, 3600), default=2.0, show_default=True, help="Seconds.")
@click.option("--times", type=click.IntRange(1), help="End after so many looks.")
@hub_config_option
def fleet_watch(every_s: float, times: int | None, config_path: Path) -> None:
    """Print each box whose state changes, with what it was, until Ctrl-C."""
    data_dir = data_dir_of(config_path)
    before: dict[str, str] | None = None
    while times is None or times > 0:
        now = {box["name"]: box["standing"] for box in listed_at(data_dir, _BOXES, {}, 1_000_000)}
        if before is None:
            counts = {standing: list(now.values()).count(standing) for standing in ("online", "stale", "offline")}
            click.echo(", ".join(f"{count} {standing}" for standing, count in counts.items()))
        else:
            for name, standing in now.items():
                if before.get(name) != standing:
                    click.echo(f"{time.strftime('%H:%M:%S')}  {name}  {before.get(name, 'new')} -> {standing}")
        before = now
        times = None if times is None else times - 1
        if times != 0:
            time.sleep(every_s)


@fleet.command("command")
@click.argument("box")
@click.argument("verb")
@click.argument("args", default="{}")
@click.option("--ttl", "ttl_s", type=click.IntRange(1), help="Seconds after which it may not begin any more.")
@click.option("--wait", is_flag=True, help="Wait until it has ended; exit status 1 when it was not done.")
@json_option
@hub_config_option
def fleet_command(
    box: str, verb: str, args: str, *, ttl_s: int | None, wait: bool, as_json: bool, config_path: Path
) -> None:
    """Order VERB of BOX (site/name), with ARGS as a JSON object; print the command's id."""
    try:
        given = json.loads(args)
    except ValueError as error:
        message = f'is no JSON: {error}; such as \'{{"slot": "slot-01"}}\''
        raise click.BadParameter(message, param_hint="ARGS") from error
    data_dir = data_dir_of(config_path)
    body = {"verb": verb, "args": given} | ({} if ttl_s is None else {"ttl_s": ttl_s})
    command = ask_at(data_dir, "POST", f"{_BOXES}/{place_of(box)}/commands", body)
    if not wait:
        print_json(command) if as_json else click.echo(command["id"])
        return
    state = ""
    while command["ended_at"] is None:
        state = _tell(command, state, quiet=as_json)
        time.sleep(_LOOK_S)
        command = ask_at(data_dir, "GET", f"{_COMMANDS}/{command['id']}")
    _tell(command, state, quiet=as_json)
    if as_json:
        print_json(command)
    elif command["data"]:
        print_json(command["data"])
    if command["state"] != "done":
        raise SystemExit(1)


@fleet.command("send")
@click.argument("to", nargs=-1, required=True)
@click.option("--text", required=True, help="What to send.")
@click.option("--valid-for", "valid_for_s", type=click.IntRange(1), help="Seconds after which it is not sent any more.")
@click.option("--at-least-once", is_flag=True, help="Rather twice than not at all.")
@click.option("--reference", help="Your own name for it.")
@click.option("--wait", is_flag=True, help="Wait until all have ended; exit status 1 when one was not sent.")
@json_option
@hub_config_option
def fleet_send(
    to: tuple[str, ...], text: str, *, at_least_once: bool, wait: bool, as_json: bool, config_path: Path, **more: Any
) -> None:
    """Send a text TO one or many numbers through whichever box can; print the messages' ids."""
    data_dir = data_dir_of(config_path)
    body = {"to": list(to), "text": text} | {name: value for name, value in more.items() if value is not None}
    if at_least_once:
        body["delivery"] = "at_least_once"
    messages = ask_at(data_dir, "POST", _POOL, body)["messages"]
    if wait:
        messages = [_ended(data_dir, message["id"], quiet=as_json) for message in messages]
    elif not as_json:
        for message in messages:
            click.echo(f"{message['id']}  {message['to']}")
    if as_json:
        print_json(messages)
    if wait and not all(message["state"] in _WENT for message in messages):
        raise SystemExit(1)


@fleet.command("messages")
@click.option("--state", help="Only messages that stand so, such as unknown.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="How many.")
@json_option
@hub_config_option
def fleet_messages(state: str | None, limit: int, config_path: Path, *, as_json: bool) -> None:
    """List the messages of the pool, newest first."""
    found = listed_at(data_dir_of(config_path), _POOL, {"state": state}, limit)
    if as_json:
        print_json(found)
        return
    rows = [(one["id"], one["to"], one["state"], one["code"] or "-", one["by"], one["accepted_at"]) for one in found]
    for line in table(("id", "to", "state", "why", "by", "accepted"), rows):
        click.echo(line)


@fleet.command("message")
@click.argument("message")
@click.option("--cancel", is_flag=True, help="Want it back.")
@hub_config_option
def fleet_message(message: str, config_path: Path, *, cancel: bool) -> None:
    """Show one MESSAGE of the pool with its way, as JSON."""
    data_dir, path = data_dir_of(config_path), f"{_POOL}/{quote(message, safe='')}"
    if cancel:
        ask_at(data_dir, "POST", f"{path}/cancel")
    print_json(ask_at(data_dir, "GET", path))


def _ended(data_dir: Path, message: str, *, quiet: bool) -> dict[str, Any]:
    """Return a message once it has ended; each step is printed."""
    said = 0
    while True:
        found: dict[str, Any] = ask_at(data_dir, "GET", f"{_POOL}/{message}")
        for step in found["way"][said:]:
            told = " ".join(str(part) for part in (found["to"], step["what"], step["box"], step["code"]) if part)
            if not quiet:
                click.echo(on_one_line(told))
        said = len(found["way"])
        if found["ended_at"] is not None:
            return found
        time.sleep(_LOOK_S)


def _tell(command: dict[str, Any], before: str, *, quiet: bool) -> str:
    told = " ".join(str(part) for part in (command["state"], command["code"], _percent(command)) if part)
    if told != before and not quiet:
        click.echo(on_one_line(told))
    return told


def _percent(command: dict[str, Any]) -> str:
    return "" if command["percent"] is None else f"{command['percent']} %"


def _print_boxes(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            *(box["name"], box["standing"], box["version"] or "-", f"{box['modems_ready']}/{box['modems']}"),
            *(str(box["waiting"]), str(box["problems"]), box["seen_at"]),
        )
        for box in found
    ]
    for line in table(_HEADS, rows):
        click.echo(line)
