"""The SMPP provider as the box runs it, and what it brings."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from modembank.clock import SystemClock
from modembank.providers.adapters import smpp
from modembank.providers.adapters.smpp_link import Link
from modembank.providers.model import Arrival, Channel, Means, Outbound, Receipt, Result, SecretMissing


async def until(holds: Callable[[], object], within_s: float = 10.0) -> None:
    """Wait until something holds; an error when it never does."""
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.002)


@dataclass
class Sink:
    """What came, once it is durable."""

    receipts: list[Receipt] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    fails: int = 0
    """So many of the next calls raise."""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """Nothing becomes durable until it is set."""

    def __post_init__(self) -> None:
        self.open.set()

    async def receipt(self, receipt: Receipt) -> None:
        await self._store()
        self.receipts.append(receipt)

    async def arrival(self, arrival: Arrival) -> None:
        await self._store()
        if arrival.key not in {one.key for one in self.arrivals}:
            self.arrivals.append(arrival)

    async def _store(self) -> None:
        await self.open.wait()
        if self.fails:
            self.fails -= 1
            raise OSError(28, "No space left on device")

    @property
    def texts(self) -> list[str]:
        return [arrival.text for arrival in self.arrivals]


@dataclass
class Esme:
    """A provider that runs."""

    provider: smpp.Smpp
    sink: Sink
    secrets: dict[str, str]
    running: asyncio.Task[None]
    gates: int = 0

    async def gate(self) -> bool:
        self.gates += 1
        return True

    async def send(self, text: str = "hello", recipient: str = "+491701234567", **more: Any) -> Result:
        return await self.provider.send(Outbound("key", Channel.SMS, recipient, text, **more), self.gate)

    async def ready(self) -> None:
        await until(lambda: self.provider.not_ready() is None)

    def narrowed(self) -> Link:
        """Return its session, of whose writing the kernel keeps little."""
        link = self.provider._link()
        assert link is not None
        link._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return link

    async def stop(self) -> None:
        self.running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.running


def settings(port: int = 2775, **more: Any) -> smpp.Settings:
    """Return checked settings for an SMSC on loopback."""
    wanted = {"host": "127.0.0.1", "port": port, "system_id": "box", "password_secret": "smsc", "source": "+4930123"}
    found = msgspec.convert(wanted | more, smpp.Settings)
    smpp.check(found)
    return found


@contextlib.asynccontextmanager
async def esme(
    port: int,
    *,
    password: str | None = "secret",
    secrets: dict[str, str] | None = None,
    ready: bool = True,
    **more: Any,
) -> AsyncIterator[Esme]:
    """Run a provider until the block ends; with ``ready`` from when it can send."""
    known = {} if password is None else {"smsc": password}
    known |= secrets or {}

    def secret(name: str) -> str:
        if name not in known:
            raise SecretMissing(why=f"there is no secret {name}")
        return known[name]

    sink = Sink()
    allowed = more.pop("allow_private", True)
    provider = smpp.make(settings(port, **more), Means(SystemClock(), sink, secret, allowed))
    found = Esme(provider, sink, known, asyncio.create_task(provider.run()))
    try:
        if ready:
            await found.ready()
        yield found
    finally:
        await found.stop()
