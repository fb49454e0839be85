"""One connection to a mail server, step by step: it opens, names a mail's envelope, and hands the mail over."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, cast

import aiosmtplib
import aiosmtplib.protocol
import msgspec

from modembank.modem.outcome import CauseClass
from modembank.outgoing import AddressRefused, EndpointFailed, Why, dial
from modembank.outgoing.posting import system_trust
from modembank.outgoing.resolving import Resolve
from modembank.providers.adapters.letters import Letter
from modembank.providers.adapters.smtp_outcomes import Answer, Stage, failed, not_sent, refused
from modembank.providers.model import Result, SecretMissing

Security = Literal["starttls", "tls", "none"]
FLUSH_S = 0.01
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}")
_DOT = re.compile(rb"(?m)^\.")


class Server(msgspec.Struct, frozen=True):
    """A mail server, and how it is spoken with."""

    host: str
    port: int
    security: Security = "starttls"
    username: str = ""
    """Empty: without a login."""
    ca: str = ""
    """PEM file; empty: the system's authorities."""
    allow_private: bool = False


class Ended(Exception):
    """An exchange is over, and this is what came of it."""

    def __init__(self, result: Result) -> None:
        """Carry the result."""
        super().__init__(result.cause.text if result.cause is not None else "")
        self.result = result


class Talk:
    """A connection. Whatever fails raises Ended, and makes it good for nothing more."""

    def __init__(self, server: Server) -> None:
        """Prepare; ``open`` connects."""
        self._server = server
        self._client: aiosmtplib.SMTP | None = None
        self.stage = Stage.CONNECT
        self.used = False
        """Whether it has carried a mail."""

    @property
    def alive(self) -> bool:
        """Whether the server has not hung up."""
        return self._client is not None and self._client.is_connected

    async def open(self, password: Callable[[], str], resolve: Resolve | None = None) -> None:
        """Connect, encrypt and log in; the caller bounds the time."""
        server = self._server
        with self._explained():
            trust = None if server.security == "none" else _trust(server.ca)
            made = await dial(server.host, server.port, allow_private=server.allow_private, resolve=resolve)
            self._client = client = aiosmtplib.SMTP(
                hostname=server.host,
                sock=made,
                use_tls=server.security == "tls",
                start_tls=False,
                tls_context=trust,
                local_hostname=_own_name(),
                timeout=None,
            )
            self.stage = Stage.ENCRYPTION if server.security == "tls" else Stage.GREETING
            with contextlib.ExitStack() as undo:
                undo.callback(made.close)
                await client.connect()
                undo.pop_all()
            self.stage = Stage.GREETING
            await client.ehlo()
            if server.security == "starttls":
                await self._encrypt(client)
            if server.username:
                await self._log_in(client, password)

    async def name(self, letter: Letter, size: int) -> None:
        """Say from whom and to whom the mail is."""
        client = self._open
        with self._explained():
            self.stage = Stage.SENDER
            sized = [b"SIZE=%d" % size] if client.supports_extension("size") else []
            await self._ask(b"MAIL", b"FROM:<%s>" % letter.sender.encode("ascii"), *sized)
            self.stage = Stage.RECIPIENT
            await self._ask(b"RCPT", b"TO:<%s>" % letter.to.encode("ascii"))

    async def write(self, octets: bytes) -> None:
        """Write the mail, but not its end: the server cannot take it yet."""
        client = self._open
        with self._explained():
            self.stage = Stage.DATA
            answer = await self._answer(b"DATA")
            if answer.code != 354:
                raise Ended(refused(self.stage, answer))
            self.stage = Stage.BODY
            protocol = _still(client.protocol)
            protocol.write(_DOT.sub(b"..", octets))
            transport = cast("asyncio.WriteTransport", protocol.transport)
            while protocol.is_connected and transport.get_write_buffer_size():  # noqa: ASYNC110 - see below
                await asyncio.sleep(FLUSH_S)  # nothing public tells when it is empty; a mail mostly fits at once
            _still(client.protocol)

    async def end(self) -> Answer:
        """Write the final dot and return the answer that takes the mail. From here on the server may have it."""
        client = self._open
        with self._explained():
            protocol = _still(client.protocol)
            self.stage = Stage.END
            protocol.write(b".\r\n")
            code, text = await protocol.read_response()
            self.used = True
            answer = Answer(code, text)
            if not answer.agrees:
                raise Ended(refused(self.stage, answer))
            return answer

    async def forget(self) -> None:
        """Take back an envelope that was named, so that another one can be."""
        with self._explained():
            await self._ask(b"RSET")

    async def close(self, *, politely: bool = False) -> None:
        """Hang up, with a word to the server when there is time for it."""
        client, self._client = self._client, None
        if client is None:
            return
        if politely and client.is_connected:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError, ValueError):
                async with asyncio.timeout(1.0):
                    await client.quit()
        client.close()

    # -- the steps

    @property
    def _open(self) -> aiosmtplib.SMTP:
        if self._client is None:
            raise Ended(failed(self.stage, Why.CLOSED, "the connection is closed"))
        return self._client

    async def _encrypt(self, client: aiosmtplib.SMTP) -> None:
        self.stage = Stage.ENCRYPTION
        if not client.supports_extension("starttls"):
            raise Ended(
                not_sent(
                    "smtp_no_starttls",
                    "the server offers no STARTTLS: nothing is sent in the clear. Choose the security tls (port 465),"
                    " or see whether something in between took the offer away",
                    CauseClass.MODEM,
                    {"stage": self.stage.word},
                )
            )
        await client.starttls()
        await client.ehlo()

    async def _log_in(self, client: aiosmtplib.SMTP, password: Callable[[], str]) -> None:
        self.stage = Stage.LOGIN
        secret, name = password(), self._server.username
        if not client.supported_auth_methods:
            raise Ended(
                not_sent(
                    "smtp_no_login",
                    "the server offers no login that is known here (CRAM-MD5, PLAIN, LOGIN): leave the username out,"
                    " or use the port on which it does",
                    CauseClass.SIM,
                    {"stage": self.stage.word},
                )
            )
        try:
            await client.login(name, secret)
        except aiosmtplib.SMTPResponseException as error:
            raise Ended(refused(self.stage, Answer(error.code, error.message), _hidden(name, secret))) from error

    async def _ask(self, *words: bytes) -> None:
        answer = await self._answer(*words)
        if not answer.agrees:
            raise Ended(refused(self.stage, answer))

    async def _answer(self, *words: bytes) -> Answer:
        code, text = await self._open.execute_command(*words)
        return Answer(code, text)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Let whatever goes wrong inside be Ended; a timeout is the caller's."""
        where = f"{self._server.host}:{self._server.port}"
        try:
            yield
        except aiosmtplib.SMTPResponseException as error:
            raise Ended(refused(self.stage, Answer(error.code, error.message))) from error
        except AddressRefused as error:
            raise Ended(not_sent("address_refused", error.reason, CauseClass.MODEM)) from error
        except EndpointFailed as error:
            raise Ended(failed(self.stage, error.why, error.reason)) from error
        except SecretMissing as error:
            raise Ended(not_sent("secret_missing", str(error), CauseClass.MODEM)) from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise Ended(_broken(self.stage, error, where)) from error


