"""An endpoint for webhooks that does as it is told, and checks every signature with the public library."""

import asyncio
import json
from dataclasses import dataclass, field

from standardwebhooks import Webhook as Verifier

from fakes.endpoints import ok


@dataclass
class Hook:
    """Answers posts; ``answers`` says with what, by the event's type or id, or by default."""

    secrets: list[str] = field(default_factory=list)
    status: bytes = b"200 OK"
    headers: tuple[bytes, ...] = ()
    refuse: dict[str, bytes] = field(default_factory=dict)
    """Subject's id to the status with which its events are refused."""
    got: list[dict] = field(default_factory=list)
    """Events that were taken, in order."""
    tried: list[dict] = field(default_factory=list)
    raw: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    """Headers and body of each post, as they came."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def up(self) -> "Hook":
        """Listen, on the port it had before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def down(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def ids(self) -> list[str]:
        return [event["id"] for event in self.got]

    async def until(self, holds) -> None:
        """Return once ``holds()``, asking after every post."""
        async with asyncio.timeout(20):
            while not holds():
                self.news.clear()
                await self.news.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
            original = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
            body = await reader.readexactly(int(headers["content-length"]))
            self.raw.append((original, body))
            event = json.loads(body)
            for secret in self.secrets:
                Verifier(secret).verify(body, {name.lower(): value for name, value in original.items()})
            assert headers["webhook-id"] == event["id"].lower()
            self.tried.append(event)
            status = self.refuse.get(event["data"].get("id"), self.status)
            writer.write(ok(b"", *self.headers, status=status))
            await writer.drain()
            if status.startswith(b"2"):
                self.got.append(event)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.news.set()
