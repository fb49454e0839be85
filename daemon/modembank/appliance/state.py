"""What the image's root side says of the box: small JSON files in a folder of ``/run``, any of which may be missing.

They are made by programs of another version, such as an initrd's, so nothing of them is relied upon: what is not what
it should be counts as not said, and a file that cannot be read at all is named.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

RUN = Path("/run/modembank-box")
"""A box without this folder was not started from an image."""
LARGEST = 262_144
"""Octets of one file; a larger one is not read."""
MOST = 200
"""Entries of one list."""
LONGEST = 2_000
"""Characters of one text."""
UNDER_WAY = frozenset({"checking", "installing", "trial"})
"""States of an update in which nothing else is begun: looked at, written, tried after the restart."""
INSTALLED = "installed"
"""The state of an update that a restart completes."""
ROLLED_BACK = "rolled_back"
"""The state of an update that was not well, so that the version before runs again."""
_OK_OF_DATA = frozenset({"", "clean", "repaired"})
_NO_UPDATE = frozenset({"", "idle"})


class Release(msgspec.Struct, frozen=True):
    """What was started."""

    version: str
    build: str
    slot: str
    architecture: str


class DataTrouble(msgspec.Struct, frozen=True):
    """The latest trouble with the data partition, also of an earlier start; ``at`` is unix milliseconds."""

    state: str
    reason: str
    at: int | None


class DataPartition(msgspec.Struct, frozen=True):
    """How the data partition was found at this start."""

    state: str
    """``clean``, ``repaired``, ``set_aside`` (the damaged one lies beside a new one), ``made_new`` or ``in_memory``."""
    reason: str
    grown: bool
    octets: int | None
    problems: tuple[str, ...]
    """What else did not work at the start."""
    last_trouble: DataTrouble | None

    @property
    def is_well(self) -> bool:
        """Whether what was stored before is there."""
        return self.state in _OK_OF_DATA


class Mistake(msgspec.Struct, frozen=True):
    """Something wrong in ``box.toml``; line 0: no line in particular."""

    line: int
    field: str
    reason: str
    way_out: str


class FirstFile(msgspec.Struct, frozen=True):
    """What became of ``box.toml``."""

    applied: bool
    """Whether all of it was."""
    file: str
    """What it is called; empty: there is none."""
    kept: tuple[str, ...]
    """The parts with mistakes that count as they last were right."""
    mistakes: tuple[Mistake, ...]


class Update(msgspec.Struct, frozen=True):
    """How the latest update goes, or went; ``at`` is unix milliseconds."""

    state: str
    percent: int | None
    from_version: str
    version: str
    reason: str
    by: str
    at: int | None
    id: str = ""
    """Of the order that it is by; empty: it was brought in another way, or is older than ids."""
    code: str = ""
    """Why it did not work, in one word, where there is one."""

    @property
    def is_under_way(self) -> bool:
        """Whether it is being looked at, written or tried."""
        return self.state in UNDER_WAY


class Certificate(msgspec.Struct, frozen=True):
    """The certificate that browsers are shown; ``not_after`` is unix milliseconds."""

    fingerprint: str
    names: tuple[str, ...]
    not_after: int | None
    own: bool
    """Whether the owner brought it; else the box made and renews it."""
    problem: str
    """Why the owner's is not used, or what is to be done about it."""


class State(msgspec.Struct, frozen=True):
    """All of it; None: not said. ``unreadable`` names the files that are there and say nothing."""

    present: bool = False
    release: Release | None = None
    data: DataPartition | None = None
    first_file: FirstFile | None = None
    update: Update | None = None
    certificate: Certificate | None = None
    unreadable: tuple[str, ...] = ()


def read_state(run: Path) -> State:
    """Read what is there. Never fails."""
    if not run.is_dir():
        return State()
    files = _Files(run)
    release, data, first, update, certificate = (
        files.read(name) for name in ("release", "data", "personal", "update", "certificate")
    )
    return State(
        present=True,
        release=None if release is None else _release(release),
        data=None if data is None else _data(data),
        first_file=None if first is None else _first_file(first),
        update=None if update is None else _update(update),
        certificate=None if certificate is None else _certificate(certificate),
        unreadable=tuple(files.unreadable),
    )


