"""A host on the other end of the pty, as raw as it gets."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from modembank_emulator import Bank, BankConfig, EmulatedModem

FINAL = rb"(?:^|[\r\n])(OK|ERROR|\+CM[ES] ERROR: [^\r\n]+)\r+\n"
SUBMIT = (
    "0011000B915155000000F50000FF13C8329BFD0699E5EF36E81C6EB7EBA04D19"  # to +15550000005, "Hello from gammu" + euro
)


class HostPort:
    """Opens a modem's port without any terminal setting of its own and collects what comes."""

    def __init__(self, modem: EmulatedModem) -> None:
        self.modem = modem
        self.buffer = bytearray()
        self.hung_up = False
        self.written = 0
        self._came = asyncio.Event()
        self._fd = -1
        self.open(modem.path)

    def open(self, path: Path) -> None:
        self.hung_up = False
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def close(self) -> None:
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def send(self, octets: bytes | str) -> None:
        octets = octets.encode("latin-1") if isinstance(octets, str) else octets
        assert os.write(self._fd, octets) == len(octets)
        self.written += len(octets)

    def try_send(self, octets: bytes) -> int:
        try:
            return os.write(self._fd, octets)
        except BlockingIOError:
            return 0

    async def until(self, pattern: bytes) -> bytes:
        """What came up to and with the first match, which is consumed."""
        async with asyncio.timeout(10):
            while (found := re.search(pattern, self.buffer)) is None:
                assert not self.hung_up, bytes(self.buffer)
                self._came.clear()
                await self._came.wait()
        octets = bytes(self.buffer[: found.end()])
        del self.buffer[: found.end()]
        return octets

    async def command(self, line: str) -> str:
        """Send a line; everything up to its final result as text with plain line ends."""
        self.send(line + "\r")
        octets = await self.until(FINAL)
        return re.sub(r"[\r\n]+", "\n", octets.decode("latin-1")).strip()

    async def swallowed(self) -> None:
        """Return once the modem has read every byte written so far."""
        async with asyncio.timeout(10):
            while self.modem.terminal.received < self.written:
                await asyncio.sleep(0)

    async def silent(self, octets: bytes | str) -> None:
        """Send, and check that the modem read it and wrote nothing."""
        await self.swallowed()
        before = self.modem.terminal.sent
        self.send(octets)
        await self.swallowed()
        assert self.modem.terminal.sent == before

    async def submit(self, pdu: str = SUBMIT) -> str:
        """CMGS with prompt; everything up to the final result."""
        smsc = int(pdu[:2], 16)
        self.send(f"AT+CMGS={len(pdu) // 2 - 1 - smsc}\r")
        await self.until(rb"> $")
        self.send(pdu + "\x1a")
        return re.sub(r"[\r\n]+", "\n", (await self.until(FINAL)).decode("latin-1")).strip()

    async def gone(self) -> None:
        async with asyncio.timeout(10):
            while not self.hung_up:
                self._came.clear()
                await self._came.wait()

    def _read(self) -> None:
        try:
            octets = os.read(self._fd, 65536)
        except OSError:
            octets = b""
        if not octets:
            self.hung_up = True
            asyncio.get_running_loop().remove_reader(self._fd)
        self.buffer += octets
        self._came.set()


@pytest.fixture
async def make_bank() -> AsyncIterator[Callable[..., object]]:
    """Start banks that end with the test."""
    banks: list[Bank] = []

    async def make(**config: object) -> Bank:
        bank = await Bank(BankConfig(**{"modems": 2, "dialect": "generic", **config})).__aenter__()  # type: ignore[arg-type]
        banks.append(bank)
        return bank

    yield make
    for bank in banks:
        await bank.__aexit__(None, None, None)


@pytest.fixture
async def attach() -> AsyncIterator[Callable[..., object]]:
    """Open ports; each gets ATE0 unless asked otherwise."""
    ports: list[HostPort] = []

    async def open_port(modem: EmulatedModem, *, quiet: bool = True) -> HostPort:
        port = HostPort(modem)
        ports.append(port)
        if quiet:
            await port.command("ATE0")
        return port

    yield open_port
    for port in ports:
        port.close()
