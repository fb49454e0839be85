"""One request of any method, and what is known when no answer came: whether any of it can have left the box."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from modembank.outgoing.addresses import Address
from modembank.outgoing.errors import AddressRefused, EndpointFailed, Why
from modembank.outgoing.posting import ANSWER_LIMIT, Reply, addresses_of, system_trust, whole_headers
from modembank.outgoing.resolving import Resolve, Resolver
from modembank.outgoing.target import Target, check_url

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110 5.6.2)."""
_VALUE = re.compile(r"[\t -~\x80-\xff]*")


class Request(msgspec.Struct, frozen=True):
    """What is asked of somebody's address."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    """None: the method has none, such as GET."""
    query: str = ""
    """Encoded; it comes behind what the address has, and may be longer than an address."""


class Ended(msgspec.Struct, frozen=True):
    """How a request ended."""

    began: bool
    """Whether any octet of the request can have left; when not, certainly nobody has it."""
    reply: Reply | None = None
    """The answer, or what came of it: ``cut`` when its end was not seen, whatever the reason."""
    why: Why | None = None
    """What failed, when no whole answer came; None when the address is refused, too."""
    reason: str = ""
    """The same for people; empty when the answer is whole."""
    withdrawn: bool = False
    """The gate said no."""


class _Withdrawn(Exception):
    """The gate said no."""


class _Going(msgspec.Struct):
    """What has happened of a request so far."""

    began: bool = False
    status: int | None = None
    headers: Mapping[str, str] = {}
    chunks: list[bytes] = msgspec.field(default_factory=list)
    size: int = 0

    def take(self, chunk: bytes) -> bool:
        """Keep a part of the answer's body; return whether there is room for more."""
        self.chunks.append(chunk)
        self.size += len(chunk)
        return self.size <= ANSWER_LIMIT

    def reply(self, ms: int, *, cut: bool) -> Reply | None:
        """Return the answer as far as it came."""
        if self.status is None:
            return None
        body = b"".join(self.chunks)[:ANSWER_LIMIT]
        return Reply(self.status, self.headers, body, ms, cut or self.size > ANSWER_LIMIT)


class Requester:
    """Makes requests; what it resolves names with and whom it trusts can be given."""

    def __init__(self, resolve: Resolve | None = None, trust: Callable[[], ssl.SSLContext] = system_trust) -> None:
        """Ask the system unless told otherwise."""
        self._resolve = resolve or Resolver()
        self._trust = trust

    async def request(
        self,
        request: Request,
        gate: Callable[[], Awaitable[bool]],
        *,
        allow_private: bool,
        connect_s: float = 10.0,
        answer_s: float = 30.0,
    ) -> Ended:
        """Ask once and return how it ended; redirects are answers and not followed. Never raises but CancelledError.

        The gate is awaited once, when the connection stands and before the first octet of the request; when it
        returns False, nothing is written. ``connect_s`` bounds all before it, ``answer_s`` all after it.
        """
        started, going = time.monotonic(), _Going()
        why: Why | None = None
        try:
            target = _target(request, allow_private)
            async with asyncio.timeout(connect_s) as deadline:
                addresses = await addresses_of(self._resolve, target, allow_private=allow_private)
                await self._exchange(request, target, addresses, going, _begin(gate, going, deadline, answer_s))
            too_long = f"the answer is longer than {ANSWER_LIMIT // 1024} KiB" if going.size > ANSWER_LIMIT else ""
            return Ended(going.began, going.reply(_ms_since(started), cut=False), reason=too_long)
        except _Withdrawn:
            return Ended(began=False, reason="it was withdrawn before anything was sent", withdrawn=True)
        except TimeoutError:
            why, reason = Why.TIMEOUT, f"no connection within {connect_s:g} seconds"
            if going.began:
                reason = f"the answer was not there within {answer_s:g} seconds"
        except EndpointFailed as error:
            why, reason = error.why, error.reason
        except AddressRefused as error:
            reason = error.reason
        return Ended(going.began, going.reply(_ms_since(started), cut=True), why, reason)

    async def _exchange(
        self,
        request: Request,
        target: Target,
        addresses: tuple[Address, ...],
        going: _Going,
        before: Callable[[], Awaitable[None]],
    ) -> None:
        from modembank.outgoing import pinned  # with all its libraries, only for those who need it

        sent = whole_headers(target, request.headers, request.body)
        method, body, trust = request.method, request.body, self._trust()
        async with pinned.answering(method, target, addresses, body, sent, trust, before=before) as answer:
            going.status, going.headers = answer.status, pinned.headers_of(answer)
            async for chunk in answer.aiter_stream():
                if not going.take(chunk):
                    return


def why_no_header(name: str, value: str) -> str | None:
    """Return why a header cannot be sent, or None when it can."""
    if not _NAME.fullmatch(name):
        return f"{name[:40]!a} is no name of a header: letters, digits and hyphens"
    if not _VALUE.fullmatch(value):
        return f"the value of {name} has characters that headers cannot have, such as a line's end"
    return None


def _target(request: Request, allow_private: bool) -> Target:
    """Return where a request goes; raises AddressRefused, also for headers that would break the request."""
    for name, value in request.headers.items():
        if why := why_no_header(name, value):
            raise AddressRefused(reason=why)
    target = check_url(request.url, allow_private)
    if not request.query:
        return target
    return msgspec.structs.replace(target, path=f"{target.path}{'&' if '?' in target.path else '?'}{request.query}")


def _begin(
    gate: Callable[[], Awaitable[bool]], going: _Going, deadline: asyncio.Timeout, answer_s: float
) -> Callable[[], Awaitable[None]]:
    async def begin() -> None:
        if deadline.expired():
            await asyncio.sleep(0)  # where it is told so
        deadline.reschedule(None)  # a gate that is making something durable is not cut short
        if not await gate():
            raise _Withdrawn
        deadline.reschedule(asyncio.get_running_loop().time() + answer_s)
        going.began = True

    return begin


def _ms_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
