"""The kind ``smtp``: e-mail, handed to a mail server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Annotated

import msgspec

from modembank.clock import to_ms
from modembank.errors import FieldProblem, InvalidRequest
from modembank.modem.outcome import CauseClass
from modembank.providers.adapters.letters import Letter, beginning, message_id, one_line
from modembank.providers.adapters.smtp_mailer import Mailer, Patience
from modembank.providers.adapters.smtp_outcomes import not_sent
from modembank.providers.adapters.smtp_talk import Security, Server
from modembank.providers.addresses import BadAddress, mail_address
from modembank.providers.model import BadCall, Call, Channel, Gate, Means, Outbound, Reply, Result, SecretMissing

NAME = "smtp"
PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}
"""Where servers listen, for settings that name no port."""
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}\.?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]+")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How mails are handed over, and what stands in them."""

    host: Annotated[str, msgspec.Meta(min_length=1, max_length=253, description="Name or IP address of the server")]
    port: Annotated[
        int, msgspec.Meta(ge=0, le=65_535, description="0: 587 with STARTTLS, 465 with TLS, 25 without either")
    ] = 0
    security: Annotated[
        Security,
        msgspec.Meta(
            description="starttls: encrypted after the greeting, and refused by a server that does not offer it; tls:"
            " from the start; none: in the clear, for servers that an admin allowed to be on the LAN"
        ),
    ] = "starttls"
    ca: Annotated[
        str,
        msgspec.Meta(
            max_length=500,
            description="PEM file on the box of the authorities that the server's certificate is checked with; empty:"
            " the system's",
        ),
    ] = ""
    username: Annotated[str, msgspec.Meta(max_length=256, description="Empty: without a login")] = ""
    password_secret: Annotated[str, msgspec.Meta(max_length=64, description="Name of the secret with the password")] = (
        ""
    )
    sender: Annotated[str, msgspec.Meta(min_length=3, max_length=254, description="The address that mails come from")]
    sender_name: Annotated[str, msgspec.Meta(max_length=100, description="The name beside it")] = ""
    reply_to: Annotated[
        str, msgspec.Meta(max_length=254, description="The address that answers go to; empty: the sender's")
    ] = ""
    subject: Annotated[
        str,
        msgspec.Meta(
            max_length=200, description="Of messages that have none of their own; empty: the first words of the text"
        ),
    ] = ""
    connections: Annotated[int, msgspec.Meta(ge=1, le=8, description="Mails handed over at once, one by each")] = 1
    timeout_s: Annotated[
        float, msgspec.Meta(ge=5, le=300, description="Seconds up to the recipient, and again for the mail itself")
    ] = 60.0
    answer_timeout_s: Annotated[
        float,
        msgspec.Meta(
            ge=10,
            le=900,
            description="Seconds for the answer to the mail's end; who gives up sooner does not know what became of it",
        ),
    ] = 300.0


def channel(settings: Settings) -> Channel:  # noqa: ARG001 - what all kinds take
    """It carries e-mail."""
    return Channel.EMAIL


def check(settings: Settings) -> None:
    """Raise InvalidRequest with what cannot work."""
    problems = [*_in_fields(settings), *_together(settings)]
    if problems:
        raise InvalidRequest(problems[0], *problems[1:])


def _in_fields(settings: Settings) -> Iterator[FieldProblem]:
    if not _HOST.fullmatch(settings.host):
        yield FieldProblem("/host", "must be a name such as mail.example.com or an IP address, and no port")
    for name, written in (("sender", settings.sender), ("reply_to", settings.reply_to or settings.sender)):
        try:
            mail_address(written)
        except BadAddress as error:
            if name == "sender" or settings.reply_to:
                yield FieldProblem(f"/{name}", str(error))
    for name, written in (("sender_name", settings.sender_name), ("subject", settings.subject)):
        if one_line(written) != written:
            yield FieldProblem(f"/{name}", "must be one line without controls or spaces around it")
    if not settings.username.isprintable():
        yield FieldProblem("/username", "must have printable characters alone")


def _together(settings: Settings) -> Iterator[FieldProblem]:
    if settings.username and not settings.password_secret:
        yield FieldProblem("/password_secret", "is needed with a username: name the secret of the password")
    if settings.password_secret and not settings.username:
        yield FieldProblem("/username", "is needed with a password_secret")
    if settings.security == "none" and settings.username:
        yield FieldProblem("/security", "must not be none with a username: everybody could read the password")
    if settings.security == "none" and settings.ca:
        yield FieldProblem("/ca", "is what certificates are checked with, and with the security none there is none")


def make(settings: Settings, means: Means) -> Smtp:
    """Return a provider with these settings."""
    return Smtp(settings, means)


class Smtp:
    """A mail server that takes mails for others."""

    def __init__(self, settings: Settings, means: Means) -> None:
        """Connect when the first mail comes."""
        self._settings = settings
        self._means = means
        self._sender = mail_address(settings.sender)
        self._reply_to = mail_address(settings.reply_to) if settings.reply_to else ""
        server = Server(
            host=settings.host,
            port=settings.port or PORTS[settings.security],
            security=settings.security,
            username=settings.username,
            ca=settings.ca,
            allow_private=means.allow_private,
        )
        patience = Patience(settings.timeout_s, settings.answer_timeout_s)
        self._mailer = Mailer(server, lambda: means.secret(settings.password_secret), patience)

    @property
    def window(self) -> int:
        """How many mails may be under way at once."""
        return self._settings.connections

    def not_ready(self) -> str | None:
        """Return why nothing can be handed over now."""
        if self._settings.security == "none" and not self._means.allow_private:
            return "mails in the clear are for servers on the LAN, which an admin allows: choose starttls or tls"
        if self._settings.username:
            try:
                self._means.secret(self._settings.password_secret)
            except SecretMissing as error:
                return str(error)
        return None

    async def run(self) -> None:
        """Hold nothing but what is kept for a burst, and close that at the end."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self._mailer.close()

    async def send(self, message: Outbound, gate: Gate) -> Result:
        """Hand a message over."""
        if why := self.not_ready():
            return not_sent("not_ready", why, CauseClass.MODEM)
        try:
            to = mail_address(message.recipient)
        except BadAddress as error:
            return not_sent("bad_address", f"the address {error}", CauseClass.RECIPIENT)
        letter = Letter(
            id=message_id(message.key, self._sender),
            sender=self._sender,
            to=to,
            subject=message.subject or self._settings.subject or beginning(message.text),
            text=message.text,
            at=to_ms(self._means.clock.now()) / 1000,
            sender_name=self._settings.sender_name,
            reply_to=self._reply_to,
        )
        return await self._mailer.send(letter, gate)

    async def called(self, call: Call) -> Reply:  # noqa: ARG002 - what all adapters take
        """Mail servers call nobody."""
        raise BadCall(why="a mail server makes no calls: nothing is to be posted here")
