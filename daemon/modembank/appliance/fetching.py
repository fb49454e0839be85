"""An update bundle that is fetched over HTTPS: bounded, resumed where it was interrupted, judged by its digest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import msgspec

from modembank.appliance.bundle import BUNDLE, MAX_OCTETS, NoRoom
from modembank.appliance.state import read_object
from modembank.durable import replace_text, sync
from modembank.errors import ModembankError
from modembank.outgoing import AddressRefused, Coming, EndpointFailed, Getter
from modembank.spool import Spool, free_octets

PART = "fetched.part"
NOTES = "fetched.json"
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""What a server answers that may give it later."""


class FetchFailed(ModembankError):
    """It did not come, or is not what was asked for; ``again``: it may come later."""

    key = "fetch_failed"
    template = "{why}"

    def __init__(self, code: str, why: str, *, again: bool = False) -> None:
        """Say why in one word and in a sentence."""
        super().__init__(why=why)
        self.code = code
        self.why = why
        self.again = again


class Wanted(msgspec.Struct, frozen=True):
    """Where a bundle is, and the SHA-256 that it has, in lower-case hexadecimal digits."""

    url: str
    sha256: str


class BundleFetch:
    """The one bundle that is fetched; what has come of it outlives the daemon."""

    def __init__(self, folder: Path, reserve_octets: int, getter: Getter) -> None:
        """So much of the disk is left to others."""
        self._folder = folder
        self._path = folder / PART
        self._notes = folder / NOTES
        self._reserve_octets = reserve_octets
        self._getter = getter

    @property
    def is_there(self) -> bool:
        """Whether there is something of it."""
        return self._path.exists()

    async def fetch(self, wanted: Wanted, far: Callable[[int], None]) -> None:
        """Return when all of it is on the disk and is what was asked for; ``far`` is told the percent.

        Raises FetchFailed, and NoRoom. Cancelled or failed, it goes on where it was the next time.
        """
        tag = await asyncio.to_thread(self._begin, wanted)
        spool = self._spool()
        try:
            octets = await spool.resume()
            if octets and spool.hash.hexdigest() == wanted.sha256:
                return
            resumed = {"range": f"bytes={octets}-", "if-range": tag} if octets and tag else {}
            async with self._getter.get(wanted.url, resumed, allow_private=True) as coming:
                if octets and coming.status != 206:
                    spool.discard()
                    spool, octets = self._spool(), 0
                await self._take(wanted, coming, spool, octets, far)
        except AddressRefused as error:
            raise FetchFailed(code="address_refused", why=error.reason) from error
        except EndpointFailed as error:
            raise FetchFailed(code="unreachable", why=error.reason, again=True) from error
        finally:
            spool.close()
        if spool.hash.hexdigest() != wanted.sha256:
            self.forget()
            raise FetchFailed(code="wrong_digest", why=f"{wanted.url} has not the SHA-256 that was asked for")

    def keep(self) -> None:
        """Give it the name under which root's side looks for it, durably. Raises OSError."""
        self._path.replace(self._folder / BUNDLE)
        sync(self._folder)

    def forget(self) -> None:
        """Delete what is there."""
        self._path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)

    def _spool(self) -> Spool:
        return Spool(self._path, self._reserve_octets, lambda reason: NoRoom(reason=reason))

    def _begin(self, wanted: Wanted) -> str:
        """Return the tag of what is there of the very same, empty when nothing is; what is of another goes."""
        try:
            known = read_object(self._notes) or {}
        except ValueError:
            known = {}
        if (known.get("url"), known.get("sha256")) == (wanted.url, wanted.sha256):
            return str(known.get("tag") or "")
        self.forget()
        return ""

    async def _take(
        self, wanted: Wanted, coming: Coming, spool: Spool, octets: int, far: Callable[[int], None]
    ) -> None:
        if coming.status not in {200, 206}:
            again = coming.status in _AGAIN
            raise FetchFailed(code="not_given", why=f"{wanted.url} answers {coming.status}", again=again)
        length = coming.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()):
            raise FetchFailed(code="not_given", why=f"{wanted.url} does not say how large it is")
        whole = octets + int(length)
        if whole > MAX_OCTETS:
            raise FetchFailed(code="too_large", why=f"{wanted.url} is larger than {MAX_OCTETS} octets")
        await asyncio.to_thread(self._note, wanted, coming.headers.get("etag", ""), int(length))
        try:
            async for part in coming.body:
                octets += len(part)
                if octets > whole:
                    break
                await spool.write(part)
                far(octets * 100 // whole if whole else 100)
        except EndpointFailed:
            await spool.end()  # the next try goes on from there
            raise
        await spool.end()
        if octets != whole:
            raise FetchFailed(code="cut_short", why=f"{wanted.url} ended after {octets} of {whole} octets", again=True)

    def _note(self, wanted: Wanted, tag: str, needed: int) -> None:
        """Note what comes, if there is room for it. Raises NoRoom."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        free = free_octets(self._folder)
        if free < needed + self._reserve_octets:
            needed += self._reserve_octets
            raise NoRoom(
                reason=f"it takes {needed >> 20} MiB with what is kept for messages, {free >> 20} MiB are free"
            )
        strong = "" if tag.startswith("W/") else tag[:200]
        told = {"url": wanted.url, "sha256": wanted.sha256, "tag": strong}
        replace_text(self._notes, json.dumps(told) + "\n")
