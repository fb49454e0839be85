"""Boxes that talk to a real broker as the wire wants it: an outbox kept until acknowledged, presence, commands."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable

from fakes.voices import SaidBox
from modembank_fleet import wire
from modembank_fleet.link import Broker, Incoming, LinkError, LinkRefused, Session, Will, connect

BATCH = 20
WINDOW = 200
"""Events that are on their way at most before the hub has said that it has them."""
RESEND_S = 2.0

Answer = Callable[["LiveBox", Session, wire.Command], Awaitable[None]]


class LiveBox:
    """Produces events, and sends them until the hub has said that it has them."""

    def __init__(self, port: int, voice: SaidBox, answer: Answer | None = None) -> None:
        self.voice = voice
        self.produced = 0
        self.acked = 0
        self._sent = 0
        self.greeted: list[str] = []
        self.commands: list[wire.Command] = []
        self._port = port
        self._answer = answer
        self._news = asyncio.Event()

    def produce(self, count: int = 1) -> None:
        self.produced += count
        self._news.set()

    async def run(self) -> None:
        """Be connected, again and again."""
        while True:
            try:
                await self._once()
            except* (LinkError, LinkRefused):
                pass
            await asyncio.sleep(0.05 + 0.1 * secrets.randbelow(3))

    async def _once(self) -> None:
        voice = self.voice
        voice.conn += 1
        topic, will = voice.avail("offline", "will")
        name = f"{voice.site}-{voice.box}-{secrets.token_hex(3)}"
        broker = Broker("127.0.0.1", self._port, name, connect_s=5.0)
        async with connect(broker, Will(topic, wire.encode(will), 0)) as session:
            await session.subscribe(wire.everything_down(voice.address), wire.HELLO)
            await self._begin(session)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._send(session))
                group.create_task(self._receive(session))
                group.create_task(self._lost(session))

    async def _lost(self, session: Session) -> None:
        raise await session.lost()

    async def _begin(self, session: Session) -> None:
        self._sent = self.acked
        await self._born(session)

    async def _born(self, session: Session) -> None:
        for topic, said in (self.voice.avail(), self.voice.birth()):
            await session.publish(topic, wire.encode(said), retain=True)

    async def _send(self, session: Session) -> None:
        while True:
            self._news.clear()
            while self._sent < min(self.produced, self.acked + WINDOW):
                first = self._sent + 1
                self._sent = min(self._sent + BATCH, self.produced)
                topic, said = self.voice.events(self._sent - first + 1, first=first)
                await session.publish(topic, wire.encode(said))
            before, until = self.acked, asyncio.get_running_loop().time() + RESEND_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    while self.acked == before and self._sent >= min(self.produced, self.acked + WINDOW):
                        self._news.clear()
                        await self._news.wait()
            if self.acked == before and asyncio.get_running_loop().time() >= until:  # silence: go back
                self._sent = self.acked

    async def _receive(self, session: Session) -> None:
        while True:
            message = await session.receive()
            if message.topic == wire.HELLO:
                hello = wire.decode(wire.Hello, message.payload)
                if hello.s == "online" and hello.he not in self.greeted:
                    self.greeted.append(hello.he)
                    await self._born(session)
            else:
                await self._heard(session, message)
            message.ack()

    async def _heard(self, session: Session, message: Incoming) -> None:
        parts = wire.parse(message.topic).parts
        if parts == ("ack",):
            ack = wire.decode(wire.Ack, message.payload)
            if ack.ep == self.voice.ep and ack.ev is not None:
                self.acked = max(self.acked, ack.ev)
                self._news.set()
        elif self._answer is not None:
            command = wire.decode(wire.Command, message.payload)
            self.commands.append(command)
            await self._answer(self, session, command)

    async def says(self, session: Session, command: wire.Command, st: str, **more: object) -> None:
        topic, said = self.voice.result(command.id, st, **more)
        await session.publish(topic, wire.encode(said))


@contextlib.asynccontextmanager
async def running(*boxes: LiveBox):
    """Have boxes run inside the block."""
    tasks = [asyncio.create_task(box.run()) for box in boxes]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        broken = [error for error in ended if isinstance(error, Exception)]
        assert not broken, broken


async def until(true: Callable[[], bool] | Callable[[], Awaitable[bool]], within_s: float = 30.0) -> None:
    """Wait for something to be so."""
    async with asyncio.timeout(within_s):
        while True:
            found = true()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.05)
