"""When the box updates itself: ``/etc/modembank/updates.toml``, which is ``[updates]`` of the owner's ``box.toml``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import time
from urllib.parse import urlsplit

from modembank_box.errors import BoxError
from modembank_box.places import Places

_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True)
class UpdateSettings:
    """``url``: where updates are fetched from (empty: nowhere); ``window``: when the box may restart by itself."""

    automatic: bool = True
    url: str = ""
    begins: time = time(2, 0)
    ends: time = time(5, 0)

    def is_open(self, at: time) -> bool:
        """Return whether the box may restart at this time of day; a window may go over midnight."""
        if self.begins <= self.ends:
            return self.begins <= at < self.ends
        return at >= self.begins or at < self.ends


def update_settings(places: Places) -> UpdateSettings:
    """Return the settings; a file that is not there says nothing. Raises BoxError for one that cannot be meant."""
    path = places.etc / "modembank/updates.toml"
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return UpdateSettings()
    except (OSError, ValueError) as error:
        message = f"{path}: {error}"
        raise BoxError(message) from error
    automatic, url, window = told.get("automatic", True), told.get("url", ""), told.get("window", "02:00-05:00")
    match = _WINDOW.fullmatch(window) if isinstance(window, str) else None
    if not isinstance(automatic, bool) or not isinstance(url, str) or match is None or not _is_address(url):
        message = (
            f'{path}: automatic is true or false, url begins with https:// or is empty, window is like "02:00-05:00"'
        )
        raise BoxError(message)
    hours = [int(part) for part in match.groups()]
    return UpdateSettings(automatic, url.rstrip("/"), time(hours[0], hours[1]), time(hours[2], hours[3]))


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return not url or (parts.scheme == "https" and bool(parts.hostname) and not parts.query and not parts.fragment)
