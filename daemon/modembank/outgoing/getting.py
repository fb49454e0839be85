"""Getting something large, as it comes, from an address that was allowed."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial

import msgspec

from modembank.outgoing.errors import EndpointFailed, Why
from modembank.outgoing.posting import addresses_of, system_trust
from modembank.outgoing.resolving import Resolve, Resolver
from modembank.outgoing.target import Target, check_url


class Coming(msgspec.Struct, frozen=True):
    """An answer whose body is still to come; a redirect is an answer like any other and is not followed."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: AsyncIterator[bytes]
    """As it came, never decompressed. Raises EndpointFailed."""


class Getter:
    """Gets; what it resolves names with and whom it trusts can be given."""

    def __init__(self, resolve: Resolve | None = None, trust: Callable[[], ssl.SSLContext] = system_trust) -> None:
        """Ask the system unless told otherwise."""
        self._resolve = resolve or Resolver()
        self._trust = trust

    @contextlib.asynccontextmanager
    async def get(
        self, url: str, headers: Mapping[str, str], *, allow_private: bool, idle_s: float = 60.0
    ) -> AsyncIterator[Coming]:
        """Ask once and yield the answer, whatever its status.

        ``idle_s`` bounds the time until it begins, and between two of its parts. Raises AddressRefused, EndpointFailed.
        """
        from modembank.outgoing import pinned  # with all its libraries, only for those who need it

        target = check_url(url, allow_private)
        sent = {**headers, "host": target.authority, "accept-encoding": "identity", "connection": "close"}
        async with contextlib.AsyncExitStack() as open_until:
            async with _in_time(target, idle_s):
                addresses = await addresses_of(self._resolve, target, allow_private=allow_private)
                answer = await open_until.enter_async_context(
                    pinned.answering("GET", target, addresses, None, {"user-agent": "modembank"} | sent, self._trust())
                )
            with_reasons = partial(pinned.explaining, target)
            body = _parts(answer.aiter_stream(), with_reasons, target, idle_s)
            yield Coming(answer.status, pinned.headers_of(answer), body)


async def _parts(
    stream: AsyncIterator[bytes],
    with_reasons: Callable[[], contextlib.AbstractContextManager[None]],
    target: Target,
    idle_s: float,
) -> AsyncIterator[bytes]:
    while True:
        with with_reasons():
            async with _in_time(target, idle_s):
                part = await anext(stream, None)
        if part is None:
            return
        yield part


@contextlib.asynccontextmanager
async def _in_time(target: Target, within_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(within_s):
            yield
    except TimeoutError:
        message = f"{target.authority} said nothing for {within_s:g} seconds"
        raise EndpointFailed(Why.TIMEOUT, message) from None
