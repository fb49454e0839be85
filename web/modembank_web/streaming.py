"""Answers that are made while they are sent: server-sent events, and files too large to be held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from litestar.types import HTTPResponseBodyEvent, HTTPResponseStartEvent, Receive, Scope, Send

from modembank_web.answer import Answer, Header

EVENT_STREAM = b"text/event-stream"
WRITE_WAIT_S = 60.0
"""A client that takes nothing for so long is gone."""


class Stream(Answer):
    """A response whose body is what a generator yields, until that ends, or the client goes or does not read on.

    Nothing is queued: the generator rests while the connection's buffer is full.
    """

    __slots__ = ("_chunks",)

    def __init__(
        self, chunks: AsyncGenerator[bytes, None], media: bytes = EVENT_STREAM, extra: tuple[Header, ...] = ()
    ) -> None:
        """Stream ``chunks``, which is closed in any case."""
        super().__init__(b"", 200, media, (*extra, (b"x-accel-buffering", b"no")))
        self.headers = [header for header in self.headers if header[0] != b"content-length"]
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end."""
        del scope
        sending = asyncio.create_task(self._send(send), name="web.stream")
        leaving = asyncio.create_task(_gone(receive), name="web.stream.client")
        try:
            await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            sending.cancel()
            await asyncio.wait([sending, leaving])
        if not sending.cancelled() and (error := sending.exception()) is not None:
            raise error

    async def _send(self, send: Send) -> None:
        start: HTTPResponseStartEvent = {"type": "http.response.start", "status": self.status, "headers": self.headers}
        await send(start)
        async with aclosing(self._chunks) as chunks:
            try:
                async for chunk in chunks:
                    async with asyncio.timeout(WRITE_WAIT_S):
                        await send(_part(chunk, more=True))
            except TimeoutError:
                return
        await send(_part(b"", more=False))


def _part(body: bytes, *, more: bool) -> HTTPResponseBodyEvent:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def _gone(receive: Receive) -> None:
    """Return when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
