"""``modembank hub-enrol``: makes this box one of a hub's fleet, or ends that."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from modembankd.asking import ask
from modembankd.options import config_option
from modembankd.showing import on_one_line

_FLEET, _ENROLMENT = "/api/v1/fleet", "/api/v1/fleet/enrolment"
_LOOK_S = 0.5
_LEFT = "the box has left its hub, and stands alone"


@click.command("hub-enrol")
@click.argument("token", required=False)
@click.option("--address", help="Where the hub is, instead of where the token says: https://HOST:PORT.")
@click.option("--wait", "wait_s", type=click.FloatRange(0, 3600), default=60.0, show_default=True, help="Seconds.")
@click.option("--forget", is_flag=True, help="Leave the hub, or take a token back; keys are deleted.")
@config_option
def hub_enrol(token: str | None, address: str | None, wait_s: float, config_path: Path, *, forget: bool) -> None:
    """Enrol this box at a hub with the TOKEN of its page; - reads it from standard input.

    The running daemon does it, and goes on when this command has ended. Exit status 1 when the hub refused the token,
    or has not answered yet.
    """
    if forget is (token is not None):
        message = "give either a TOKEN or --forget"
        raise click.UsageError(message)
    if forget:
        ask(config_path, "DELETE", _ENROLMENT)
        click.echo(_LEFT)
        return
    given = token if token != "-" else sys.stdin.read()  # noqa: S105 - where it comes from
    ask(config_path, "POST", _ENROLMENT, {"token": given} | ({} if address is None else {"address": address}))
    found = _followed(config_path, wait_s)
    if found["enrolment"] == "enrolled":
        click.echo(f"enrolled at {found['enrolment_hub']} as {found['site']}/{found['box']}")
        return
    why = on_one_line(found["enrolment_why"] or "the hub has not answered yet")
    if found["enrolment"] == "asking":
        why += "; the box goes on asking (System shows how it stands)"
    message = f"not enrolled: {why}"
    raise click.ClickException(message)


def _followed(config_path: Path, wait_s: float) -> dict[str, Any]:
    """Return how the enrolment stands once it has ended, or after so many seconds."""
    until = time.monotonic() + wait_s
    while True:
        found: dict[str, Any] = ask(config_path, "GET", _FLEET)
        if found["enrolment"] != "asking" or time.monotonic() >= until:
            return found
        time.sleep(_LOOK_S)
