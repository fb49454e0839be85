"""Webhooks on a real store, with a sender, an admin, and couriers that do not wait for long."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fakes.hooks import Hook
from fakes.web_boxes import Box, make_box
from modembank.accounts import LOCAL_ADMIN, Actor, Role, Scope
from modembank.accounts.model import ROLE_SCOPES
from modembank.eventlog import Entry, append
from modembank.outgoing import circuit
from modembank.webhooks import NewWebhook, courier


async def within(look: Callable[[], Awaitable[Any]], holds: Callable[[Any], Any]) -> Any:
    """Look until it is so, for so long at most; couriers note what they did in writes that nobody is told of."""
    async with asyncio.timeout(20):
        while not holds(found := await look()):
            await asyncio.sleep(0.02)
    return found


@dataclass
class Post:
    """A box, its people, and an endpoint."""

    box: Box
    hook: Hook
    shop: Actor
    admin: Actor
    made: list[str] = field(default_factory=list)
    noted: int = 0

    async def add(self, *events: str, actor: Actor | None = None, **more: Any) -> str:
        """Make a webhook to the endpoint and return its id; the endpoint learns the secret."""
        wanted = NewWebhook(self.hook.url, events or ("*",), allow_private=True, user="shop", **more)
        made = await self.box.webhooks.create(actor or self.admin, wanted)
        self.hook.secrets.append(made.secret)
        return made.id

    async def happen(self, *subjects: int, kind: str = "message.delivered", user: int | None = None) -> None:
        """Let events be logged, each of a message that was deleted meanwhile."""
        whose = self.shop.user_id if user is None else user
        entries = [Entry(round(self.box.clock.now() * 1000), kind, whose, subject) for subject in subjects]
        await self.box.store.write(lambda conn: append(conn, entries))
        self.box.events.wake()

    async def view(self, webhook: str) -> Any:
        return await self.box.webhooks.get(self.admin, webhook)

    async def until(self, webhook: str, holds: Callable[[Any], Any]) -> Any:
        """Return how a webhook does, once it is so."""
        return await within(lambda: self.view(webhook), holds)

    async def until_retries(self, holds: Callable[[Any], Any]) -> list[tuple[Any, ...]]:
        """Return what waits to be told again, once it is so."""
        found: list[tuple[Any, ...]] = await within(self.retries, holds)
        return found

    async def retries(self) -> list[tuple[Any, ...]]:
        return await self.box.store.fetch_all("SELECT event_id, tries, last_error FROM webhook_retries ORDER BY 1")

    async def audited(self) -> list[tuple[str, Any]]:
        rows = await self.box.store.fetch_all("SELECT action, detail FROM audit WHERE action LIKE 'webhook.%'")
        return [(action, json.loads(detail)) for action, detail in rows]


@pytest.fixture
async def post(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A box whose couriers run, and an endpoint that is up."""
    for name, seconds in {"FIRST_WAIT_S": 0.05, "MOST_WAIT_S": 0.2, "FIRST_RETRY_S": 0.05}.items():
        monkeypatch.setattr(circuit, name, seconds)
    monkeypatch.setattr(courier, "LOOK_S", 0.1)
    box = await make_box(tmp_path)
    hook = await Hook().up()
    shop = await box.accounts.add_user(LOCAL_ADMIN, "shop", Role.SENDER)
    root = await box.accounts.add_user(LOCAL_ADMIN, "root", Role.ADMIN)
    box.events.start()
    await box.webhooks.start()
    yield Post(
        box, hook,
        Actor(shop.id, "shop", Role.SENDER, ROLE_SCOPES[Role.SENDER], "192.0.2.7"),
        Actor(root.id, "root", Role.ADMIN, frozenset(Scope), "192.0.2.8"),
    )  # fmt: skip
    box.events.stop()
    await box.webhooks.stop()
    await hook.down()
    await box.store.close()
