"""What a box keeps of its enrolment at a hub: files of the data folder, each whole or as it was before.

``enrolment.json`` says what counts; keys and certificates lie beside it under the number of their pair, and are there
before it speaks of them. Whatever it does not speak of is swept away at a start. None of it is in a backup.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path

import msgspec
import structlog

from modembank.config import HubKeyConfig
from modembank.durable import replace_text, sync

FOLDER = "hub"
"""What the folder in the data folder is called."""
_RECORD = "enrolment.json"
_PARTS = ("key", "crt", "ca")
_log = structlog.get_logger()


class Pair(msgspec.Struct, frozen=True):
    """A key with its certificate; times are unix seconds."""

    number: int
    serial: str
    not_before: float
    not_after: float
    renew_at: float
    """When another one is due, by the hub's word."""


class Asked(msgspec.Struct, frozen=True):
    """A token that was given to the box, and the number of the key that it asks with."""

    address: str
    fingerprint: str
    secret: str
    number: int
    refused: str = ""
    """The hub's code of the refusal; empty: not refused."""
    why: str = ""


class Membership(msgspec.Struct, frozen=True):
    """What the hub answered, and the pairs that count for it."""

    address: str
    authority: str
    site: str
    box: str
    brokers: tuple[str, ...]
    hub_keys: tuple[HubKeyConfig, ...]
    pair: Pair
    coming: Pair | None = None
    """A pair that no session has proved yet; the one before counts until then."""
    key: int = 0
    """The number of a key whose certificate has been asked for; 0: none."""


class Record(msgspec.Struct, frozen=True):
    """All of it."""

    v: int = 1
    seen: str = ""
    """The token of the first start that was taken up, as a hash: it is there again at every start."""
    asked: Asked | None = None
    membership: Membership | None = None

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers of the pairs that it speaks of; 0 is none."""
        found = {0}
        if self.asked is not None:
            found.add(self.asked.number)
        if self.membership is not None:
            found |= {self.membership.pair.number, self.membership.key}
            found |= {self.membership.coming.number} if self.membership.coming else set()
        return frozenset(found)


class EnrolmentFolder:
    """Reads and writes the files."""

    def __init__(self, data_dir: Path) -> None:
        """Nothing is read yet, and nothing made."""
        self._folder = data_dir / FOLDER

    def load(self) -> Record:
        """Return what counts; nothing where it cannot be read, which is told in the log."""
        try:
            return msgspec.json.decode((self._folder / _RECORD).read_bytes(), type=Record)
        except FileNotFoundError:
            return Record()
        except (OSError, msgspec.DecodeError) as error:
            _log.error("enrolment_unreadable", file=str(self._folder / _RECORD), error=str(error))
            return Record()

    def keep(self, record: Record) -> None:
        """Let a record count from now on, and delete what it does not speak of; raises OSError."""
        self._make()
        replace_text(self._folder / _RECORD, json.dumps(msgspec.to_builtins(record)))
        self._sweep(record)

    def path(self, number: int, part: str) -> Path:
        """Return where a pair's ``key``, ``crt`` or ``ca`` is."""
        return self._folder / f"{number}.{part}"

    def write(self, number: int, part: str, content: bytes) -> None:
        """Write a part of a pair, durable on return; raises OSError."""
        self._make()
        path = self.path(number, part)
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(opened, "wb") as file:
            file.write(content)
        sync(path)
        sync(self._folder)

    def next_number(self) -> int:
        """Return a number that no pair has."""
        return max((_number(path) for path in self._paths()), default=0) + 1

    def _make(self) -> None:
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700, parents=True)
            sync(self._folder.parent)

    def _paths(self) -> Iterable[Path]:
        return self._folder.iterdir() if self._folder.is_dir() else ()

    def _sweep(self, record: Record) -> None:
        for path in list(self._paths()):
            if stat.S_ISREG(path.lstat().st_mode) and _number(path) and _number(path) not in record.numbers:
                path.unlink()


def _number(path: Path) -> int:
    """Return the number of a pair's file; 0 for any other."""
    stem, _, part = path.name.partition(".")
    return int(stem) if part in _PARTS and stem.isdecimal() and stem.isascii() else 0
