"""A real box behind a real server on loopback, and both clients of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fakes.web_boxes import Box, make_box
from modembank.client import AsyncClient, Client, Retry
from modembank.config import WebConfig
from modembank_web import serve

QUICK = Retry(tries=5, first_s=0.01, most_s=0.05, longest_wait_s=2.0)


@dataclass
class Served:
    """A box that answers on a port."""

    box: Box
    address: tuple[str, int]
    key: str

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    async def stored(self) -> int:
        """How many messages it has accepted."""
        counts: dict[str, int] = await self.box.messages.counts()
        return sum(counts.values())


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    box = await make_box(tmp_path)
    server = await serve(box.web, WebConfig(listen="127.0.0.1:0"))
    yield Served(box, server.address, await box.key())
    assert await server.stop()
    await box.store.close()


class Either:
    """One of the two clients, used alike: the one without asyncio works in threads."""

    def __init__(self, kind: str, url: str, key: str, **more: Any) -> None:
        more = {"retry": QUICK, "timeout_s": 5.0, **more}
        self.client: Any = Client(url, key, **more) if kind == "sync" else AsyncClient(url, key, **more)

    async def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method and return its result."""
        call = getattr(self.client, method)
        if isinstance(self.client, Client):
            return await asyncio.to_thread(call, *args, **kwargs)
        result: Awaitable[Any] = call(*args, **kwargs)
        return await result

    async def list(self, method: str, *args: Any, most: int = 1000, **kwargs: Any) -> list[Any]:
        """Return what a method goes through, at most so many."""
        found = getattr(self.client, method)(*args, **kwargs)
        if isinstance(self.client, Client):
            return await asyncio.to_thread(lambda: [item for item, _ in zip(found, range(most), strict=False)])
        items = []
        async for item in found:
            items.append(item)
            if len(items) == most:
                break
        await found.aclose()
        return items

    async def close(self) -> None:
        if isinstance(self.client, Client):
            self.client.close()
        else:
            await self.client.aclose()


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the two."""
    return str(request.param)


@pytest.fixture
async def client(kind: str, served: Served) -> AsyncIterator[Either]:
    """A client with an admin's key."""
    either = Either(kind, served.url, served.key)
    yield either
    await either.close()
