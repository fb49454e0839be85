"""A box in a fleet for tests: the agent over a real store, and a hub that listens, acknowledges and commands."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from fakes.brokers import Mosquitto
from fakes.channels import judge_up
from fakes.web_boxes import Box, make_box
from modembank.config import HubKeyConfig, MqttConfig
from modembank.eventlog import Entry, append
from modembank.fleet import Fleet
from modembank_fleet.agent import Agent
from modembank_fleet.link import Backoff, Incoming, LinkError, Session, connect
from modembank_fleet.wire import BY_VERB, CHANNELS, HELLO, Ack, Address, Hello, Signer, decode, encode, parse, unpack

SIGNER = Signer("h2", bytes(range(32)))
ADDRESS = Address("kiel", "b1")
SHAPES = {channel.parts.partition("/{")[0]: channel.shape for channel in CHANNELS if channel.direction == "up"}
WITHIN_S = 20.0


def key_config(signer: Signer = SIGNER) -> HubKeyConfig:
    """Return what trusts a signer."""
    return HubKeyConfig(signer.kid, signer.public.written)


def mqtt_config(port: int, **changes: Any) -> MqttConfig:
    """Return the section of a box whose broker is at a port of loopback."""
    given = {"url": f"mqtt://127.0.0.1:{port}", "site": "kiel", "box": "b1", "hub_key": (key_config(),)}
    return MqttConfig(**given | changes)


async def fleet_box(folder: Path, port: int, **changes: Any) -> Box:
    """Assemble a box that reports to a broker."""
    box = await make_box(folder)
    box.config = msgspec.structs.replace(box.config, mqtt=mqtt_config(port, **changes))
    box.fleet = Fleet(box.config, box.store, box.clock, box.events)
    return box


@asynccontextmanager
async def agent_of(box: Box, **more: Any) -> AsyncIterator[Agent]:
    """Run a box's agent inside the block; its first try comes at once."""
    agent = Agent(box, backoff=Backoff(0.05), **more)  # type: ignore[arg-type]  # the parts that it uses
    await agent.start()
    try:
        yield agent
    finally:
        await agent.stop()


async def log_events(box: Box, *kinds: str, **body: Any) -> None:
    """Let something happen."""
    entries = [Entry(round(time.time() * 1000), kind, None, None, json.dumps(body)) for kind in kinds]
    await box.store.write(lambda conn: append(conn, entries))
    box.events.wake()


async def until(true: Callable[[], Any], within_s: float = WITHIN_S) -> Any:
    """Wait until something is so, and return what it is."""
    async with asyncio.timeout(within_s):
        while not (found := true()):
            await asyncio.sleep(0.02)
    return found


class Hub:
    """Hears everything, acknowledges when it is told to, and commands."""

    def __init__(self, session: Session) -> None:
        """Use a connection."""
        self.session = session
        self.heard: list[tuple[str, Any, Incoming]] = []
        self.acknowledges = True
        self.has = {"ev": 0, "res": 0}
        self.events: dict[int, dict[str, Any]] = {}
        self.results: list[dict[str, Any]] = []
        self._ids = itertools.count(1)

    async def listen(self) -> None:
        """Take what comes."""
        await self.session.subscribe("modembank/#")
        while True:
            incoming = await self.session.receive()
            topic = incoming.topic
            incoming.ack()
            if topic == HELLO or "/down/" in topic or not incoming.payload:
                continue
            how = incoming.user.get("ce", "")
            what = "/".join(parse(topic).parts)
            decode(SHAPES["log" if what.startswith("log/") else what], incoming.payload, how)  # as a real hub would
            said = json.loads(unpack(incoming.payload, how) if how else incoming.payload)
            judge_up(what, said)
            self.heard.append((what, said, incoming))
            if what in ("ev", "res"):
                await self._take(what, said)

    async def _take(self, stream: str, said: dict[str, Any]) -> None:
        self.has[stream] = max(self.has[stream], said["base"] - 1)
        if said["first"] > self.has[stream] + 1:
            return
        self.has[stream] = max(self.has[stream], said["last"])
        for one in said[stream]:
            if stream == "ev":
                self.events[one["seq"]] = one
            elif one not in self.results:
                self.results.append(one)
        if self.acknowledges:
            await self.acknowledge(said["ep"])

    async def acknowledge(self, epoch: str, **wanted: int) -> None:
        """Say up to where it has all."""
        has = self.has | wanted
        await self.session.publish(ADDRESS.down("ack"), encode(Ack(v=1, ep=epoch, **has)), retain=True)

    async def hello(self, epoch: str = "hub1", state: str = "online") -> None:
        """Say that it is there."""
        made = Hello(v=1, he=epoch, s=state, window=1.0)  # type: ignore[arg-type]
        await self.session.publish(HELLO, encode(made), retain=True)

    def said(self, what: str) -> list[dict[str, Any]]:
        """Return what was heard of one kind."""
        return [payload for kind, payload, _ in self.heard if kind == what]

    async def command(
        self, verb: str, args: dict[str, Any] | None = None, *, ep: str, signer: Signer | None = SIGNER, **more: Any
    ) -> str:
        """Send a command, and return its id. ``more`` changes the payload, or how it is published."""
        publish = {name: more.pop(name) for name in ("retain", "expiry_s", "response_topic") if name in more}
        change = more.pop("change", lambda payload: payload)
        given = {
            "v": 1, "id": f"cmd-{next(self._ids):06d}", "iat": time.time(), "ttl": 60, "ep": ep, "by": "anna@hub",
            "args": args or {},
        } | more  # fmt: skip
        parts = BY_VERB[verb].parts if verb in BY_VERB else ("cmd", verb)
        topic, payload = ADDRESS.down(*parts), json.dumps(given).encode()
        user = {"kid": signer.kid, "sig": signer.sign(topic, payload)} if signer else {}
        await self.session.publish(topic, change(payload), user=user, **publish)
        return given["id"]

    async def ended(self, command: str) -> dict[str, Any]:
        """Return how a command ended."""
        ended = ("done", "rejected", "failed", "expired", "unknown")
        return await until(lambda: next((r for r in self.results if r["id"] == command and r["st"] in ended), None))

    def states(self, command: str) -> list[str]:
        """Return all that was said of a command."""
        return [result["st"] for result in self.results if result["id"] == command]


@asynccontextmanager
async def hub_at(mosquitto: Mosquitto, **more: Any) -> AsyncIterator[Hub]:
    """Listen inside the block."""
    async with connect(mosquitto.broker("hub", receive_maximum=1000, **more)) as session:
        hub = Hub(session)
        task = asyncio.create_task(hub.listen())
        await asyncio.sleep(0.1)
        try:
            yield hub
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, LinkError):
                await task


__all__ = [
    "ADDRESS",
    "SIGNER",
    "Hub",
    "agent_of",
    "decode",
    "fleet_box",
    "hub_at",
    "log_events",
    "mqtt_config",
    "until",
]
