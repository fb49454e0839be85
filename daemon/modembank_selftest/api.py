"""The smallest HTTP client that the proof needs: one request a connection, over the daemon's local socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_LIMIT = 64 << 20
_WITHIN_S = 30.0


class Broken(Exception):
    """The run itself cannot go on: the daemon does not start, ends without having been killed, or answers nonsense."""


class Gone(Exception):
    """The daemon went away before it answered: whether it did what was asked is not known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, decoded body (text, where it is not JSON), and headers by their names in small letters."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class Api:
    """Asks the daemon behind one socket."""

    def __init__(self, socket: Path) -> None:
        """Use this socket, whoever listens there."""
        self._socket = socket
        self.within_s = _WITHIN_S
        self.headers: tuple[str, ...] = ()
        """What every request carries, such as a key."""

    async def get(self, path: str) -> Answer:
        """GET; raises Gone."""
        return await self._ask("GET", path, b"", ())

    async def post(self, path: str, body: object, *, key: str | None = None) -> Answer:
        """POST JSON, under an idempotency key when given; raises Gone."""
        headers = ("Content-Type: application/json", *((f"Idempotency-Key: {key}",) if key else ()))
        return await self._ask("POST", path, json.dumps(body).encode(), headers)

    async def pages(self, path: str) -> list[dict[str, Any]]:
        """Return all items of a list, page by page; raises Gone."""
        items: list[dict[str, Any]] = []
        address: str | None = path
        while address is not None:
            answer = await self.get(address)
            items += answer.body["items"]
            address = answer.body["next"]
        return items

    async def _ask(self, method: str, path: str, body: bytes, headers: tuple[str, ...]) -> Answer:
        lines = (
            f"{method} {path} HTTP/1.1",
            "Host: box",
            "Connection: close",
            f"Content-Length: {len(body)}",
            *self.headers,
            *headers,
        )
        request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        try:
            async with asyncio.timeout(self.within_s):
                return _parsed(await self._exchange(request))
        except (OSError, EOFError, TimeoutError) as error:
            raise Gone(repr(error)) from error

    async def _exchange(self, request: bytes) -> bytes:
        reader, writer = await self._connect(_LIMIT)
        try:
            writer.write(request)
            await writer.drain()
            return await reader.read(-1)
        finally:
            writer.close()

    async def _connect(self, limit: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(self._socket, limit=limit)


def _parsed(raw: bytes) -> Answer:
    head, separator, content = raw.partition(b"\r\n\r\n")
    if not separator:
        raise EOFError
    pairs = (line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:])
    headers = {name.lower(): value for name, value in pairs}
    if "chunked" in headers.get("transfer-encoding", ""):
        content = _joined(content)
    elif len(content) < int(headers.get("content-length", "0")):
        raise EOFError
    text = content.decode()
    is_json = "json" in headers.get("content-type", "")
    return Answer(int(head.split(b" ", 2)[1]), json.loads(text) if is_json and text else text, headers)


def _joined(chunks: bytes) -> bytes:
    """Put a chunked body together (RFC 9112 clause 7.1); raises EOFError when its end is missing."""
    whole = b""
    while True:
        size, separator, rest = chunks.partition(b"\r\n")
        if not separator:
            raise EOFError
        length = int(size.split(b";")[0], 16)
        if not length:
            return whole
        if len(rest) < length + 2:
            raise EOFError
        whole += rest[:length]
        chunks = rest[length + 2 :]
