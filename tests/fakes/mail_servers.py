"""A mail server on a loopback port that says what it is told to, over plain TCP, STARTTLS or TLS."""

import asyncio
import contextlib
import email
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import Message


@dataclass
class MailServer:
    """What it has taken, and what it answers instead of that it does."""

    port: int = 0
    tls: ssl.SSLContext | None = None
    answers: dict[str, str] = field(default_factory=dict)
    """By verb: the answer that it gives to it."""
    hangs_at: str = ""
    """A verb that it never answers."""
    mails: list[Message] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)


@contextlib.asynccontextmanager
async def mail_server(tls: ssl.SSLContext | None = None, *, at_once: bool = False, **more) -> AsyncIterator[MailServer]:
    """Serve until the block ends; with ``tls`` by STARTTLS, or ``at_once``."""
    found = MailServer(tls=tls, **more)
    talks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        talks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError, ssl.SSLError, asyncio.IncompleteReadError):
            await _talk(found, reader, writer, encrypted=at_once)
        writer.close()
        talks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls if at_once else None)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in list(talks):
            task.cancel()
        if talks:
            await asyncio.wait(talks, timeout=5)


async def _talk(server: MailServer, reader, writer, *, encrypted: bool) -> None:
    async def say(*lines: str) -> None:
        writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await writer.drain()

    await say("220 mail.test ESMTP")
    to: list[str] = []
    while line := (await reader.readline()).decode().strip():
        verb = line.split(":")[0].split(" ")[0].upper()
        if verb == server.hangs_at:
            await asyncio.sleep(3600)
        if verb in server.answers and not (verb == "RCPT" and "good@" in line):
            await say(server.answers[verb])
            continue
        match verb:
            case "EHLO":
                offers = ["STARTTLS"] if server.tls and not encrypted else []
                await say("250-mail.test", *(f"250-{offer}" for offer in offers), "250 AUTH PLAIN")
            case "STARTTLS":
                await say("220 go ahead")
                await writer.start_tls(server.tls)
                encrypted = True
            case "AUTH":
                server.logins.append(line)
                await say("235 welcome")
            case "RCPT":
                to.append(line.partition("<")[2].partition(">")[0])
                await say("250 ok")
            case "DATA":
                await say("354 go on")
                text = await reader.readuntil(b"\r\n.\r\n")
                server.mails.append(email.message_from_bytes(text[:-5].replace(b"\r\n..", b"\r\n.")))
                server.recipients.append(to)
                server.encrypted.append(encrypted)
                await say("250 taken")
            case "QUIT":
                await say("221 bye")
                return
            case _:
                await say("250 ok")
