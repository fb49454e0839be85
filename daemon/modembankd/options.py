"""What all subcommands share: the option that names the configuration, and how they run coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from modembank_emulator import LatencyModel

DEFAULT_CONFIG = "/etc/modembank/modembank.toml"
T = TypeVar("T")

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The configuration file.",
)


def _latency(_: click.Context, option: click.Parameter, text: str) -> LatencyModel:
    from modembank_emulator import LatencyModel

    try:
        return LatencyModel.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param=option) from error


latency_option = click.option(
    "--latency",
    default="lte",
    show_default=True,
    callback=_latency,
    help="Of the emulated network: zero, lte, gsm, fixed:S.",
)


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop and return its result."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
