"""Providers with an HTTP API that behave as their script says, over real sockets; and what adapters are given."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from fakes.endpoints import ok
from modembank.clock import SystemClock
from modembank.providers.model import Arrival, Call, Means, Receipt, SecretMissing


@dataclass
class Got:
    """One request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    def json(self):
        return json.loads(self.body)


@dataclass
class Talk:
    """What an act has to do with."""

    provider: "Provider"
    got: Got
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


Act = Callable[[Talk], Awaitable[None]]


@dataclass
class Provider:
    """Does the next act of its script with each request; the last one goes on."""

    script: list[Act]
    port: int = 0
    requests: list[Got] = field(default_factory=list)
    connections: int = 0
    messages: dict[str, dict] = field(default_factory=dict)
    """By idempotency key, for acts that know them."""

    def url(self, path: str = "/send") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@contextlib.asynccontextmanager
async def provider(*script: Act, tls=None) -> AsyncIterator[Provider]:
    """Serve until the block ends."""
    found = Provider(list(script))
    talks: set[asyncio.Task] = set()

    async def serve(reader, writer):
        task = asyncio.current_task()
        talks.add(task)
        found.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            got = await _read(reader)
            act = found.script[min(len(found.requests), len(found.script) - 1)]
            found.requests.append(got)
            await act(Talk(found, got, reader, writer))
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        talks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in list(talks):
            task.cancel()
        if talks:
            await asyncio.wait(talks, timeout=5)
        for _ in range(3):
            await asyncio.sleep(0)  # what failed in its handshake is closed by then


async def _read(reader: asyncio.StreamReader) -> Got:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    method, target, _ = first.split(" ")
    return Got(method, target, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def says(document=None, status: str = "200 OK", *headers: bytes) -> Act:
    """Answer with JSON, or with octets as they are."""
    body = document if isinstance(document, bytes) else b"" if document is None else json.dumps(document).encode()
    return raw(ok(body, *headers, status=status.encode()))


def raw(octets: bytes) -> Act:
    """Write octets and hang up."""

    async def act(talk: Talk) -> None:
        talk.writer.write(octets)
        await talk.writer.drain()

    return act


def hangs_up() -> Act:
    """Take the request and say nothing."""
    return raw(b"")


def resets() -> Act:
    """Take the request and reset the connection."""

    async def act(talk: Talk) -> None:
        linger = struct.pack("ii", 1, 0)
        talk.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        talk.writer.transport.abort()

    return act


def silent() -> Act:
    """Take the request and keep the connection."""

    async def act(talk: Talk) -> None:
        await asyncio.Event().wait()

    return act


def drips(head: bytes) -> Act:
    """Begin an answer, and go on by an octet now and then."""

    async def act(talk: Talk) -> None:
        talk.writer.write(head)
        while True:
            talk.writer.write(b" ")
            await talk.writer.drain()
            await asyncio.sleep(0.01)

    return act


def pours(head: bytes = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n") -> Act:
    """Answer without an end."""

    async def act(talk: Talk) -> None:
        talk.writer.write(head)
        for _ in range(1_000):
            talk.writer.write(b'{"id": "' + b"x" * 65_536)
            await talk.writer.drain()

    return act


def takes_by_key(key_of: Callable[[Got], str], then: Act | None = None) -> Act:
    """Take a message once for each key and answer its id; ``then`` spoils the answer after the message was taken."""

    async def act(talk: Talk) -> None:
        key = key_of(talk.got)
        known = talk.provider.messages.setdefault(key, {"id": f"m-{len(talk.provider.messages) + 1}", "times": 0})
        known["times"] += 1
        await (then or says({"id": known["id"]}))(talk)

    return act


def a_port_where_nothing_listens() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@dataclass
class Gate:
    """Opens, or does not, and counts how often it was asked."""

    opens: bool = True
    asked: int = 0
    before: Callable[[], Awaitable[None]] | None = None

    async def __call__(self) -> bool:
        self.asked += 1
        if self.before is not None:
            await self.before()
        return self.opens


@dataclass
class Taken:
    """A sink that remembers, durable as the database is: twice is once."""

    told: list[Receipt | Arrival] = field(default_factory=list)

    async def receipt(self, receipt: Receipt) -> None:
        self.told.append(receipt)

    async def arrival(self, arrival: Arrival) -> None:
        if arrival not in self.told:
            self.told.append(arrival)


def means_with(clock=None, sink: Taken | None = None, *, allow_private: bool = True, **secrets: str) -> Means:
    """Return what adapters are given; secrets that are not named are missing."""

    def secret(name: str) -> str:
        if name not in secrets:
            raise SecretMissing(why=f"there is no secret named {name}: put it into a file of that name")
        return secrets[name]

    return Means(clock or SystemClock(), sink or Taken(), secret, allow_private)


def call(body: bytes | dict | list = b"", method: str = "POST", query=None, **headers: str) -> Call:
    """Return a call; names of headers are written with _ for -."""
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Call(method, query or {}, named, octets, "198.51.100.7")
