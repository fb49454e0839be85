"""The only place that makes requests to addresses that users named."""

from __future__ import annotations

import asyncio
import functools
import ssl
import time
from collections.abc import Callable, Mapping

import msgspec

from modembank.outgoing.addresses import Address, refusal
from modembank.outgoing.errors import AddressRefused, EndpointFailed, Why
from modembank.outgoing.resolving import Resolve, Resolver
from modembank.outgoing.target import Target, check_url

ANSWER_LIMIT = 64 * 1024
"""Octets of an answer's body that are read."""
OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})
"""Headers that follow from the request itself."""


class Reply(msgspec.Struct, frozen=True):
    """What an endpoint answered; a redirect is an answer like any other and is not followed."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of a repeated one the last."""
    body: bytes
    """As it came, never decompressed."""
    ms: int
    """From the look-up of the name to the end of the body."""
    cut: bool = False
    """The body was longer than ``ANSWER_LIMIT``."""


@functools.cache
def system_trust() -> ssl.SSLContext:
    """The certificates that the system trusts; reading them takes 20 ms, so once."""
    return ssl.create_default_context()


class Poster:
    """Posts; what it resolves names with and whom it trusts can be given."""

    def __init__(self, resolve: Resolve | None = None, trust: Callable[[], ssl.SSLContext] = system_trust) -> None:
        """Ask the system unless told otherwise."""
        self._resolve = resolve or Resolver()
        self._trust = trust

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool, timeout_s: float = 10.0
    ) -> Reply:
        """Post once and return the answer, whatever its status.

        The name is looked up once; when each of its addresses may be used, one of them is connected to, so that
        no second look-up can lead elsewhere. ``timeout_s`` bounds all of it. Environment variables play no part.

        Raises AddressRefused, and EndpointFailed when no answer came.
        """
        started = time.monotonic()
        target = check_url(url, allow_private)
        try:
            async with asyncio.timeout(timeout_s):
                addresses = await addresses_of(self._resolve, target, allow_private=allow_private)
                return await self._exchange(target, addresses, body, headers, started)
        except TimeoutError:
            message = f"{target.authority} did not answer within {timeout_s:g} seconds"
            raise EndpointFailed(Why.TIMEOUT, message) from None

    async def _exchange(
        self, target: Target, addresses: tuple[Address, ...], body: bytes, headers: Mapping[str, str], started: float
    ) -> Reply:
        from modembank.outgoing.pinned import exchange  # with all its libraries, only for those who need it

        sent = whole_headers(target, headers, body)
        status, answered, content, cut = await exchange(target, addresses, body, sent, self._trust(), ANSWER_LIMIT)
        return Reply(status, answered, content, round((time.monotonic() - started) * 1000), cut)


def whole_headers(target: Target, headers: Mapping[str, str], body: bytes | None) -> dict[str, str]:
    """Return the headers of a request, names in lower case: those wanted, and those that follow from the request."""
    sent = {"user-agent": "modembank"} | {name.lower(): value for name, value in headers.items()}
    sent = {name: value for name, value in sent.items() if name not in OURS} | {
        "host": target.authority,
        "accept-encoding": "identity",
        "connection": "close",
    }
    return sent if body is None else sent | {"content-length": str(len(body))}


async def addresses_of(resolve: Resolve, target: Target, *, allow_private: bool) -> tuple[Address, ...]:
    """Return where a target leads, if each of it may be used. Raises AddressRefused, and EndpointFailed."""
    if target.literal is not None:
        return (target.literal,)
    found = await resolve(target.host, target.port)
    for address in found:
        if why := refusal(address, allow_private=allow_private):
            raise AddressRefused(reason=f"{target.host} leads to {address}: {why}")
    return found


_POSTER = Poster()
post = _POSTER.post