def signature(run: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what is another whenever a file there was written anew; empty: there is no folder."""
    try:
        found = [(entry.name, entry.stat()) for entry in os.scandir(run) if entry.name.endswith(".json")]
    except OSError:
        return ()
    return tuple(sorted((name, stat.st_mtime_ns, stat.st_ino) for name, stat in found))


class _Files:
    """Reads the files of a folder, and notes which cannot be read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.unreadable: list[str] = []

    def read(self, name: str) -> Mapping[str, Any] | None:
        """Return the object in a file; None when there is none."""
        try:
            found = read_object(self._folder / f"{name}.json")
        except ValueError:
            self.unreadable.append(f"{name}.json")
            return None
        return found


def read_object(path: Path) -> Mapping[str, Any] | None:
    """Return the JSON object in a file, None when there is no such file; raises ValueError when it holds none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            content = file.read(LARGEST + 1) or b""
        found = msgspec.json.decode(content) if len(content) <= LARGEST else None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, RecursionError, msgspec.DecodeError) as error:
        raise ValueError(str(path)) from error
    if not isinstance(found, dict):
        raise ValueError(str(path))
    return found


def _release(told: Mapping[str, Any]) -> Release:
    return Release(_text(told, "version"), _text(told, "build"), _word(told, "slot"), _text(told, "architecture"))


def _data(told: Mapping[str, Any]) -> DataPartition:
    last = told.get("last_trouble")
    return DataPartition(
        state=_word(told, "state"),
        reason=_text(told, "detail"),
        grown=told.get("grown") is True,
        octets=_number(told, "size_bytes"),
        problems=_texts(told, "problems"),
        last_trouble=DataTrouble(_word(last, "state"), _text(last, "detail"), _moment(last, "at"))
        if isinstance(last, dict)
        else None,
    )


def _first_file(told: Mapping[str, Any]) -> FirstFile:
    listed = told.get("mistakes")
    mistakes = [one for one in listed if isinstance(one, dict)][:MOST] if isinstance(listed, list) else []
    return FirstFile(
        told.get("applied") is True,
        _text(told, "file"),
        _texts(told, "kept"),
        tuple(
            Mistake(_number(one, "line") or 0, _text(one, "field"), _text(one, "reason"), _text(one, "way_out"))
            for one in mistakes
        ),
    )


def _update(told: Mapping[str, Any]) -> Update | None:
    if _word(told, "state") in _NO_UPDATE:
        return None
    percent = _number(told, "percent")
    return Update(
        state=_word(told, "state"),
        percent=None if percent is None else min(max(percent, 0), 100),
        from_version=_text(told, "from_version"),
        version=_text(told, "version"),
        reason=_text(told, "reason"),
        by=_text(told, "by"),
        at=_moment(told, "at"),
        id=_text(told, "id"),
        code=_word(told, "code"),
    )


def _certificate(told: Mapping[str, Any]) -> Certificate:
    return Certificate(
        fingerprint=_text(told, "fingerprint"),
        names=_texts(told, "names"),
        not_after=_moment(told, "not_after"),
        own=told.get("own") is True,
        problem=_text(told, "problem"),
    )


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    return value[:LONGEST] if isinstance(value, str) else ""


def _texts(told: Mapping[str, Any], name: str) -> tuple[str, ...]:
    listed = told.get(name)
    found = [one[:LONGEST] for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    return tuple(found[:MOST])


def _word(told: Mapping[str, Any], name: str) -> str:
    """Return a value of a list that is fixed, in its usual spelling."""
    return _text(told, name).strip().lower().replace(" ", "_").replace("-", "_")[:40]


def _number(told: Mapping[str, Any], name: str) -> int | None:
    value = told.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1 << 53:
        return None
    return int(value)


def _moment(told: Mapping[str, Any], name: str) -> int | None:
    """Return a time as unix milliseconds, from RFC 3339 or unix seconds."""
    seconds = _number(told, name)
    if seconds is not None:
        return seconds * 1000
    try:
        at = datetime.fromisoformat(_text(told, name))
    except ValueError:
        return None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
