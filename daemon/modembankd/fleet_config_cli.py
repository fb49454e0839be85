"""``modembank fleet config``: what boxes are to have, asked of the hub that runs on this machine."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from modembankd.asking import ask_at, listed_at
from modembankd.fleet_places import data_dir_of, place_of
from modembankd.hub_cli import hub_config_option
from modembankd.messages_cli import json_option, print_json
from modembankd.showing import on_one_line, table

_BOXES, _CONFIGS, _GROUPS, _ROLLOUTS = "/api/v1/boxes", "/api/v1/configs", "/api/v1/config-groups", "/api/v1/rollouts"
_LOOK_S = 1.0
_STATUS = ("box", "state", "is to have", "in force", "site wants otherwise", "what is wrong")
_ROLLOUT = ("id", "group", "state", "step", "boxes", "given", "applied", "failed", "silent", "why")
_ENDS = {"stopped", "done", "aborted", "paused"}


@click.group()
def config() -> None:
    """Set what boxes are to have, and bring it to many in steps.

    TARGET is a box (site/name) or a group (a name without a slash).
    """


@config.command("show")
@click.argument("target")
@click.option("--versions", is_flag=True, help="Of a box: what it was to have, newest first.")
@hub_config_option
def config_show(target: str, config_path: Path, *, versions: bool) -> None:
    """Show what TARGET is to have, as JSON."""
    data_dir = data_dir_of(config_path)
    if versions:
        print_json(listed_at(data_dir, f"{_BOXES}/{place_of(target)}/config/versions", {}, 100))
    else:
        print_json(ask_at(data_dir, "GET", _address(target)))


@config.command("set")
@click.argument("target")
@click.argument("document", type=click.File("r", "utf-8"))
@click.option("--pattern", help="Of a group: which boxes belong to it, such as 'leeds/*' or 'label:*cellar*'.")
@click.option("--wait", "wait_s", type=click.IntRange(1), help="Of a box: seconds until it must be applied, or exit 1.")
@hub_config_option
def config_set(target: str, document: Any, pattern: str | None, config_path: Path, *, wait_s: int | None) -> None:
    """Give TARGET the document in the file DOCUMENT ('-': standard input).

    A box has it at once; a group's is kept until it is rolled out.
    """
    try:
        given = json.load(document)
    except (ValueError, RecursionError) as error:
        message = f'is no JSON: {error}; such as \'{{"sims": {{"*": {{"limits": {{"per_day": 200}}}}}}}}\''
        raise click.BadParameter(message, param_hint="DOCUMENT") from error
    data_dir = data_dir_of(config_path)
    if "/" not in target:
        _set_group(data_dir, target, given, pattern)
        return
    if pattern is not None:
        message = "--pattern is of a group, and this is a box"
        raise click.UsageError(message)
    found = ask_at(data_dir, "PUT", _address(target), {"doc": given})
    click.echo(f"version {found['version']}")
    if wait_s is not None:
        _wait_for_box(data_dir, target, found["version"], wait_s)


@config.command("delete")
@click.argument("group")
@hub_config_option
def config_delete(group: str, config_path: Path) -> None:
    """Forget GROUP with its documents and roll-outs; what boxes are to have stays."""
    ask_at(data_dir_of(config_path), "DELETE", f"{_GROUPS}/{quote(group, safe='')}")


@config.command("status")
@click.option("--behind", is_flag=True, help="Only boxes that are not as they are to be.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, help="How many.")
@json_option
@hub_config_option
def config_status(config_path: Path, *, behind: bool, limit: int, as_json: bool) -> None:
    """List how boxes stand to what they are to have."""
    asked = {"behind": "true" if behind else None}
    found = listed_at(data_dir_of(config_path), _CONFIGS, asked, limit)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            *(box["box"], box["state"], str(box["version"] or "-"), str(box["in_force"] or "-")),
            on_one_line(" ".join(box["local"])) or "-",
            on_one_line("; ".join(f"{one['path']}: {one['code']}" for one in box["errors"])) or "-",
        )
        for box in found
    ]
    _print_table(_STATUS, rows)


@config.command("groups")
@json_option
@hub_config_option
def config_groups(config_path: Path, *, as_json: bool) -> None:
    """List the groups by name."""
    found = ask_at(data_dir_of(config_path), "GET", _GROUPS)["items"]
    if as_json:
        print_json(found)
        return
    rows = [(one["name"], one["pattern"], str(one["revision"]), one["by"], one["at"]) for one in found]
    _print_table(("group", "boxes that fit", "document", "by", "written"), rows)


@config.command("roll-out")
@click.argument("group")
@click.option(
    "--step", "steps", type=click.IntRange(1, 100), multiple=True, help="Percent of the boxes; the last: 100."
)
@click.option("--limit-percent", type=click.IntRange(1, 100), help="Stop when so many have failed.  [default: 10]")
@click.option("--wait-s", type=click.IntRange(10), help="How long silent boxes hold up the next step.  [default: 900]")
@click.option("--wait", is_flag=True, help="Until it has ended or stopped; exit status 1 unless done.")
@hub_config_option
def config_roll_out(group: str, config_path: Path, *, steps: tuple[int, ...], wait: bool, **limits: int | None) -> None:
    """Bring the newest document of GROUP to its boxes, in steps; print the roll-out's id."""
    data_dir = data_dir_of(config_path)
    body = {"steps": list(steps) or None, **limits}
    given = {name: value for name, value in body.items() if value is not None}
    begun = ask_at(data_dir, "POST", f"{_GROUPS}/{quote(group, safe='')}/rollouts", given)
    click.echo(begun["id"])
    if wait:
        _wait_for_rollout(data_dir, begun["id"])


