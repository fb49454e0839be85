"""A box with a mail server for the LAN, and mail programs that speak with it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import smtplib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import msgspec

from fakes.web_boxes import Box, make_box
from modembank.accounts import LOCAL_ADMIN, Role, Scope
from modembank.mail_config import MailInConfig, MailSenderConfig
from modembank_mail import MailServer

DOMAIN = "sms.box"
USER = "desk"
SENDER = "alice@clinic.example"
NUMBER, OTHER = "+447900900123", "+447900900124"
SENDERS = (MailSenderConfig(SENDER, USER), MailSenderConfig("@clinic.example", "Admin"))


def at(number: str) -> str:
    """Return the address of a number."""
    return f"{number}@{DOMAIN}"


async def mail_box(folder: Path, **changes: Any) -> tuple[Box, str]:
    """Assemble a box that takes mails, and return it with a key of its user."""
    box = await make_box(folder)
    await box.accounts.add_user(LOCAL_ADMIN, USER, Role.SENDER)
    _, key = await box.accounts.add_key(LOCAL_ADMIN, USER, scopes=[Scope.MESSAGES_SEND])
    given = {"listen": "127.0.0.1:0", "domain": DOMAIN, "sender": SENDERS} | changes
    box.config = msgspec.structs.replace(box.config, mail_in=MailInConfig(**given))
    return box, key


@asynccontextmanager
async def serving(box: Any) -> AsyncIterator[MailServer]:
    """Run a box's mail server inside the block."""
    server = MailServer(box)
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0.5)


def mail(text: str = "the gate is open", to: str = NUMBER, subject: str = "", **headers: str) -> EmailMessage:
    """Return a mail as programs write them."""
    made = EmailMessage()
    made["From"] = SENDER
    made["To"] = at(to)
    if subject:
        made["Subject"] = subject
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


class Program:
    """Python's own mail program, on a thread."""

    def __init__(self, port: int, key: str, *, user: str = USER, trust: ssl.SSLContext | None = None) -> None:
        """Log in with a key, encrypted where somebody is trusted."""
        self.port = port
        self.key = key
        self.user = user
        self.trust = trust

    async def send(
        self, *mails: EmailMessage | bytes, sender: str = SENDER, to: list[str] | None = None
    ) -> list[dict[str, tuple[int, bytes]]]:
        """Send mails over one connection; return what was refused of each. Raises what smtplib raises."""
        return await self._do(lambda smtp: [self._send(smtp, one, sender, to) for one in mails])

    def _send(self, smtp: smtplib.SMTP, one: EmailMessage | bytes, sender: str, to: list[str] | None) -> Any:
        whole = one if isinstance(one, bytes) else one.as_bytes(policy=SMTP)
        return smtp.sendmail(sender, to or [at(NUMBER)], whole)

    async def _do(self, what: Callable[[smtplib.SMTP], Any]) -> Any:
        def run() -> Any:
            with smtplib.SMTP("127.0.0.1", self.port, local_hostname="program.test", timeout=20) as smtp:
                if self.trust is not None:
                    smtp.starttls(context=self.trust)
                if self.key:
                    smtp.login(self.user, self.key)
                return what(smtp)

        return await asyncio.to_thread(run)


class Raw:
    """A connection by hand, as with telnet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use a connection."""
        self.reader = reader
        self.writer = writer

    async def hear(self) -> str:
        """Return an answer; only the last of its lines. Empty: the connection has ended."""
        while line := (await asyncio.wait_for(self.reader.readline(), 20)).decode().rstrip("\r\n"):
            if line[3:4] != "-":
                return line
        return ""

    async def say(self, *lines: str) -> str:
        """Say lines and return the answer to the last."""
        answer = ""
        for line in lines:
            self.writer.write(line.encode() + b"\r\n")
            answer = await self.hear()
        return answer

    async def log_in(self, key: str, user: str = USER) -> str:
        """Say who it is."""
        given = base64.b64encode(f"\0{user}\0{key}".encode()).decode()
        return await self.say("EHLO raw.test", f"AUTH PLAIN {given}")


@contextlib.asynccontextmanager
async def raw(port: int) -> AsyncIterator[Raw]:
    """Connect by hand; the greeting is not read yet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


async def messages(box: Any) -> list[Any]:
    """Return all messages of a box, oldest first."""
    from modembank.messages import MessageFilter

    return list((await box.messages.list(LOCAL_ADMIN, MessageFilter())).items)[::-1]
