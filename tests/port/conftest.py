"""Real ptys and both event loops."""

import asyncio
import os
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import uvloop

from modembank.port import PortConfig, PortError


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every asynchronous test here runs under both loops."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@dataclass
class Wire:
    """The modem's end of a pty."""

    master: int
    path: str

    @property
    def config(self) -> PortConfig:
        return PortConfig(self.path, label="slot-01")

    def unplug(self) -> None:
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    async def read(self, count: int) -> bytes:
        """Exactly ``count`` octets that the port wrote."""
        data = b""
        while len(data) < count:
            await _ready(asyncio.get_running_loop().add_reader, asyncio.get_running_loop().remove_reader, self.master)
            data += os.read(self.master, count - len(data))
        return data

    async def write(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        while data:
            await _ready(loop.add_writer, loop.remove_writer, self.master)
            try:
                data = data[os.write(self.master, data) :]
            except BlockingIOError:
                continue


async def _ready(add: Callable[..., object], remove: Callable[[int], object], fd: int) -> None:
    done = asyncio.Event()
    add(fd, done.set)
    try:
        await done.wait()
    finally:
        remove(fd)


@dataclass
class Ear:
    """Collects what a port tells."""

    data: bytearray = field(default_factory=bytearray)
    losses: list[PortError | None] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def on_data(self, data: bytes) -> None:
        self.data += data
        self.changed.set()

    def on_lost(self, error: PortError | None) -> None:
        self.losses.append(error)
        self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
def wire() -> Iterator[Wire]:
    master, slave = os.openpty()
    tty.setraw(master)
    os.set_blocking(master, False)
    made = Wire(master, os.ttyname(slave))
    os.close(slave)
    yield made
    made.unplug()


@pytest.fixture
def ear() -> Ear:
    return Ear()
