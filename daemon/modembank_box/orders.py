"""What the daemon asks for: a small file and a bundle in its own folder, of which nothing is believed.

The daemon has no privilege, and whoever has taken it over may put anything there at any moment: a link to a file of
root's, a pipe, a name that is another file a moment later. So a name is opened once, never followed, and what was
opened is what is looked at, taken away and used.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from modembank_box.errors import BoxError
from modembank_box.places import Places

REQUEST = "request.json"
BUNDLE = "bundle.raucb"
LARGEST_REQUEST = 4096
LARGEST_BUNDLE = 1_500_000_000
VERBS = ("update", "restart", "reset", "postpone", "rollback")
MOST_DAYS = 30


@dataclass(frozen=True)
class Order:
    """Something asked for, by whom.

    ``days`` is for ``postpone``; ``version`` is the only one that an ``update`` may bring (empty: any).
    """

    verb: str
    id: str = ""
    by: str = ""
    days: int = 0
    version: str = ""


def take_order(places: Places) -> Order | None:
    """Take the order away and return it; None when there is none. Raises BoxError for what is no order."""
    with _folder(places) as folder:
        try:
            opened = _open(folder, REQUEST, LARGEST_REQUEST)
        except FileNotFoundError:
            return None
        except BoxError:
            _remove(folder, REQUEST)
            raise
        with os.fdopen(opened, "rb") as file:
            _remove(folder, REQUEST)
            return _order(file.read(LARGEST_REQUEST))


@contextmanager
def taken_bundle(places: Places) -> Iterator[str]:
    """Take the bundle away and yield a name for it that nobody else can give to another file.

    Raises BoxError when there is none, or none that is a file of the daemon's.
    """
    with _folder(places) as folder:
        try:
            opened = _open(folder, BUNDLE, LARGEST_BUNDLE)
        except FileNotFoundError as error:
            message = "there is no bundle"
            raise BoxError(message) from error
        finally:
            _remove(folder, BUNDLE)
        try:
            # From now on nobody but root opens it; who has it open for writing already is noticed by RAUC.
            if os.geteuid() == 0:
                os.fchown(opened, 0, 0)
            os.fchmod(opened, 0o400)
            yield f"/proc/{os.getpid()}/fd/{opened}"
        finally:
            os.close(opened)


def _order(content: bytes) -> Order:
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or told.get("verb") not in VERBS:
        message = "the daemon asked for something that is not known"
        raise BoxError(message)
    days = told.get("days")
    if not isinstance(days, int) or isinstance(days, bool) or not 0 <= days <= MOST_DAYS:
        days = 0
    return Order(told["verb"], _text(told, "id"), _text(told, "by"), days, _text(told, "version"))


def _text(told: dict[str, Any], name: str) -> str:
    """Return a text without what a terminal or a journal would obey."""
    value = told.get(name)
    return re.sub(r"[^\w .@+-]", "", value)[:80] if isinstance(value, str) else ""


@contextmanager
def _folder(places: Places) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        above = os.open(places.daemon, flags)
        try:
            opened = os.open("box", flags, dir_fd=above)
        finally:
            os.close(above)
    except OSError as error:
        message = f"there is no folder of orders in {places.daemon}: {error.strerror}"
        raise BoxError(message) from error
    try:
        yield opened
    finally:
        os.close(opened)


def _open(folder: int, name: str, largest: int) -> int:
    """Open a file of the folder's owner. Raises FileNotFoundError, and BoxError for anything else than such a file."""
    try:
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        message = f"{name} cannot be opened: {error.strerror}"
        raise BoxError(message) from error
    found = os.fstat(opened)
    mine = found.st_uid in {os.fstat(folder).st_uid, 0}
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and mine and found.st_size <= largest:
        return opened
    os.close(opened)
    message = f"{name} is no file of the daemon's, or larger than {largest} octets"
    raise BoxError(message)


def _remove(folder: int, name: str) -> None:
    """Remove a name, whatever it is."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        os.rename(name, f"{name}.folder", src_dir_fd=folder, dst_dir_fd=folder)
