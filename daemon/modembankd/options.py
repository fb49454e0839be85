"""What all subcommands share: the option that names the configuration, and how they run coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

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


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop and return its result."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
