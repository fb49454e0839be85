"""Real ptys and both event loops."""

import asyncio
import contextlib
import os
import subprocess
import tty
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import pytest
import uvloop

from modembank.port import Port, PortConfig, PortError, PortFailure


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


@contextlib.contextmanager
def bystander() -> Iterator[int]:
    """Another live program, called "cat", by its pid. It has answered once, so that its name is its own already."""
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        try:
            other.stdin.write(b"!")
            assert other.stdout.read(1) == b"!"
            yield other.pid
        finally:
            other.kill()


async def jam(port: Port) -> int:
    """Write until the peer's buffers are full for good; returns how many octets the port took."""
    taken = 0
    while True:
        taken += _fill(port)
        # The kernel moves octets to the other end a moment later: only if none move is it jammed.
        try:
            await port.drain(0.2)
        except PortError:
            return taken


def _fill(port: Port) -> int:
    taken = 0
    while True:
        try:
            port.write(b"0123456789abcdef" * 64)
        except PortError as error:
            if error.failure is not PortFailure.STUCK:
                raise
            return taken
        taken += 1024


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


@pytest.fixture(name="jam")
def jam_fixture() -> Callable[[Port], Awaitable[int]]:
    return jam


@pytest.fixture(name="bystander")
def bystander_fixture() -> Callable[[], contextlib.AbstractContextManager[int]]:
    return bystander
