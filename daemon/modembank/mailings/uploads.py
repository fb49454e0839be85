"""Files that clients send: written as they come, bounded, durable before anybody relies on them."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from modembank.durable import sync
from modembank.errors import ModembankError
from modembank.ids import random_token
from modembank.mailings.requests import Received

MAX_OCTETS = 100_000_000
PREFIX = "upload-"
_BUFFER = 1 << 20


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
        self._reserve_octets = reserve_octets
        self._folder = folder
        self._name = name
        self._token = f"{PREFIX}{random_token(12)}"
        self._path = folder / self._token
        self._file: BinaryIO | None = None
        self._buffer = bytearray()
        self._hash = hashlib.sha256()
        self._octets = 0

    async def write(self, octets: bytes) -> None:
        """Add some octets; raises FileTooLarge, NoRoomForFile."""
        self._octets += len(octets)
        if self._octets > MAX_OCTETS:
            raise FileTooLarge(limit=MAX_OCTETS)
        self._hash.update(octets)
        self._buffer += octets
        if len(self._buffer) >= _BUFFER:
            await self._flush()

    async def received(self) -> Received:
        """Return the whole file when it is on the disk; raises NoRoomForFile."""
        await self._flush(last=True)
        return Received(self._token, self._name, self._octets, self._hash.digest())

    def discard(self) -> None:
        """Forget it, whether or not it is complete."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._path.unlink(missing_ok=True)

    async def _flush(self, *, last: bool = False) -> None:
        octets, self._buffer = bytes(self._buffer), bytearray()
        try:
            await asyncio.to_thread(self._append, octets, last)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise NoRoomForFile(reason=error.strerror) from error

    def _append(self, octets: bytes, last: bool) -> None:
        if self._file is None:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._file = os.fdopen(fd, "wb")
        if shutil.disk_usage(self._folder).free < self._reserve_octets + len(octets):
            raise OSError(errno.ENOSPC, "what is left is kept for messages")
        self._file.write(octets)
        if last:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None


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
