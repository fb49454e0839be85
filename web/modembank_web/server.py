"""The HTTP server inside the daemon's event loop: it starts and stops when told and leaves signals alone."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Sequence
from typing import Any

import structlog
import uvicorn

from modembank.config import WebConfig
from modembank.errors import ModembankError
from modembank_web.protocol import Protocol

_log = structlog.get_logger()

KEEP_ALIVE_S = 75
DATE_S = 1.0
"""Between two renewals of the Date header."""


class CannotListen(ModembankError):
    """The configured address cannot be used."""

    key = "cannot_listen"
    template = "cannot listen on {listen}: {reason}"


class WebServer:
    """A running server."""

    def __init__(self, server: _Embedded, sockets: list[socket.socket], task: asyncio.Task[None]) -> None:
        """Use ``serve()``."""
        self._server = server
        self._task = task
        self.address = _address(sockets[0])
        """The first address bound: host and the port really used; a Unix socket's path and 0."""

    @property
    def url(self) -> str:
        """Where it is to be asked."""
        host, port = self.address
        scheme = "https" if self._server.config.is_ssl else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    async def stop(self, within_s: float = 5.0) -> bool:
        """Take no new connection, let requests in hand end, cut the rest; return whether all ended in time."""
        self._server.config.timeout_graceful_shutdown = max(1, round(within_s * 0.6))
        self._server.exit_soon()
        done, _ = await asyncio.wait([self._task], timeout=within_s)
        if not done:
            self._server.force_exit = True
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1.0)
        _log.info("web_stopped", in_time=bool(done))
        return bool(done)

    def take_certificate(self) -> None:
        """Read the files of the certificate again, for connections to come; what cannot be used changes nothing."""
        config = self._server.config
        if not isinstance(config.ssl, ssl.SSLContext) or not config.ssl_certfile:
            return
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(config.ssl_certfile, config.ssl_keyfile)
            config.ssl.load_cert_chain(config.ssl_certfile, config.ssl_keyfile)
        except OSError as error:
            _log.warning("certificate_not_taken", reason=error.strerror or str(error))
        else:
            _log.info("certificate_taken")

    async def wait(self) -> None:
        """Return when the server ended, raising what ended it."""
        await asyncio.shield(self._task)


async def serve(app: Any, config: WebConfig, *, sockets: Sequence[socket.socket] = ()) -> WebServer:
    """Serve an ASGI application on ``config.listen`` (port 0: any), or on listening sockets passed in (systemd).

    A Unix socket passed in is served without TLS. Returns when connections are taken. Raises CannotListen when the
    address or the TLS files cannot be used.
    """
    bound = list(sockets) or [_bind(config.listen)]
    for one in bound:
        _send_at_once(one)
    tls = bool(config.tls_cert) and any(one.family != socket.AF_UNIX for one in bound)
    settings = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        http=Protocol,
        interface="asgi3",
        timeout_keep_alive=KEEP_ALIVE_S,
        ssl_certfile=config.tls_cert if tls else None,
        ssl_keyfile=config.tls_key if tls else None,
    )
    try:
        settings.load()
    except OSError as error:  # ssl.SSLError is one
        _close(bound)
        raise CannotListen(listen=config.listen, reason=f"TLS: {error.strerror or error}") from error
    server = _Embedded(settings)
    task = asyncio.create_task(server.serve(sockets=bound), name="web.server")
    await server.up_or(task)
    if task.done():
        _close(bound)
        await task
    running = WebServer(server, bound, task)
    host, port = running.address
    _log.info("web_listening", host=host, port=port, tls=tls)
    return running


class _Embedded(uvicorn.Server):
    """Serves without installing signal handlers, and tells when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._up = asyncio.Event()
        self._exit = asyncio.Event()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await self._serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._up.set()

    async def main_loop(self) -> None:
        """Return when told; woken to renew the Date header alone, where uvicorn looks ten times in a second."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DATE_S):
                    await self._exit.wait()

    def exit_soon(self) -> None:
        """Let the main loop end."""
        self.should_exit = True
        self._exit.set()

    async def up_or(self, task: asyncio.Task[None]) -> None:
        """Return when connections are taken or the task has ended."""
        up = asyncio.create_task(self._up.wait(), name="web.up")
        try:
            await asyncio.wait([up, task], return_when=asyncio.FIRST_COMPLETED)
        finally:
            up.cancel()


def _bind(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if int(port) > 65_535:
        raise CannotListen(listen=listen, reason="a port is at most 65535")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        found = socket.getaddrinfo(host, int(port), family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return socket.create_server(found[0][4][:2], family=family, backlog=2048)
    except OSError as error:
        raise CannotListen(listen=listen, reason=_reason(error)) from error


def _send_at_once(bound: socket.socket) -> None:
    """Let connections taken there not hold back an answer's body until its head is acknowledged, some 40 ms later.

    They have it from the listening socket; asyncio sets it for sockets made with an explicit protocol only.
    """
    if bound.family != socket.AF_UNIX:
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program listens there: end it, or choose another address ([web] listen)"
    if error.errno == errno.EADDRNOTAVAIL:
        return "that is no address of this machine ([web] listen)"
    return error.strerror or str(error)


def _address(bound: socket.socket) -> tuple[str, int]:
    name = bound.getsockname()
    return (str(name), 0) if bound.family == socket.AF_UNIX else (name[0], name[1])


def _close(sockets: Sequence[socket.socket]) -> None:
    for one in sockets:
        one.close()
