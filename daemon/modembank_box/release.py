"""What a slot holds, and which of two versions is older."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

from modembank_box.boot_loader import running_slot
from modembank_box.errors import BoxError
from modembank_box.places import Places
from modembank_box.states import write_state

_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:-([0-9A-Za-z.-]{1,40}))?(?:\+[0-9A-Za-z.-]{1,40})?")
_Key = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]


@dataclass(frozen=True)
class Release:
    """The release in a slot; ``schema`` is the number of the latest migration that its database may have."""

    version: str
    build: str
    architecture: str
    schema: int
    slot: str

    @property
    def compatible(self) -> str:
        """What an update has to be for."""
        return f"modembank-{self.architecture}"


def running_release(places: Places) -> Release:
    """Return the release that was started. Raises BoxError where this is no start of the image."""
    path = places.run / "system/release.toml"
    try:
        told = tomllib.loads(path.read_text("utf-8"))
        return Release(
            version=str(told["version"]),
            build=str(told["build"]),
            architecture=str(told["architecture"]),
            schema=int(told["schema"]),
            slot=running_slot(places),
        )
    except (OSError, ValueError, KeyError) as error:
        message = f"{path} does not say which release this is ({error})"
        raise BoxError(message) from error


def tell_release(places: Places, release: Release) -> None:
    """Write for everyone to read what was started."""
    shown = {name: getattr(release, name) for name in ("version", "build", "slot", "architecture", "schema")}
    write_state(places.state("release"), shown)


def version_key(version: str) -> _Key | None:
    """Return what versions are compared by (semver.org, 11), or None for what is no version."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    before = match[4]
    parts = tuple(
        (not one.isdigit(), int(one) if one.isdigit() else 0, one) for one in (before or "").split(".") if one
    )
    return int(match[1]), int(match[2]), int(match[3] or 0), before is None, parts


def is_older(version: str, than: str) -> bool:
    """Return whether ``version`` comes before; one that is no version is older than any."""
    mine, theirs = version_key(version), version_key(than)
    return mine is None or (theirs is not None and mine < theirs)
