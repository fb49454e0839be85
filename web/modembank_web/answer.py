"""An answer ready for the wire: status, headers and body, with the box's security headers already in it."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from litestar.types import HTTPResponseBodyEvent, HTTPResponseStartEvent, Receive, Scope, Send

Header: TypeAlias = tuple[bytes, bytes]

JSON = b"application/json"
PROBLEM = b"application/problem+json"
TEXT = b"text/plain; charset=utf-8"
HTML = b"text/html; charset=utf-8"

API_POLICY = b"default-src 'none'; frame-ancestors 'none'"
_COMMON: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)

_NO_CONTENT = 204

encode = msgspec.json.Encoder().encode


class Answer:
    """One response as an ASGI application: what Litestar sends without building a Response of its own."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        body: bytes,
        status: int = 200,
        media: bytes = JSON,
        extra: tuple[Header, ...] = (),
        *,
        policy: bytes = API_POLICY,
        cache: bytes = b"no-store",
    ) -> None:
        """Assemble the headers; ``policy`` is the content security policy, ``cache`` empty leaves that header out.

        An answer 204 has no content, and so neither its type nor its length (RFC 9110 clause 8.6).
        """
        self.body = body
        self.status = status
        content = () if status == _NO_CONTENT else ((b"content-type", media), (b"content-length", b"%d" % len(body)))
        self.headers: list[Header] = [
            *content,
            *_COMMON,
            (b"content-security-policy", policy),
            *extra,
        ]
        if cache:
            self.headers.append((b"cache-control", cache))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        del scope, receive
        start: HTTPResponseStartEvent = {"type": "http.response.start", "status": self.status, "headers": self.headers}
        await send(start)
        body: HTTPResponseBodyEvent = {"type": "http.response.body", "body": self.body, "more_body": False}
        await send(body)


def json_answer(content: object, status: int = 200, extra: tuple[Header, ...] = ()) -> Answer:
    """Answer with a JSON body."""
    return Answer(encode(content), status, JSON, extra)
