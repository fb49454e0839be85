"""``modembank selftest``: the proof that nothing is lost and nothing silently sent twice, run on this very machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from modembank.errors import ModembankError
from modembankd.options import run_async

_SHARE = click.FloatRange(0, 1)


class Unproven(ModembankError):
    """The run could not go on: nothing is proven either way."""

    key = "unproven"
    template = "the self-test could not go on: {detail}"


@click.command()
@click.option("--kills", type=click.IntRange(0, 1_000_000), default=50, show_default=True, help="How often to kill it.")
@click.option("--modems", type=click.IntRange(1, 64), default=4, show_default=True, help="How many modems to emulate.")
@click.option("--seed", type=int, default=1, show_default=True, help="Draws where and when it is killed, and the load.")
@click.option(
    "--messages", type=click.IntRange(0), default=0, help="Accept at least so many.  [default: as time allows]"
)
@click.option(
    "--lost-finals", type=_SHARE, default=0.0, show_default=True, help="Share of sends whose final result is lost."
)
@click.option(
    "--hangs", type=_SHARE, default=0.0, show_default=True, help="Share of sends at which the modem hangs for 20 s."
)
@click.option(
    "--send-timeout",
    "send_timeout_s",
    type=click.FloatRange(5, 600),
    default=180.0,
    show_default=True,
    help="Seconds that its daemon waits for a final result ([bank] send_timeout_s).",
)
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), help="Keep data, log and ports in this folder."
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def selftest(keep: Path | None, as_json: bool, **plan: Any) -> None:
    """Prove that nothing accepted is lost and nothing silently sent twice.

    Starts a daemon of its own on emulated modems, with data of its own, loads it, kills it with SIGKILL again and
    again, at random and at the worst moments, and compares at the end what its clients were promised, what the
    emulated network saw, and what the daemon says. A box in service is not touched. Exit status 1 when a promise was
    broken or the run could not go on. docs/promise.md explains every line of the verdict.
    """
    from modembank_selftest import Broken, Plan, prove

    try:
        verdict = run_async(prove(Plan(keep=keep, **plan), lambda line: click.echo(f"  {line}", err=True)))
    except (Broken, ValueError) as error:
        raise Unproven(detail=error) from error
    if as_json:
        click.echo(json.dumps(verdict.as_json(), indent=2))
    else:
        click.echo(f"self-test with {plan['modems']} modems, seed {plan['seed']}")
        for line in verdict.lines():
            click.echo(line)
    if not verdict.holds:
        raise SystemExit(1)
