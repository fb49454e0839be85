"""What the daemon asks of the image's root side: one small file at a time, which that takes away before it acts."""

from __future__ import annotations

import json
import time
from pathlib import Path

import msgspec

from modembank.appliance.state import read_object
from modembank.durable import replace_text

REQUEST = "request.json"
TAKEN_WITHIN_S = 300.0
"""One that was not taken for so long is not going to be: another may take its place."""


class Order(msgspec.Struct, frozen=True):
    """Something asked for, by whom and when (RFC 3339).

    ``verb`` is ``update``, ``restart``, ``reset``, ``postpone`` or ``rollback``.
    """

    verb: str
    id: str
    by: str
    at: str
    days: int = 0
    """Of ``postpone``: for how long the box does not restart by itself."""
    version: str = ""
    """Of ``update``: the only version that may be in the bundle; empty: any."""


def write_order(folder: Path, order: Order) -> None:
    """Ask for it, durably. Raises OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    replace_text(folder / REQUEST, json.dumps(msgspec.structs.asdict(order)) + "\n")


def waiting_order(folder: Path) -> Order | None:
    """Return what was asked for and not taken yet; None when it has waited for too long, or is not ours."""
    path = folder / REQUEST
    try:
        told = read_object(path)
        age_s = abs(time.time() - path.lstat().st_mtime)
    except (OSError, ValueError):
        return None
    if told is None or age_s > TAKEN_WITHIN_S:
        return None
    try:
        return msgspec.convert(told, Order)
    except msgspec.ValidationError:
        return None
