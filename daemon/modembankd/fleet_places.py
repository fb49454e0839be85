"""Where a hub's commands look: the hub's data folder, and a box's place in its API."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import click


def place_of(box: str) -> str:
    """Return a box (site/name) as its API address has it; raises UsageError."""
    site, slash, name = box.partition("/")
    if not slash or "/" in name:
        message = f"{box} is no box: name it as site/name"
        raise click.UsageError(message)
    return f"{quote(site, safe='')}/{quote(name, safe='')}"


def data_dir_of(config_path: Path) -> Path:
    """Return the data folder of the hub that a file configures; raises ConfigError."""
    from modembank_hub.config import load_hub_config

    return Path(load_hub_config(config_path).hub.data_dir)
