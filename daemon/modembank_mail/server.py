"""The mail server: listens, counts connections, encrypts, and ends in an orderly way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections import Counter
from collections.abc import Callable
from typing import NoReturn, cast

import structlog
from aiosmtpd.smtp import SMTP

from modembank.app import App
from modembank.errors import ModembankError
from modembank.mail_config import is_loopback
from modembank.supervision import Supervisor
from modembank_mail.answers import BUSY, STOPPING
from modembank_mail.desk import Desk
from modembank_mail.talking import Hooks

IDENT = "Modembank"
QUIET_S = 120.0
"""A connection on which nothing comes for longer is closed."""
_CALLS = {"AUTH": 5, "STARTTLS": 2, "MAIL": 500, "RCPT": 5_000, "DATA": 500, "*": 500}
"""How often a command may come over one connection."""
_log = structlog.get_logger()


class CannotTakeMail(ModembankError):
    """The server cannot listen, or has no certificate that can be used."""

    key = "cannot_take_mail"
    template = "cannot take mail on {listen}: {reason}"


class MailServer:
    """Runs while the daemon does; the box needs it for nothing."""

    def __init__(self, app: App) -> None:
        """Make it; ``start`` begins."""
        self._app = app
        self._config = app.config.mail_in
        self._hooks = Hooks(Desk(app), app.metrics, most_recipients=self._config.max_recipients)
        self._supervisor = Supervisor()
        self._open: set[_Connection] = set()
        self._tls: ssl.SSLContext | None = None
        self._up = asyncio.Event()
        self.address = ("", 0)
        """Where it listens, once it does."""

    async def start(self, within_s: float = 2.0) -> None:
        """Begin to listen; what cannot be yet is tried again, and told by an issue."""
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd logs each command, with its numbers
        self._supervisor.start("mail.server", self._serve)
        up = asyncio.create_task(self._up.wait(), name="mail.server.up")
        await asyncio.wait([up], timeout=within_s)
        up.cancel()

    async def stop(self, within_s: float = 2.0) -> None:
        """Take no new mail, let those that are being accepted be, and hang up."""
        self._hooks.stopping = True
        await self._supervisor.stop_all(1.0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while any(connection.accepts for connection in self._open):  # noqa: ASYNC110 - it takes a commit
                    await asyncio.sleep(0.01)
        ending = tuple(self._open)
        for connection in ending:
            connection.hang_up()
        if tasks := [connection.task for connection in ending if connection.task is not None]:
            await asyncio.wait(tasks, timeout=1.0)
        for connection in tuple(self._open):
            connection.cut()
        _log.info("mail_server_stopped")

    def take_certificate(self) -> None:
        """Read the certificate again, for connections to come; what cannot be used changes nothing."""
        if self._tls is None:
            return
        try:
            self._certificate()
            self._tls.load_cert_chain(*self._files)
        except (CannotTakeMail, OSError) as error:
            _log.warning("mail_certificate_not_taken", error=str(error))
        else:
            _log.info("mail_certificate_taken")

    # -- listening

    @property
    def _files(self) -> tuple[str, str]:
        config, web = self._config, self._app.config.web
        return (config.tls_cert, config.tls_key) if config.tls_cert else (web.tls_cert, web.tls_key)

    async def _serve(self) -> None:
        host, _, port = self._config.listen.rpartition(":")
        loop = asyncio.get_running_loop()
        try:
            self._tls = self._certificate() if self._files[0] else None
            listening = await loop.create_server(self._doorman(), host.strip("[]") or None, int(port))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            self._trouble(reason or str(error))
        except CannotTakeMail as error:
            self._app.mail.server_trouble = str(error)
            raise
        self.address = listening.sockets[0].getsockname()[:2]
        self._app.mail.server_trouble = ""
        self._up.set()
        _log.info("mail_server_listening", host=self.address[0], port=self.address[1], tls=self._tls is not None)
        try:
            await loop.create_future()
        finally:
            listening.close()

    def _trouble(self, reason: str) -> NoReturn:
        error = CannotTakeMail(listen=self._config.listen, reason=reason)
        self._app.mail.server_trouble = str(error)
        raise error

    def _certificate(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(*self._files)
        except OSError as error:  # ssl.SSLError is one
            reason = f"the certificate {self._files[0]} cannot be used: {error.strerror or error}"
            raise CannotTakeMail(listen=self._config.listen, reason=reason) from error
        return context

    def _doorman(self) -> Callable[[], asyncio.Protocol]:
        config = self._config
        plain = config.allow_plain or is_loopback(config.listen)

        def make() -> SMTP:
            return _Connection(
                self._hooks,
                self._open,
                data_size_limit=config.max_kib * 1024,
                hostname=config.domain,
                ident=IDENT,
                tls_context=self._tls,
                timeout=QUIET_S,
                auth_require_tls=not plain,
                command_call_limit=_CALLS,
                loop=asyncio.get_running_loop(),
            )

        return lambda: _Doorman(make, self._open, config.connections, config.connections_of_one)


class _Doorman(asyncio.Protocol):
    """Lets a connection in, or sends it away, once it is known from where it comes."""

    def __init__(self, make: Callable[[], SMTP], there: set[_Connection], most: int, most_of_one: int) -> None:
        self._make = make
        self._there = there
        self._most = most
        self._most_of_one = most_of_one

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        made = cast("asyncio.Transport", transport)
        source = _source(made)
        of_one = Counter(connection.source for connection in self._there)[source]
        if len(self._there) >= self._most or of_one >= self._most_of_one:
            _log.warning("mail_connection_refused", source=source, connections=len(self._there))
            made.write(f"{BUSY}\r\n".encode())
            made.close()
            return
        inside = self._make()
        made.set_protocol(inside)
        inside.connection_made(made)


class _Connection(SMTP):
    """One connection that was let in."""

    def __init__(self, hooks: Hooks, there: set[_Connection], **options: object) -> None:
        super().__init__(hooks, **options)  # type: ignore[arg-type]
        self._there = there
        self.source = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.source = self.source or _source(transport)
        self._there.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._there.discard(self)
        super().connection_lost(error)

    @property
    def accepts(self) -> bool:
        """Whether a mail that came whole is becoming messages; afterwards its answer was written."""
        return self.envelope is not None and self.envelope.content is not None

    @property
    def task(self) -> asyncio.Task[None] | None:
        """What serves it."""
        return self._handler_coroutine

    def hang_up(self) -> None:
        """End it with a word; what was written before still goes out."""
        transport = cast("asyncio.Transport | None", self.transport)
        if transport is not None:
            transport.write(f"{STOPPING}\r\n".encode())
            transport.close()

    def cut(self) -> None:
        """End it at once."""
        transport = cast("asyncio.Transport | None", self.transport)
        if transport is not None:
            transport.abort()


def _source(transport: asyncio.BaseTransport) -> str:
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""
