"""What the owner lets others do with updates: ``[updates]`` of ``box.toml``, as root's side lays it down."""

from __future__ import annotations

import re
import tomllib
from datetime import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

UPDATES = Path("/etc/modembank/updates.toml")
_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class Window(msgspec.Struct, frozen=True):
    """From when to when, in local time; it may go over midnight."""

    begins: time = time(2, 0)
    ends: time = time(5, 0)

    def is_open(self, at: time) -> bool:
        """Whether it is open at this time of day."""
        if self.begins <= self.ends:
            return self.begins <= at < self.ends
        return at >= self.begins or at < self.ends


def window_of(text: str) -> Window | None:
    """Return the window that a text such as ``02:00-05:00`` names; None when it names none."""
    match = _WINDOW.fullmatch(text)
    if match is None or text[:5] == text[6:]:
        return None
    hours = [int(part) for part in match.groups()]
    return Window(time(hours[0], hours[1]), time(hours[2], hours[3]))


class UpdateRules(msgspec.Struct, frozen=True):
    """``url``: the box's own source of updates (empty: none); ``hosts``: whose updates others may name."""

    url: str = ""
    hosts: frozenset[str] = frozenset()
    window: Window = Window()

    def allows(self, url: str) -> bool:
        """Whether an update may be fetched from an address: over HTTPS, from a host that the owner named."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return parts.scheme == "https" and not parts.username and (parts.hostname or "").lower() in self.hosts


def read_rules(path: Path) -> UpdateRules:
    """Return what the owner says; where nothing can be read, nobody may name anything."""
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return UpdateRules()
    url = told.get("url")
    own = url.rstrip("/") if isinstance(url, str) and url.startswith("https://") else ""
    named = {urlsplit(own).hostname or ""} if own else set()
    return UpdateRules(own, frozenset(named | _texts(told.get("hosts"))), _window(told.get("window")))


def _window(told: Any) -> Window:
    return (window_of(told) if isinstance(told, str) else None) or Window()


def _texts(told: Any) -> set[str]:
    return {one.lower() for one in told if isinstance(one, str)} if isinstance(told, list) else set()
