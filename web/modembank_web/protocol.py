"""What uvicorn leaves open: how long a request's head may be and take, and how octets that are no HTTP are refused."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from modembank_web.answer import Answer
from modembank_web.problems import BY_KEY, Failure, new_tracking_id, problem_answer

HEAD_LIMIT = 64 * 1024
"""Octets of a request's line and headers; more are read only as far as one read of the socket brings them."""
HEAD_WAIT_S = 30.0
"""From a connection's or a request's beginning to the end of its head; who only holds a place open is sent away."""
MOST_CONNECTIONS = 2_000
"""Connections, and requests in hand, at once; what comes beyond it is refused at once."""
_CLOSE = (b"connection", b"close")


async def _too_busy(scope: Any, receive: Any, send: Any) -> None:
    """Refuse one request, as an ASGI application."""
    why = f"more than {MOST_CONNECTIONS} connections or requests at once; this one was not read"
    failure = Failure(BY_KEY["too_busy"], why, {}, (), BY_KEY["too_busy"].headers)
    await problem_answer(failure, scope["path"], new_tracking_id())(scope, receive, send)


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take what uvicorn gives."""
        super().__init__(*args, **kwargs)
        self._application = self.app
        self._in_head = False
        self._head_octets = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Expect a request soon."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._no_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless a head has grown beyond its limit: without one, a stranger could fill the memory."""
        went_on = self._in_head
        super().data_received(data)
        if self._in_head and self._deadline is None:  # most heads come in one piece and need no timer
            self._expect_head()
        self._head_octets = self._head_octets + len(data) if went_on and self._in_head else 0
        if self._head_octets > HEAD_LIMIT:
            self._refuse("head_too_large", f"the request line and headers are longer than {HEAD_LIMIT} octets")

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that it ended."""
        self._in_head = False
        self._no_deadline()
        self.app = self._application if self._has_room() else _too_busy
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; uvicorn calls this, with words of its own."""
        del msg
        self._refuse("bad_request", "what came is not HTTP/1.1")

    def _has_room(self) -> bool:
        return len(self.connections) <= MOST_CONNECTIONS and len(self.tasks) < MOST_CONNECTIONS

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_WAIT_S, self._too_slow)

    def _no_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        self._refuse("request_timeout", f"no request line and headers came within {HEAD_WAIT_S:g} seconds")

    def _refuse(self, key: str, why: str) -> None:
        """Refuse and hang up, but only when all that was asked for before has been answered.

        Who does not hear that a message was accepted would send it again.
        """
        if self.transport.is_closing():
            return
        kind = BY_KEY[key]
        latest: Any = self.cycle  # None before the first request, whatever uvicorn declares
        failure = Failure(kind, why, {}, (), tuple(dict.fromkeys((*kind.headers, _CLOSE))))
        answer = problem_answer(failure, "", new_tracking_id())
        if latest is None or latest.response_complete or (latest.more_body and not self.pipeline):
            self._write(answer)
        elif latest.more_body:
            self.pipeline[0] = (latest, answer)  # type: ignore[assignment]  # an Answer is an application
        else:
            latest.keep_alive = False

    def _write(self, answer: Answer) -> None:
        lines = [b"%b: %b\r\n" % header for header in answer.headers]
        self.transport.write(b"".join((STATUS_LINE[answer.status], *lines, b"\r\n", answer.body)))
        self.transport.close()
