"""What the commands ask of the running daemon: one request, a list over its pages, and refusals as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from modembank.config import load_config
from modembank.errors import ModembankError
from modembankd.local import call_daemon

PAGE = 100
"""Items asked for at once."""


class Refused(ModembankError):
    """The daemon said no."""

    key = "refused"
    template = "{detail}"


def ask(config_path: Path, method: str, path: str, body: object = None) -> Any:
    """Return what the running daemon answers; raises Refused with its reason, and NoDaemon."""
    return ask_at(_box(config_path), method, path, body)


def ask_at(data_dir: Path, method: str, path: str, body: object = None) -> Any:
    """The same of whatever runs over a data folder."""
    reply = call_daemon(data_dir, method, path, body)
    if reply.status >= 300:
        refuse(reply.body)
    return reply.body


def refuse(body: dict[str, object]) -> None:
    """Raise Refused with what a problem document says."""
    raise Refused(detail=problem_sentence(body))


def listed(config_path: Path, path: str, wanted: Mapping[str, object], limit: int) -> list[Any]:
    """Return so many items of a list, over as many pages as that takes."""
    return listed_at(_box(config_path), path, wanted, limit)


def listed_at(data_dir: Path, path: str, wanted: Mapping[str, object], limit: int) -> list[Any]:
    """The same of whatever runs over a data folder."""
    found: list[Any] = []
    address: str | None = with_query(path, {**wanted, "limit": min(limit, PAGE)})
    while address and len(found) < limit:
        page = ask_at(data_dir, "GET", address)
        found += page["items"]
        address = page["next"]
    return found[:limit]


def _box(config_path: Path) -> Path:
    return Path(load_config(config_path).box.data_dir)


def with_query(path: str, wanted: Mapping[str, object]) -> str:
    """Return a path with those parameters that are not None."""
    given = {name: value for name, value in wanted.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def problem_sentence(body: dict[str, object]) -> str:
    """Return a problem document as one sentence with its fields."""
    errors = body.get("errors")
    if isinstance(errors, list) and errors:
        return "; ".join(f"{error['pointer']}: {error['detail']}" for error in errors)
    return str(body.get("detail") or body.get("title") or body)
