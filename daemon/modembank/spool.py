"""A file on its way to the disk: written as it comes, without holding up the loop, and leaving room to others."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from modembank.errors import ModembankError

_BUFFER = 1 << 20
_SYNC_EVERY = 16 << 20
"""Octets that may wait to be written to the disk: more at once would hold up the commits of messages."""


class Spool:
    """One file that nobody relies on before end() has returned; discard() takes it away, whatever became of it."""

    def __init__(self, path: Path, reserve_octets: int, no_room: Callable[[str], ModembankError]) -> None:
        """So much of the disk is left to others; ``no_room`` makes what is raised, from the reason."""
        self._path = path
        self._reserve_octets = reserve_octets
        self._no_room = no_room
        self._file: BinaryIO | None = None
        self._buffer = bytearray()
        self._unsynced = 0
        self.hash = hashlib.sha256()
        """Of what was written; whole after end()."""

    async def resume(self) -> int:
        """Go on with a file that an earlier one ended or left, and return how many octets it has; 0: there is none."""
        return await asyncio.to_thread(self._resume)

    def close(self) -> None:
        """Let go of it as far as it is written; what was written since the last piece may be lost."""
        if self._file is not None:
            self._file.close()
            self._file = None

    async def write(self, octets: bytes) -> None:
        """Add some octets; raises what ``no_room`` makes, and OSError."""
        self._buffer += octets
        if len(self._buffer) >= _BUFFER:
            await self._flush()

    async def end(self) -> None:
        """Return when all of it is on the disk; raises as write() does."""
        await self._flush(last=True)

    def discard(self) -> None:
        """Forget it, whether or not it is complete."""
        self.close()
        self._path.unlink(missing_ok=True)

    async def _flush(self, *, last: bool = False) -> None:
        octets, self._buffer = bytes(self._buffer), bytearray()
        try:
            await asyncio.to_thread(self._append, octets, last)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise self._no_room(error.strerror or str(error)) from error

    def _resume(self) -> int:
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return 0
        self._file = os.fdopen(fd, "r+b", buffering=0)
        octets = 0
        while piece := self._file.read(_BUFFER):
            self.hash.update(piece)
            octets += len(piece)
        return octets

    def _append(self, octets: bytes, last: bool) -> None:
        if self._file is None:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._file = os.fdopen(fd, "wb", buffering=0)
        if free_octets(self._path.parent) < self._reserve_octets + len(octets):
            raise OSError(errno.ENOSPC, "what is left is kept for messages")
        self.hash.update(octets)
        view = memoryview(octets)
        while view:
            view = view[self._file.write(view) :]
        self._unsynced += len(octets)
        if last or self._unsynced >= _SYNC_EVERY:
            os.fsync(self._file.fileno())
            self._unsynced = 0
        if last:
            self._file.close()
            self._file = None


def free_octets(folder: Path) -> int:
    """Return how much room there is for a folder that may have to be made."""
    return shutil.disk_usage(folder if folder.exists() else folder.parent).free
