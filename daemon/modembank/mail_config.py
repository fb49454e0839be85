"""The sections of the configuration about e-mail: mails that become messages, and messages that become mails."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec

_DOMAIN = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
_WORD = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_NAME = rf"(?=[^@]{{1,64}}@){_WORD}(?:\.{_WORD})*"
Domain = Annotated[
    str, msgspec.Meta(pattern=rf"^(?:{_DOMAIN})?\Z", max_length=253, description="a domain such as sms.example.com")
]
MailAddress = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^{_NAME}@{_DOMAIN}\Z", max_length=254, description="an address of e-mail such as desk@example.com"
    ),
]
Name = Annotated[
    str,
    msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}\Z", description="1 to 32 lower-case letters, digits and hyphens"),
]
MailSecurity = Literal["starttls", "tls", "none"]


class MailSenderConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[[mail_in.sender]]``: whose mails become messages, and of which user of the box."""

    address: Annotated[
        str,
        msgspec.Meta(
            pattern=rf"^(?:{_NAME})?@{_DOMAIN}\Z",
            max_length=254,
            description="an address such as alice@example.com, or @example.com for all of a domain",
        ),
    ]
    user: Annotated[str, msgspec.Meta(min_length=1)]


class MailInConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[mail_in]``: mails of the LAN that become messages; without ``listen`` there is no server."""

    listen: Annotated[
        str, msgspec.Meta(pattern=r"^(\S+:\d{1,5})?\Z", description="an address and a port, such as 0.0.0.0:2525")
    ] = ""
    domain: Domain = ""
    """What stands behind the @ of numbers."""
    tls_cert: str = ""
    tls_key: str = ""
    allow_plain: bool = False
    """Whether API keys may come over the LAN unencrypted."""
    subject: Literal["body", "subject", "both"] = "body"
    """What of a mail becomes the text."""
    cut_quotes: bool = True
    max_kib: Annotated[int, msgspec.Meta(ge=16, le=10_240)] = 256
    max_recipients: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 100
    connections: Annotated[int, msgspec.Meta(ge=1, le=200)] = 20
    connections_of_one: Annotated[int, msgspec.Meta(ge=1, le=200)] = 5
    """Of one address."""
    sender: tuple[MailSenderConfig, ...] = ()


class MailForwardConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[[mail_out.forward]]``: which inbound messages are told to whom."""

    name: Name
    to: Annotated[tuple[MailAddress, ...], msgspec.Meta(min_length=1, max_length=20)]
    sims: tuple[
        Annotated[str, msgspec.Meta(pattern=r"^[0-9]{18,20}\Z", description="the 18 to 20 digits on the card")], ...
    ] = ()
    pools: tuple[Annotated[str, msgspec.Meta(min_length=1)], ...] = ()
    """With neither, of all SIMs."""


class MailOutConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[[mail_out]]``: a mail server, and what is told through it."""

    name: Name
    host: Annotated[
        str, msgspec.Meta(pattern=r"^[A-Za-z0-9.:-]{1,253}\Z", description="a name such as mail.example.com")
    ]
    sender: MailAddress
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    """0: as the security has it."""
    security: MailSecurity = "starttls"
    username: Annotated[str, msgspec.Meta(max_length=256)] = ""
    password_file: str = ""
    ca: str = ""
    sender_name: Annotated[str, msgspec.Meta(max_length=100)] = ""
    forward: tuple[MailForwardConfig, ...] = ()


def mail_contradictions(
    mail_in: MailInConfig, mail_out: Iterable[MailOutConfig], *, certificate: bool
) -> Iterator[tuple[str, str]]:
    """Yield what does not go together, by a pattern of the line to be named, from the header of its table on.

    ``certificate`` is whether the web's server has one.
    """
    for key, problem in _of_the_server(mail_in, certificate=certificate):
        yield rf"mail_in\b[^\0]*?^\s*{key}\b", f"mail_in: {problem}"
    for address in _twice(sender.address.lower() for sender in mail_in.sender):
        yield _second("mail_in", "address", address), f"mail_in.sender: {address} is there twice"
    servers = tuple(mail_out)
    for key, problem in (found for server in servers for found in _of_a_server(server)):
        yield rf"mail_out\b[^\0]*?^\s*{key}\b", f"mail_out: {problem}"
    for name in _twice(server.name for server in servers):
        yield _second("mail_out", "name", name), f"mail_out: the name {name} is there twice"
    for name in _twice(forward.name for server in servers for forward in server.forward):
        yield _second("mail_out", "name", name), f"mail_out.forward: the name {name} is there twice"


def _of_the_server(mail_in: MailInConfig, *, certificate: bool) -> Iterator[tuple[str, str]]:
    if bool(mail_in.tls_cert) != bool(mail_in.tls_key):
        yield "tls_(cert|key)", "tls_cert and tls_key go together"
    if not mail_in.listen:
        return
    if not mail_in.domain:
        yield "listen", "listen needs a domain, what stands behind the @ of numbers"
    if not mail_in.sender:
        yield "listen", "listen needs a [[mail_in.sender]] at least: without one nobody may send"
    if not (certificate or mail_in.tls_cert or mail_in.allow_plain or is_loopback(mail_in.listen)):
        why = "without a certificate (tls_cert and tls_key, here or under [web]) API keys would cross the network"
        yield "listen", f"{why} unencrypted: allow_plain = true allows that"


def _of_a_server(server: MailOutConfig) -> Iterator[tuple[str, str]]:
    if server.password_file and not server.username:
        yield "password_file", "password_file needs a username"
    if server.security == "none" and server.username:
        yield "security", "security none with a username would let everybody read the password"


def _twice(names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield name
        seen.add(name)


def _second(table: str, key: str, value: str) -> str:
    """Return a pattern of the second line on which a key has a value, in whatever case."""
    line = rf"^\s*{key}\s*=\s*.(?i:{re.escape(value)})\b"
    return rf"{table}\b[^\0]*?{line}[^\0]*?{line}"


def is_loopback(listen: str) -> bool:
    """Return whether what listens there can be reached from the box itself alone."""
    host = listen.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
