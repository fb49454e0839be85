"""The HTTP exchange itself, over a connection to an address that was checked before. Imported at the first request."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import httpcore

from modembank.outgoing.addresses import Address
from modembank.outgoing.errors import EndpointFailed, Why
from modembank.outgoing.target import Target

MOST_ADDRESSES = 4
"""How many addresses of a name are tried."""
_ENDED = re.compile("disconnected|closed connection")
"""What httpcore and h11 say when the peer hung up; they have no class of error for it."""


async def exchange(
    target: Target,
    addresses: Sequence[Address],
    body: bytes,
    headers: Mapping[str, str],
    tls: ssl.SSLContext,
    limit: int,
) -> tuple[int, dict[str, str], bytes, bool]:
    """Post and return status, headers (names in lower case), body, and whether it was cut at ``limit`` octets.

    One connection for one request: nothing is followed, decompressed, cached or remembered. Raises EndpointFailed.
    """
    async with answering("POST", target, addresses, body, headers, tls) as answer:
        chunks, size = [], 0
        async for chunk in answer.aiter_stream():
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                break
        return answer.status, headers_of(answer), b"".join(chunks)[:limit], size > limit


def headers_of(answer: httpcore.Response) -> dict[str, str]:
    """Return an answer's headers, names in lower case; of a repeated one the last."""
    return {name.decode("ascii").lower(): value.decode("latin-1") for name, value in answer.headers}


@contextlib.asynccontextmanager
async def answering(
    method: str,
    target: Target,
    addresses: Sequence[Address],
    body: bytes | None,
    headers: Mapping[str, str],
    tls: ssl.SSLContext,
    *,
    before: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[httpcore.Response]:
    """Make a request and yield its answer, whose body has not been read. Raises EndpointFailed, and what before raises.

    ``before`` is awaited when the connection stands, encrypted where it has to be, and nothing of the request has been
    written.
    """
    network = _Pinned(addresses[:MOST_ADDRESSES])
    connection = httpcore.AsyncHTTPConnection(
        origin=httpcore.Origin(target.scheme.encode(), target.host.encode(), target.port),
        ssl_context=tls,
        network_backend=network,
    )
    url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
    sent = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]

    async def trace(event: str, _: object) -> None:
        if before is not None and event == "http11.send_request_headers.started":
            await before()

    try:
        with explaining(target):
            async with (
                contextlib.aclosing(connection),
                connection.stream(method, url, headers=sent, content=body, extensions={"trace": trace}) as answer,
            ):
                yield answer
    finally:
        await network.aclose()


@contextlib.contextmanager
def explaining(target: Target) -> Iterator[None]:
    """Let what httpcore raises inside the block be an EndpointFailed."""
    try:
        yield
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
        raise _explained(error, target) from error


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to the addresses given, whatever host is asked for."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses
        self._network = httpcore.AnyIOBackend()
        self._stream: httpcore.AsyncNetworkStream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that takes it."""
        del host, timeout, local_address, socket_options
        failed: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for place, address in enumerate(self._addresses, 1):
            last = place == len(self._addresses)  # the deadline of the whole exchange bounds it
            try:
                self._stream = await self._network.connect_tcp(str(address), port, timeout=None if last else 3.0)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return self._stream
        raise failed or httpcore.ConnectError("no address")

    async def aclose(self) -> None:
        """Close what was connected: a handshake that is cancelled leaves its socket open."""
        if self._stream is not None:
            await self._stream.aclose()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def _explained(error: Exception, target: Target) -> EndpointFailed:
    """Return what a person can look at, from the chain of causes under an error of httpcore."""
    where, causes = target.authority, _causes(error)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return EndpointFailed(Why.TLS, f"the certificate of {where} is not trusted: {cause.verify_message}")
        if isinstance(cause, ssl.SSLError):
            return EndpointFailed(Why.TLS, f"no encryption with {where}: {cause.reason or cause}")
        if isinstance(cause, ConnectionRefusedError):
            return EndpointFailed(Why.REFUSED, f"nothing listens at {where}")
        if isinstance(cause, OSError) and cause.errno in {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN}:
            return EndpointFailed(Why.UNREACHABLE, f"there is no way to {where}: {cause.strerror}")
    if isinstance(error, httpcore.TimeoutException):
        return EndpointFailed(Why.TIMEOUT, f"{where} did not take the connection in time")
    if isinstance(error, httpcore.ConnectError):
        return EndpointFailed(Why.UNREACHABLE, f"no connection to {where}: {causes[-1]}")
    if isinstance(error, httpcore.ProtocolError) and not _ENDED.search(str(error)):
        return EndpointFailed(Why.PROTOCOL, f"{where} does not speak HTTP: {str(error)[:200]}")
    return EndpointFailed(Why.CLOSED, f"{where} closed the connection before its answer was complete")


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and what it came from; an attempt on several addresses has a group of them."""
    found: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left and len(found) < 20:
        one = left.pop(0)
        if one is None or one in found:
            continue
        found.append(one)
        left += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        left += [one.__cause__, one.__context__]
    return found
