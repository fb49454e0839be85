"""What the AsyncAPI document says of each channel's payloads, as judges of them."""

from __future__ import annotations

import functools
from typing import Any

import jsonschema_rs

from modembank_fleet.wire import CHANNELS, document


@functools.cache
def _document() -> dict[str, Any]:
    return document()


@functools.cache
def judge(address: str) -> jsonschema_rs.Draft7Validator:
    """Return what judges the payloads of a channel, which is named by its address with parameters."""
    made = _document()
    named = next(name for name, told in made["channels"].items() if told["address"] == address)
    payload = made["components"]["messages"][named]["payload"]
    return jsonschema_rs.Draft7Validator({"allOf": [payload], "components": made["components"]})


def judge_up(what: str, said: object) -> None:
    """Raise where a payload that a box sent (``what`` follows ``up/``) is not what the document says."""
    parts = "log/{id}/{n}" if what.startswith("log/") else what
    address = next(c.address for c in CHANNELS if c.direction == "up" and c.parts == parts)
    judge(address).validate(said)
