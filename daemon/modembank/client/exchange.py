"""The core without I/O: what a client does is a generator of steps, and one policy decides what is tried again.

A generator yields a step and is sent what came of it. ``transport.py`` carries steps out, with and without asyncio;
nothing else differs between the two clients.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from modembank.client.errors import Unreachable, error_of

T = TypeVar("T")
_SAFE = frozenset({"GET", "PUT", "DELETE"})
"""Doing these twice is doing them once."""
_NOT_NOW = frozenset({502, 503, 504})
IDEMPOTENCY_KEY = "Idempotency-Key"


class Retry(msgspec.Struct, frozen=True):
    """When to try again: ``tries`` in all, with growing random pauses; ``Retry-After`` is kept up to a bound."""

    tries: int = 6
    first_s: float = 0.25
    most_s: float = 8.0
    longest_wait_s: float = 30.0
    """A box that asks to wait for longer is not waited for: its answer becomes the error."""

    def pause_s(self, tried: int) -> float:
        """Return how long to wait after so many tries: between half and all of what doubles each time."""
        whole: float = min(self.most_s, self.first_s * 2 ** min(tried - 1, 30))
        return whole * random.uniform(0.5, 1.0)


class Request(msgspec.Struct, frozen=True):
    """A step: make this request. It is sent a Response or a Lost."""

    method: str
    path: str
    """With its query."""
    body: bytes | None = None
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    read_timeout_s: float | None = None
    """How long the answer may be silent; None: as the client was told."""
    twice_is_once: bool = False
    """Whether the operation is one that can be done twice without harm, though its method does not say so."""

    @property
    def repeatable(self) -> bool:
        """Whether it may be made again though the first may have been received."""
        return self.twice_is_once or self.method in _SAFE or IDEMPOTENCY_KEY in self.headers


class Open(msgspec.Struct, frozen=True):
    """A step: make this request and leave the answer's body to Read, if it is 200. Sent a Response or a Lost."""

    request: Request


class Read(msgspec.Struct, frozen=True):
    """A step: read on from what was opened. It is sent octets, None at the end, or a Lost."""


class Wait(msgspec.Struct, frozen=True):
    """A step: do nothing for so many seconds."""

    seconds: float


class Give(msgspec.Struct, Generic[T], frozen=True):
    """A step of an iterator: hand this to whoever iterates."""

    item: T


class Response(msgspec.Struct, frozen=True):
    """An answer as it came; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Lost(msgspec.Struct, frozen=True):
    """No (whole) answer came: why, and whether the request may have been received."""

    reason: str
    maybe_done: bool


Step: TypeAlias = Request | Open | Read | Wait
Steps: TypeAlias = Generator[Step, Any, T]
"""A piece of work with a result of type T in the end."""
Items: TypeAlias = Generator[Step | Give[T], Any, None]
"""A piece of work that hands out things of type T on the way."""


def exchange(request: Request, retry: Retry) -> Steps[Response]:
    """Return the answer of a request that went well, after as many tries as are allowed and safe.

    Raises BoxError for a refusal, Unreachable when no answer came.
    """
    tried, maybe_done = 0, False
    while True:
        came: Response | Lost = yield request
        tried += 1
        if isinstance(came, Lost):
            maybe_done = maybe_done or came.maybe_done
            if tried >= retry.tries or not (request.repeatable or not came.maybe_done):
                raise Unreachable(
                    came.reason, maybe_done=maybe_done, idempotency_key=request.headers.get(IDEMPOTENCY_KEY)
                )
            yield Wait(retry.pause_s(tried))
            continue
        if came.status < 300:
            return came
        asked_s = retry_after_s(came.headers)
        pause_s = _pause_s(request, came.status, asked_s, tried, retry)
        if pause_s is None:
            raise error_of(came.status, came.body, asked_s)
        yield Wait(pause_s)


def _pause_s(request: Request, status: int, asked_s: float | None, tried: int, retry: Retry) -> float | None:
    """Return how long to wait before a refusal is tried again; None: it is final."""
    if tried >= retry.tries:
        return None
    again = (status in _NOT_NOW and request.repeatable) or (status == 429 and asked_s is not None)
    if not again or (asked_s is not None and asked_s > retry.longest_wait_s):
        return None
    return max(asked_s or 0.0, retry.pause_s(tried))


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return ``Retry-After`` in seconds, from either of its forms (RFC 9110 clause 10.2.3); None without one."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def new_idempotency_key() -> str:
    """Return a key that nobody else makes."""
    return f"mbc-{secrets.token_hex(16)}"


def json_request(method: str, path: str, content: object, idempotency_key: str | None = None) -> Request:
    """Return a request with a JSON body; its octets are the same in every try, as idempotency wants."""
    headers = {"Content-Type": "application/json"}
    if idempotency_key is not None:
        headers[IDEMPOTENCY_KEY] = idempotency_key
    return Request(method, path, msgspec.json.encode(content), headers)
