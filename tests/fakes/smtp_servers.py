"""Mail servers on loopback ports: aiosmtpd, which does as it should, and a script that does as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from fakes.endpoints import certificate


def server_tls(folder: Path, name: str = "localhost") -> tuple[ssl.SSLContext, str]:
    """Return what a server encrypts with, and the file of the authority that vouches for it."""
    folder.mkdir(exist_ok=True)
    cert, key = certificate(folder, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, str(cert)


@dataclass
class Took:
    """A mail that a server took."""

    sender: str
    to: list[str]
    octets: bytes
    encrypted: bool
    user: str | None
    connection: int

    @property
    def message(self) -> EmailMessage:
        """The mail, read."""
        return message_from_bytes(self.octets, policy=default)

    @property
    def text(self) -> str:
        """Its text, as a reader shows it."""
        return self.message.get_content()


@dataclass
class RealServer:
    """An aiosmtpd, and what it took."""

    port: int = 0
    took: list[Took] = field(default_factory=list)
    connections: int = 0
    passwords: dict[str, str] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)
    """By recipient: what is answered at its name."""
    content: dict[str, str] = field(default_factory=dict)
    """By a word in a mail: what is answered at its end."""
    answer: str = "250 2.0.0 Ok: queued as 4F1A2B"
    away: bool = False
    """Every connection is told to come again later."""
    open: set[asyncio.BaseTransport] = field(default_factory=set)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or not."""
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a sender."""
        if self.away:
            return "421 4.3.2 closing"
        if self.passwords and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail, or not."""
        octets = bytes(envelope.original_content or b"")
        for word, answer in self.content.items():
            if word.encode() in octets:
                return answer
        login = getattr(session.auth_data, "login", None)
        user = login.decode() if login else None
        self.took.append(
            Took(
                envelope.mail_from,
                envelope.rcpt_tos,
                octets,
                session.ssl is not None or server.whole,
                user,
                session.number,
            )
        )
        return self.answer

    def judge(self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        """Let in who knows the password."""
        known = self.passwords.get(given.login.decode()) == given.password.decode()
        return AuthResult(success=known, handled=False, auth_data=given if known else None)


class _Counted(SMTP):
    """Knows the connections that are open, and on which of them a mail came."""

    whole = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        fresh = self._original_transport is None
        super().connection_made(transport)
        if fresh:
            self.event_handler.connections += 1
            self.nth = self.event_handler.connections
            self.event_handler.open.add(transport)
        self.session.number = self.nth

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.open.clear()
        super().connection_lost(error)


@contextlib.asynccontextmanager
async def real_server(
    tls: ssl.SSLContext | None = None, *, at_once: bool = False, port: int = 0, **more: Any
) -> AsyncIterator[RealServer]:
    """Run an aiosmtpd; with ``tls`` by STARTTLS, or ``at_once``."""
    found = RealServer(**more)
    protocols: list[_Counted] = []

    def make() -> _Counted:
        made = _Counted(
            found,
            hostname="mail.test",
            tls_context=None if at_once else tls,
            require_starttls=tls is not None and not at_once,
            auth_require_tls=tls is not None and not at_once,
            authenticator=found.judge,
            loop=asyncio.get_running_loop(),
        )
        made.whole = at_once
        protocols.append(made)
        return made

    loop = asyncio.get_running_loop()
    server = await loop.create_server(make, "127.0.0.1", port, ssl=tls if at_once else None)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for protocol in protocols:
            if protocol.transport is not None:
                with contextlib.suppress(AttributeError):  # of 3.11.2's TLS, when the connection has just ended
                    protocol.transport.abort()
        await asyncio.sleep(0)
        tasks = [one._handler_coroutine for one in protocols if one._handler_coroutine is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5)


Act = Callable[["Line"], Awaitable[None]]


class Line:
    """The server's end of a connection, for a script."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use a connection."""
        self.reader = reader
        self.writer = writer
        self.heard: list[str] = []

    async def say(self, text: str) -> None:
        """Write a line, or several."""
        self.writer.write(text.encode("latin-1") + b"\r\n")
        await self.writer.drain()

    async def hear(self) -> str:
        """Read a line."""
        line = (await self.reader.readuntil(b"\r\n")).decode().strip()
        self.heard.append(line)
        return line

    def cut(self) -> None:
        """Break the connection off, without an end."""
        self.writer.transport.abort()


@dataclass
class Script:
    """A server that does as it should up to a step, and what it was told."""

    answers: dict[str, str | Act] = field(default_factory=dict)
    """By step (``connect``, a verb, ``body``, ``end``): what it says or does instead."""
    port: int = 0
    heard: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    ended: int = 0
    """Connections that are over."""
    begun: int = 0

    async def step(self, line: Line, name: str, usual: str) -> None:
        """Take a step as told, or as usual."""
        told = self.answers.get(name, usual)
        if isinstance(told, str):
            await line.say(told)
        else:
            await told(line)

    async def talk(self, line: Line) -> None:
        """Serve a connection."""
        line.heard = self.heard
        await self.step(line, "connect", "220 mail.test ESMTP")
        while True:
            verb = (await line.hear()).split(" ")[0].split(":")[0].upper()
            match verb:
                case "EHLO":
                    await self.step(line, "EHLO", "250-mail.test\r\n250-ENHANCEDSTATUSCODES\r\n250 AUTH PLAIN LOGIN")
                case "AUTH":
                    await self.step(line, "AUTH", "235 2.7.0 welcome")
                case "DATA":
                    await self.step(line, "DATA", "354 go on")
                    if "DATA" not in self.answers:
                        await self._body(line)
                case "QUIT":
                    await line.say("221 bye")
                    return
                case _:
                    await self.step(line, verb, "250 2.0.0 OK")

    async def _body(self, line: Line) -> None:
        if "body" in self.answers:
            await self.step(line, "body", "")
            return
        self.bodies.append(await line.reader.readuntil(b"\r\n.\r\n"))
        await self.step(line, "end", "250 2.0.0 Ok: queued as 99")


async def cut(line: Line) -> None:
    """Break off."""
    line.cut()
    raise ConnectionResetError


async def close(line: Line) -> None:
    """End the connection as one should."""
    line.writer.close()
    raise ConnectionResetError


async def nothing(line: Line) -> None:
    """Never answer."""
    await asyncio.get_running_loop().create_future()


@contextlib.asynccontextmanager
async def scripted(**answers: str | Act) -> AsyncIterator[Script]:
    """Run a server that does as it is told."""
    script = Script(answers)
    lines: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        lines.add(task)
        script.begun += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await script.talk(Line(reader, writer))
        finally:
            writer.close()
            script.ended += 1
            lines.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()
        for task in list(lines):
            task.cancel()
        if lines:
            await asyncio.wait(lines, timeout=5)
