"""Following the box's events: server-sent events without I/O, and coming back where one was."""

from __future__ import annotations

import msgspec

from modembank.client.calls import path_of, read, with_query
from modembank.client.errors import Unreachable, error_of
from modembank.client.exchange import Give, Items, Lost, Open, Read, Request, Response, Retry, Wait, retry_after_s
from modembank.client.shapes import Event

SILENCE_S = 45.0
"""The box says something every 15 seconds; after three times that the connection is given up for dead."""
LONGEST_LINE = 1_000_000
"""Octets; what is longer is no event of ours."""


class EventReader(msgspec.Struct):
    """Server-sent events from octets, however they are cut (HTML standard, clause 9.2.6)."""

    last_id: str = ""
    """Of the last event that came whole: where to go on."""
    retry_s: float | None = None
    """How long to wait before coming back, once the box has said so."""
    _rest: bytes = b""
    _data: list[str] = msgspec.field(default_factory=list)
    _id: str | None = None
    _started: bool = False

    def feed(self, octets: bytes) -> list[str]:
        """Return the data of each event that ends within these octets."""
        *lines, self._rest = _lines(self._rest + octets)
        if len(self._rest) > LONGEST_LINE:
            self._rest = b""
        found = []
        for line in lines:
            text = line.decode("utf-8", "replace")
            if not self._started:
                self._started, text = True, text.removeprefix("\ufeff")
            if text:
                self._field(text)
            else:
                found += self._ended()
        return found

    def _ended(self) -> list[str]:
        if self._id is not None:
            self.last_id = self._id
        data = ["\n".join(self._data)] if self._data else []
        self._data.clear()
        return data

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_s = min(int(value[:9]) / 1000, 60.0)

    def broken_off(self) -> None:
        """Forget what had begun: it comes again after the reconnection."""
        self._rest, self._started, self._id = b"", False, None
        self._data.clear()


def _lines(octets: bytes) -> list[bytes]:
    """Split at CR LF, LF and CR; a CR at the very end may yet be half of a line end and stays in the rest."""
    held = b"\r" if octets.endswith(b"\r") else b""
    parts = octets.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    parts[-1] += held
    return parts


def events(retry: Retry, /, *, types: str | None = None, last_event_id: str = "") -> Items[Event]:
    """Follow what happens, without an end; after a broken connection it goes on after the last event given.

    ``types`` are patterns separated by commas, such as ``message.*``. Without a ``last_event_id`` it begins with what
    happens from now on. Raises BoxError for a refusal, Unreachable when the box cannot be reached any more.
    """
    reader = EventReader(last_event_id)
    failed = 0
    while True:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": reader.last_id} if reader.last_id else {})
        path = with_query(path_of("events"), {"types": types})
        came: Response | Lost = yield Open(Request("GET", path, None, headers, SILENCE_S))
        if isinstance(came, Response):
            if came.status != 200:
                pause_s = _pause_s(came, failed, retry)
                failed += 1
                yield Wait(pause_s)
                continue
            failed = 0
            yield from _events(reader)
            reader.broken_off()
            yield Wait(retry.first_s if reader.retry_s is None else min(reader.retry_s, retry.most_s))
            continue
        failed += 1
        if failed >= retry.tries:
            raise Unreachable(came.reason, maybe_done=False)
        yield Wait(retry.pause_s(failed))


def _events(reader: EventReader) -> Items[Event]:
    while True:
        octets: bytes | Lost | None = yield Read()
        if not isinstance(octets, bytes):
            return
        for data in reader.feed(octets):
            yield Give(read(Event, data.encode()))


def _pause_s(response: Response, failed: int, retry: Retry) -> float:
    """Return how long to wait before trying again after a refusal; raises it as a BoxError when it is final."""
    asked_s = retry_after_s(response.headers)
    passing = response.status in {429, 502, 503, 504} and (asked_s or 0) <= retry.longest_wait_s
    if not passing or failed + 1 >= retry.tries:
        raise error_of(response.status, response.body, asked_s)
    return max(asked_s or 0.0, retry.pause_s(failed + 1))