@config.command("roll-outs")
@click.option("--group", help="Only those of this group.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many.")
@json_option
@hub_config_option
def config_roll_outs(config_path: Path, *, group: str | None, limit: int, as_json: bool) -> None:
    """List roll-outs, newest first."""
    found = listed_at(data_dir_of(config_path), _ROLLOUTS, {"group": group}, limit)
    if as_json:
        print_json(found)
        return
    rows = [tuple(on_one_line(str(one[name])) or "-" for name in _ROLLOUT) for one in found]
    _print_table(_ROLLOUT, rows)


@config.command("follow")
@click.argument("rollout")
@hub_config_option
def config_follow(rollout: str, config_path: Path) -> None:
    """Follow ROLLOUT until it has ended or stopped; exit status 1 unless done."""
    _wait_for_rollout(data_dir_of(config_path), rollout)


@config.command("pause")
@click.argument("rollout")
@hub_config_option
def config_pause(rollout: str, config_path: Path) -> None:
    """Give ROLLOUT to no further box until it is continued."""
    _order(config_path, rollout, "pause")


@config.command("continue")
@click.argument("rollout")
@hub_config_option
def config_continue(rollout: str, config_path: Path) -> None:
    """Go on with ROLLOUT, which was paused or has stopped by itself."""
    _order(config_path, rollout, "continue")


@config.command("abort")
@click.argument("rollout")
@hub_config_option
def config_abort(rollout: str, config_path: Path) -> None:
    """End ROLLOUT; boxes that have it keep it."""
    _order(config_path, rollout, "abort")


def _set_group(data_dir: Path, name: str, document: Any, pattern: str | None) -> None:
    address = _address(name)
    if pattern is None:  # the one that it has; a group that is not there needs one
        pattern = ask_at(data_dir, "GET", address)["pattern"]
    found = ask_at(data_dir, "PUT", address, {"pattern": pattern, "doc": document})
    click.echo(f"document {found['revision']}, for {len(found['boxes'])} boxes: roll it out")


def _order(config_path: Path, rollout: str, word: str) -> None:
    found = ask_at(data_dir_of(config_path), "POST", f"{_ROLLOUTS}/{quote(rollout, safe='')}/{word}")
    click.echo(found["state"])


def _wait_for_box(data_dir: Path, box: str, version: int, most_s: int) -> None:
    told, until = "", time.monotonic() + most_s
    while time.monotonic() < until:
        found = ask_at(data_dir, "GET", _address(box))
        if found["version"] != version:
            click.echo(f"superseded by version {found['version']}", err=True)
            sys.exit(1)
        if found["state"] != told:
            told = found["state"]
            click.echo(told)
        if told in {"applied", "rejected", "rolled_back"}:
            for error in found["errors"]:
                click.echo(on_one_line(f"{error['path']}: {error['code']} ({error['detail']})"), err=True)
            if told != "applied":
                sys.exit(1)
            return
        time.sleep(_LOOK_S)
    click.echo(f"nothing more after {most_s} s; it goes on", err=True)
    sys.exit(1)


def _wait_for_rollout(data_dir: Path, rollout: str) -> None:
    told = ""
    while True:
        found = ask_at(data_dir, "GET", f"{_ROLLOUTS}/{quote(rollout, safe='')}")
        line = (
            f"{found['state']}, step {found['step']} of {len(found['steps'])}: {found['applied']} of {found['boxes']}"
            f" have it, {found['failed']} failed, {found['silent']} not answered"
        )
        if line != told:
            told = line
            click.echo(line)
        if found["state"] in _ENDS:
            if found["why"]:
                click.echo(on_one_line(found["why"]), err=True)
            if found["state"] != "done":
                sys.exit(1)
            return
        time.sleep(_LOOK_S)


def _address(target: str) -> str:
    return f"{_BOXES}/{place_of(target)}/config" if "/" in target else f"{_GROUPS}/{quote(target, safe='')}"


def _print_table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    for line in table(heads, rows):
        click.echo(line)
