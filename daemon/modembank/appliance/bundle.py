"""An update bundle on its way to the disk: written as it comes, bounded, and gone when it does not come whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from modembank.durable import sync
from modembank.errors import FieldProblem, InvalidRequest, ModembankError
from modembank.ids import random_token
from modembank.spool import Spool, free_octets

MAX_OCTETS = 1_500_000_000
BUNDLE = "bundle.raucb"
"""What the image's root side looks for: always whole."""
PARTIAL = "upload-"
"""Before the name of one that is not whole yet."""
MAGIC = b"hsqs"
"""What a bundle begins with: it is a squashfs with its signature behind it."""


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
        self._spool = Spool(self._path, reserve_octets, lambda reason: NoRoom(reason=reason))
        self._reserve_octets = reserve_octets
        self._over: Callable[[], None] | None = over
        self._head = b""
        self.octets = 0

    @property
    def sha256(self) -> str:
        """The digest of what was written, as people compare it."""
        return self._spool.hash.hexdigest()

    async def expect(self, octets: int) -> None:
        """Raise BundleTooLarge or NoRoom before anything of so many octets is read."""
        if octets > MAX_OCTETS:
            raise BundleTooLarge(limit=MAX_OCTETS)
        free = await asyncio.to_thread(free_octets, self._folder)
        if free < octets + self._reserve_octets:
            needed = octets + self._reserve_octets
            raise NoRoom(reason=f"it takes {_mib(needed)} with what is kept for messages, {_mib(free)} are free")

    async def write(self, octets: bytes) -> None:
        """Add some octets; raises BundleTooLarge, NoRoom, and InvalidRequest for what is no bundle."""
        self.octets += len(octets)
        if self.octets > MAX_OCTETS:
            raise BundleTooLarge(limit=MAX_OCTETS)
        if len(self._head) < len(MAGIC):
            self._head = (self._head + octets)[: len(MAGIC)]
            if len(self._head) == len(MAGIC):
                self._check_magic()
        await self._spool.write(octets)

    async def received(self) -> BundleUpload:
        """Return when all of it is on the disk; raises as write() does."""
        if not self.octets:
            raise InvalidRequest(FieldProblem("/file", "is empty"))
        self._check_magic()
        await self._spool.end()
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
        self._spool.discard()
        over()

    def _check_magic(self) -> None:
        if self._head != MAGIC:
            raise InvalidRequest(FieldProblem("/file", "is no update bundle (a file named .raucb)"))


def _mib(octets: int) -> str:
    return f"{octets >> 20} MiB"
