"""The official Twilio client, pointed at a box, and an endpoint as its users write them: it checks signatures."""

import asyncio
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from twilio.request_validator import RequestValidator
from twilio.rest import Client

from fakes.endpoints import ok

XML = b"content-type: text/xml"


class Clerk:
    """The client, away from the event loop that serves it."""

    def __init__(self, url: str, sid: str, token: str) -> None:
        self.client = Client(sid, token)
        self.client.api.base_url = url

    async def send(self, **fields):
        return await asyncio.to_thread(self.client.messages.create, **fields)

    async def fetch(self, sid):
        return await asyncio.to_thread(self.client.messages(sid).fetch)

    async def list(self, **fields):
        return await asyncio.to_thread(self.client.messages.list, **fields)

    async def page(self, **fields):
        return await asyncio.to_thread(self.client.messages.page, **fields)

    async def update(self, sid, **fields):
        return await asyncio.to_thread(self.client.messages(sid).update, **fields)

    async def delete(self, sid):
        return await asyncio.to_thread(self.client.messages(sid).delete)


@dataclass
class Desk:
    """Takes what is posted, and answers as it is told."""

    token: str = ""
    status: bytes = b"200 OK"
    answer: bytes = b""
    refuse: dict[str, bytes] = field(default_factory=dict)
    """Path to the status with which posts to it are refused."""
    stumbles_over: set[str] = field(default_factory=set)
    """Sids of messages of which it takes nothing."""
    got: list[dict] = field(default_factory=list)
    """Forms that were taken, in order."""
    tried: list[dict] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    _server: asyncio.Server | None = None

    def url(self, path: str = "/status") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def up(self) -> "Desk":
        """Listen, on the port it had before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def down(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def statuses(self, sid: str) -> list[str]:
        """Return what was told of a message, in order, repetitions left out."""
        return list(dict.fromkeys(form["MessageStatus"] for form in self.got if form.get("MessageSid") == sid))

    async def until(self, holds) -> None:
        """Return once ``holds()``, asking after every post."""
        async with asyncio.timeout(20):
            while not holds():
                self.news.clear()
                await self.news.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines if line)}
            body = (await reader.readexactly(int(headers["content-length"]))).decode()
            form = dict(parse_qsl(body, keep_blank_values=True))
            path = first.split(" ")[1]
            signed = RequestValidator(self.token).validate(self.url(path), form, headers["x-twilio-signature"])
            assert signed, "the signature does not fit"
            self.tried.append(form)
            bad = form.get("MessageSid") in self.stumbles_over
            status = b"500 No" if bad else self.refuse.get(path, self.status)
            writer.write(ok(self.answer, XML, status=status))
            await writer.drain()
            if status.startswith(b"2"):
                self.got.append(form)
                self.paths.append(path)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.news.set()
