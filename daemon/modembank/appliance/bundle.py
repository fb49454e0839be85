"""An update bundle on its way to the disk: written as it comes, bounded, and gone when it does not come whole."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from modembank.durable import sync
from modembank.errors import FieldProblem, InvalidRequest, ModembankError
from modembank.ids import random_token

MAX_OCTETS = 1_500_000_000
BUNDLE = "bundle.raucb"
"""What the image's root side looks for: always whole."""
PARTIAL = "upload-"
"""Before the name of one that is not whole yet."""
MAGIC = b"hsqs"
"""What a bundle begins with: it is a squashfs with its signature behind it."""
_BUFFER = 1 << 20
_SYNC_EVERY = 16 << 20
"""Octets that may wait to be written to the disk: more at once would hold up the commits of messages."""


class BundleTooLarge(ModembankError):
    """The bundle exceeds what is taken."""

    key = "payload_too_large"
    template = "the bundle is larger than {limit} octets"


class NoRoom(ModembankError):
    """The disk does not take it."""

    key = "store_full"
    template = "there is no room: {reason}"


class BundleUpload:
    """One bundle; end it with discard(), also after it was kept."""

    def __init__(self, folder: Path, reserve_octets: int, over: Callable[[], None]) -> None:
        """``over`` is called once when the place is free again; so much of the disk is left to others."""
        self._folder = folder
        self._path = folder / f"{PARTIAL}{random_token(12)}"
        self._reserve_octets = reserve_octets
        self._over: Callable[[], None] | None = over
        self._file: BinaryIO | None = None
        self._buffer = bytearray()
        self._hash = hashlib.sha256()
        self._unsynced = 0
        self.octets = 0

    @property
    def sha256(self) -> str:
        """The digest of what was written, as people compare it."""
        return self._hash.hexdigest()

    async def expect(self, octets: int) -> None:
        """Raise BundleTooLarge or NoRoom before anything of so many octets is read."""
        if octets > MAX_OCTETS:
            raise BundleTooLarge(limit=MAX_OCTETS)
        free = await asyncio.to_thread(_free, self._folder)
        if free < octets + self._reserve_octets:
            needed = octets + self._reserve_octets
            raise NoRoom(reason=f"it takes {_mib(needed)} with what is kept for messages, {_mib(free)} are free")

    async def write(self, octets: bytes) -> None:
        """Add some octets; raises BundleTooLarge, NoRoom, and InvalidRequest for what is no bundle."""
        self.octets += len(octets)
        if self.octets > MAX_OCTETS:
            raise BundleTooLarge(limit=MAX_OCTETS)
        self._buffer += octets
        if self._file is None and len(self._buffer) >= len(MAGIC):
            self._check_magic()
        if len(self._buffer) >= _BUFFER:
            await self._flush()

    async def received(self) -> BundleUpload:
        """Return when all of it is on the disk; raises as write() does."""
        if not self.octets:
            raise InvalidRequest(FieldProblem("/file", "is empty"))
        self._check_magic()
        await self._flush(last=True)
        return self

    def keep(self) -> None:
        """Give it the name under which it is looked for, durably. Raises OSError."""
        self._path.replace(self._folder / BUNDLE)
        sync(self._folder)

    def discard(self) -> None:
        """Forget what was not kept, and make room for the next."""
        if self._over is None:
            return
        over, self._over = self._over, None
        if self._file is not None:
            self._file.close()
            self._file = None
        self._path.unlink(missing_ok=True)
        over()

    def _check_magic(self) -> None:
        if self._file is None and not self._buffer.startswith(MAGIC):
            raise InvalidRequest(FieldProblem("/file", "is no update bundle (a file named .raucb)"))

    async def _flush(self, *, last: bool = False) -> None:
        octets, self._buffer = bytes(self._buffer), bytearray()
        try:
            await asyncio.to_thread(self._append, octets, last)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise NoRoom(reason=error.strerror) from error

    def _append(self, octets: bytes, last: bool) -> None:
        if self._file is None:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._file = os.fdopen(fd, "wb", buffering=0)
        if _free(self._folder) < self._reserve_octets + len(octets):
            raise OSError(errno.ENOSPC, "what is left is kept for messages")
        self._hash.update(octets)
        view = memoryview(octets)
        while view:
            view = view[self._file.write(view) :]
        self._unsynced += len(octets)
        if last or self._unsynced >= _SYNC_EVERY:
            os.fdatasync(self._file.fileno())
            self._unsynced = 0
        if last:
            self._file.close()


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder if folder.exists() else folder.parent).free


def _mib(octets: int) -> str:
    return f"{octets >> 20} MiB"
