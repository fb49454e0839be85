"""A box with Home Assistant for tests: the link over a real store, and a Home Assistant that listens and commands."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from fakes.brokers import Mosquitto
from fakes.web_boxes import Box, make_box
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.config import HomeAssistantConfig, NotifyConfig
from modembank.home_assistant import HomeAssistant
from modembank_fleet.link import Backoff, Incoming, LinkError, Session, connect
from modembank_home_assistant import HomeAssistantLink

DOCUMENT = "homeassistant/device/modembank/config"
STATUS = "homeassistant/status"
JUNK = b"junk"
WITHIN_S = 20.0
GROUP = NotifyConfig("on-call", ("+447700900123", "+447700900124"), "home", name="On call")
USER = "home"


def home_config(port: int, **changes: Any) -> HomeAssistantConfig:
    """Return the section of a box whose broker is at a port of loopback."""
    given = {"url": f"mqtt://127.0.0.1:{port}", "every_s": 1, "notify": (GROUP,)}
    return HomeAssistantConfig(**given | changes)


async def home_box(folder: Path, port: int, **changes: Any) -> Box:
    """Assemble a box that Home Assistant is to find at a broker."""
    box = await make_box(folder)
    await box.accounts.add_user(LOCAL_ADMIN, USER, Role.SENDER)
    return configured(box, port, **changes)


def configured(box: Box, port: int, **changes: Any) -> Box:
    """Configure a box anew, as after a restart."""
    box.config = msgspec.structs.replace(box.config, home_assistant=home_config(port, **changes))
    box.home_assistant = HomeAssistant(box.config, box.clock)
    return box


@asynccontextmanager
async def link_of(box: Box, **more: Any) -> AsyncIterator[HomeAssistantLink]:
    """Run a box's link inside the block; tries come fast, and without jitter."""
    link = HomeAssistantLink(box, backoff=Backoff(0.05), draw=lambda low, _: low, **more)  # type: ignore[arg-type]  # the parts that it uses
    await link.start()
    try:
        yield link
    finally:
        await link.stop()


async def until(true: Callable[[], Any], within_s: float = WITHIN_S) -> Any:
    """Wait until something is so, and return what it is."""
    async with asyncio.timeout(within_s):
        while True:
            found = true()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.02)


class Home:
    """Hears everything, knows what is retained, and commands."""

    def __init__(self, session: Session) -> None:
        """Use a connection."""
        self.session = session
        self.heard: list[tuple[str, bytes]] = []
        self.retained: dict[str, bytes] = {}

    async def listen(self) -> None:
        """Take in everything."""
        while True:
            incoming: Incoming = await self.session.receive()
            incoming.ack()
            self.heard.append((incoming.topic, incoming.payload))
            if incoming.retain and incoming.payload:
                self.retained[incoming.topic] = incoming.payload
            elif incoming.retain:
                self.retained.pop(incoming.topic, None)

    def document(self) -> dict[str, Any]:
        """Return the device document; nothing while there is none."""
        try:
            found = json.loads(self.retained.get(DOCUMENT, b"{}"))
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def components(self) -> dict[str, Any]:
        """Return its components."""
        return self.document().get("components", {})

    def state(self, *parts: str) -> Any:
        """Return what is retained below the box's name; None: nothing."""
        found = self.retained.get("/".join(("modembank/modembank", *parts)))
        return None if found is None or found == JUNK else json.loads(found)

    def said(self, topic: str) -> list[bytes]:
        """Return all that was heard on a topic."""
        return [payload for heard, payload in self.heard if heard == topic]

    async def says(self, topic: str, payload: bytes, **more: Any) -> None:
        """Publish."""
        await self.session.publish(topic, payload, **more)

    async def commands(self, *parts: str, payload: bytes, **more: Any) -> None:
        """Give a command."""
        await self.says("/".join(("modembank/modembank/cmd", *parts)), payload, **more)

    async def notifies(self, message: str, group: str = "on-call", **more: Any) -> None:
        """Have a group told something."""
        await self.commands("notify", group, payload=json.dumps({"message": message, **more}).encode())


@asynccontextmanager
async def home_at(mosquitto: Mosquitto, name: str = "home-assistant") -> AsyncIterator[Home]:
    """Listen at a broker inside the block."""
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(connect(mosquitto.broker(name)))
        await session.subscribe("homeassistant/#", "modembank/#")
        home = Home(session)
        task = asyncio.create_task(home.listen())
        try:
            yield home
        finally:
            task.cancel()
            with contextlib.suppress(LinkError, asyncio.CancelledError):
                await task