def _still(protocol: aiosmtplib.protocol.SMTPProtocol | None) -> aiosmtplib.protocol.SMTPProtocol:
    """Return what speaks, while there is a connection."""
    if protocol is None or not protocol.is_connected:
        message = "the connection was lost"
        raise aiosmtplib.SMTPServerDisconnected(message)
    return protocol


def _broken(stage: Stage, error: Exception, where: str) -> Result:
    """Return what a broken connection means, from the chain of its causes."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, ssl.SSLCertVerificationError):
            return failed(stage, Why.TLS, f"the certificate of {where} is not trusted: {at.verify_message}")
        if isinstance(at, ssl.SSLError):
            return failed(stage, Why.TLS, f"no encryption with {where}: {at.reason or at}")
        at = at.__cause__
    if isinstance(error, FileNotFoundError | PermissionError):
        return failed(stage, Why.TLS, f"the file of authorities {error.filename} cannot be read: {error.strerror}")
    if isinstance(error, TimeoutError):
        return failed(stage, Why.TIMEOUT, f"{where} did not end the handshake in time")
    if isinstance(error, ConnectionError | aiosmtplib.SMTPServerDisconnected):
        return failed(stage, Why.CLOSED, f"{where} closed the connection")
    return failed(stage, Why.PROTOCOL, f"{where} does not speak SMTP: {str(error)[:200]}")


def _trust(ca: str) -> ssl.SSLContext:
    if not ca:
        return system_trust()
    try:
        return ssl.create_default_context(cafile=ca)
    except FileNotFoundError as error:
        raise FileNotFoundError(error.errno, error.strerror, ca) from error


def _own_name() -> str:
    """Return the name that the box says it has, of which no server makes anything when somebody logs in."""
    name = socket.gethostname()
    return name if _HOST.fullmatch(name) else "localhost"


def _hidden(name: str, secret: str) -> Sequence[str]:
    """Return the forms in which an answer could repeat a password."""
    octets = secret.encode()
    both = b"\0" + name.encode() + b"\0" + octets
    return secret, base64.b64encode(octets).decode(), base64.b64encode(both).decode()
