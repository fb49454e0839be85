"""SMSCs that others wrote: one of Debian's Net::SMPP, and Kannel's own for testing its client."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from fakes.brokers import free_port
from fakes.esmes import until

NET_SMPP = Path(__file__).with_name("net_smpp_smsc.pl")
DRIVE_SMPP = "/usr/lib/kannel/test/drive_smpp"
SMSBOX_PORT = 13001
"""Where drive_smpp looks for a bearerbox, and gives up without one."""


@dataclass
class Peer:
    """A process and what it said."""

    port: int
    lines: list[str] = field(default_factory=list)

    def said(self, word: str) -> list[dict[str, bytes]]:
        """Return the fields of each line that begins with a word."""
        found = [line.split(" ") for line in self.lines]
        return [
            {name: bytes.fromhex(value) for name, _, value in (item.partition("=") for item in items)}
            for first, *items in found
            if first == word
        ]


@contextlib.asynccontextmanager
async def _process(*command: str, port: int = 0) -> AsyncIterator[Peer]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    peer = Peer(port)

    async def read() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            peer.lines.append(line.decode("utf-8", "replace").rstrip("\n"))

    reading = asyncio.create_task(read())
    try:
        yield peer
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


@contextlib.asynccontextmanager
async def net_smpp() -> AsyncIterator[Peer]:
    """Run it until the block ends."""
    async with _process("perl", str(NET_SMPP)) as peer:
        await until(lambda: peer.lines)
        word, _, port = peer.lines[0].partition(" ")
        assert word == "port", peer.lines
        peer.port = int(port)
        yield peer


@contextlib.asynccontextmanager
async def drive_smpp(messages: int) -> AsyncIterator[Peer]:
    """Run Kannel's until the block ends; it delivers so many messages to the first receiver that binds."""

    async def bearerbox(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    async with contextlib.AsyncExitStack() as stack:
        with contextlib.suppress(OSError):  # somebody else listens there: that will do
            await stack.enter_async_context(await asyncio.start_server(bearerbox, "127.0.0.1", SMSBOX_PORT))
        port = free_port()
        command = (DRIVE_SMPP, "-v", "0", "-p", str(port), "-m", str(messages))
        peer = await stack.enter_async_context(_process(*command, port=port))
        await until(lambda: any("Starting drive_smpp" in line for line in peer.lines))
        yield peer
