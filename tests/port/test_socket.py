"""A modem behind ``socket://``: the same contract over TCP."""

import asyncio

import pytest

from modembank.port import PortConfig, PortError, PortFailure, open_port


class Host:
    """A TCP end that keeps its one connection in hand."""

    def __init__(self) -> None:
        self.connected = asyncio.Event()
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.connected.set()


async def connected(ear):
    host = Host()
    server = await asyncio.start_server(host, "127.0.0.1", 0, limit=4096)
    number = server.sockets[0].getsockname()[1]
    port = await open_port(PortConfig(f"socket://127.0.0.1:{number}"), on_data=ear.on_data, on_lost=ear.on_lost)
    await host.connected.wait()
    return host, server, port


async def test_octets_both_ways(ear) -> None:
    host, server, port = await connected(ear)
    port.write(b"AT\r")
    assert await host.reader.readexactly(3) == b"AT\r"
    host.writer.write(b"\r\nOK\r\n")
    await ear.until(lambda: bytes(ear.data) == b"\r\nOK\r\n")
    await port.drain(5)
    port.close()
    await port.wait_closed()
    assert ear.losses == [None]
    host.writer.close()
    server.close()


async def test_a_host_that_hangs_up(ear) -> None:
    host, server, port = await connected(ear)
    host.writer.close()
    await ear.until(lambda: bool(ear.losses))
    assert ear.losses[0].failure is PortFailure.GONE
    with pytest.raises(PortError):
        port.write(b"AT\r")
    server.close()


async def test_a_host_that_stops_reading(ear, jam) -> None:
    host, server, port = await connected(ear)
    await jam(port)
    with pytest.raises(PortError):
        await port.drain(0.05)
    port.close()
    await port.wait_closed()
    host.writer.transport.abort()
    server.close()
