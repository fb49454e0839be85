"""A wire between a client and a box that breaks as it is told: a real TCP relay on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import enum
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


class Fault(enum.Enum):
    """What becomes of one connection."""

    NONE = "none"
    HANG_UP = "hang up before anything is read"
    CUT_ANSWER = "the box answers, and nothing of it arrives"
    HALF_ANSWER = "the answer breaks off in its middle"
    SILENCE = "the box answers, and the wire stays open and silent"
    RESET = "the request is cut in its middle and never reaches the box"


@dataclass
class CutLine:
    """A relay to a box; each connection has the next of the faults, then none."""

    box: tuple[str, int]
    faults: list[Fault] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    delivered: int = 0
    """Requests that reached the box."""
    serving: set[asyncio.Task[None]] = field(default_factory=set)
    """Python 3.11 itself holds no task of a connection: one that waits could be collected."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)
        self.connections += 1
        fault = self.faults.pop(0) if self.faults else Fault.NONE
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if fault is not Fault.HANG_UP:
                await self._relay(fault, reader, writer)
        writer.close()

    async def _relay(self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await _message(reader)
            if fault is Fault.RESET:
                return
            self.delivered += 1
            answer = await self._ask(request)
            if fault is Fault.CUT_ANSWER:
                return
            if fault is Fault.SILENCE:
                await reader.read()  # until the client gives up
                return
            writer.write(answer[: len(answer) // 2] if fault is Fault.HALF_ANSWER else answer)
            await writer.drain()
            if fault is not Fault.NONE:
                return

    async def _ask(self, request: bytes) -> bytes:
        """Have the box answer in full, whatever the client is to see of it."""
        reader, writer = await asyncio.open_connection(*self.box)
        writer.write(request)
        try:
            return await _message(reader)
        finally:
            writer.close()
            await writer.wait_closed()


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return head + await reader.readexactly(length)


@contextlib.asynccontextmanager
async def cut_line(box: tuple[str, int], *faults: Fault) -> AsyncIterator[CutLine]:
    """Relay until the block ends."""
    line = CutLine(box, list(faults))
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        server.close()
        await server.wait_closed()


class Pipe:
    """A relay of octets in both directions, which can be cut at any moment."""

    def __init__(self, box: tuple[str, int]) -> None:
        self.box = box
        self.port = 0
        self.opened = 0
        self.passed = bytearray()
        """All that the box said."""
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Cut every connection there is."""
        for writer in self._writers:
            writer.transport.abort()

    def end(self) -> None:
        """End every connection after what has passed by now."""
        for writer in self._writers:
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        theirs, ours = await asyncio.open_connection(*self.box)
        self._writers |= {writer, ours}
        await asyncio.gather(_pump(reader, ours), _pump(theirs, writer, self.passed))
        self._writers -= {writer, ours}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passed: bytearray | None = None) -> None:
    with contextlib.suppress(ConnectionError):
        while octets := await reader.read(65_536):
            writer.write(octets)
            if passed is not None:
                passed += octets
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def pipe(box: tuple[str, int]) -> AsyncIterator[Pipe]:
    """Relay until the block ends."""
    line = Pipe(box)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        line.cut()
        server.close()
        await server.wait_closed()
