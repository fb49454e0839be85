"""Files that clients send: written as they come, bounded, durable before anybody relies on them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from modembank.durable import sync
from modembank.errors import ModembankError
from modembank.ids import random_token
from modembank.mailings.requests import Received
from modembank.spool import Spool

MAX_OCTETS = 100_000_000
PREFIX = "upload-"


class FileTooLarge(ModembankError):
    """The file exceeds what is taken."""

    key = "payload_too_large"
    template = "the file is larger than {limit} octets"


class NoRoomForFile(ModembankError):
    """The disk does not take the file."""

    key = "store_full"
    template = "there is no room for the file: {reason}"


class Upload:
    """One file on its way; end it with received() or discard()."""

    def __init__(self, folder: Path, name: str, reserve_octets: int = 0) -> None:
        """``name`` is what the client calls it, never used as a name here; so much of the disk is left to others."""
        self._name = name
        self._token = f"{PREFIX}{random_token(12)}"
        self._spool = Spool(folder / self._token, reserve_octets, lambda reason: NoRoomForFile(reason=reason))
        self._octets = 0

    async def write(self, octets: bytes) -> None:
        """Add some octets; raises FileTooLarge, NoRoomForFile."""
        self._octets += len(octets)
        if self._octets > MAX_OCTETS:
            raise FileTooLarge(limit=MAX_OCTETS)
        await self._spool.write(octets)

    async def received(self) -> Received:
        """Return the whole file when it is on the disk; raises NoRoomForFile."""
        await self._spool.end()
        return Received(self._token, self._name, self._octets, self._spool.hash.digest())

    def discard(self) -> None:
        """Forget it, whether or not it is complete."""
        self._spool.discard()


def keep(folder: Path, token: str, name: str) -> None:
    """Give a received file the name of its mailing, durably."""
    (folder / token).rename(folder / name)
    sync(folder)
    sync(folder.parent)


def clean(folder: Path, needed: Collection[str]) -> int:
    """Delete what no mailing needs: a crash may have left it; return how many files that were."""
    if not folder.is_dir():
        return 0
    left = [path for path in folder.iterdir() if path.name not in needed and not path.is_dir()]
    for path in left:
        path.unlink()
    return len(left)
