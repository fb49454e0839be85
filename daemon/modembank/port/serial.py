"""A port over serialx: a local tty, a raw TCP socket or RFC 2217."""

import asyncio
import contextlib
import errno
import fcntl
import logging
import termios

import serialx

from modembank.port.types import OnData, OnLost, PortConfig, PortError, PortFailure

MAX_UNSENT = 16 * 1024
"""Octets kept for a peer that does not read; the longest thing ever written is a PDU of some 400."""

_GONE = frozenset(
    {errno.EIO, errno.ENODEV, errno.ENXIO, errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED, errno.EBADF}
)

# serialx tells every octet at debug level, message text included: that must not reach a log.
logging.getLogger("serialx").setLevel(logging.WARNING)


class SerialPort(asyncio.Protocol):
    """Implements ``Port``; made by ``open_port`` only."""

    def __init__(self, config: PortConfig, on_data: OnData, on_lost: OnLost) -> None:
        self._config = config
        self._on_data = on_data
        self._on_lost = on_lost
        self._transport: serialx.BaseSerialTransport | None = None
        self._ended: PortError | None = None
        self._told = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._closed = asyncio.Event()

    @property
    def config(self) -> PortConfig:
        """What it was opened with."""
        return self._config

    @property
    def write_stuck(self) -> bool:
        """True while the peer does not take what was written."""
        return not self._writable.is_set() and self._ended is None

    @property
    def closed(self) -> bool:
        """True once closed or lost."""
        return self._ended is not None

    def attach(self, transport: serialx.BaseSerialTransport) -> None:
        """Take over the opened transport; from now on losses are told by ``on_lost``."""
        self._transport = transport
        # Paused as soon as anything stays behind: "writable" then means "all of it has left".
        transport.set_write_buffer_limits(high=0)
        self._claim(termios.TIOCEXCL)
        if self._ended is not None:
            self._tell()

    def write(self, data: bytes) -> None:
        """Send, in order, without waiting. Raises PortError: CLOSED/GONE, or STUCK when the bounded buffer is full."""
        transport = self._transport
        if self._ended is not None or transport is None:
            raise self._ended or self._error(PortFailure.CLOSED)
        if transport.get_write_buffer_size() + len(data) > MAX_UNSENT:
            raise self._error(PortFailure.STUCK, f"{transport.get_write_buffer_size()} octets wait to be taken")
        try:
            transport.write(data)
        except OSError as exc:
            raise failure_of(exc, self._config.name) from exc

    async def drain(self, timeout_s: float) -> None:
        """Return once all written has left. Raises PortError: STUCK after ``timeout_s``, or the cause of a loss."""
        if not self._writable.is_set():
            try:
                async with asyncio.timeout(timeout_s):
                    await self._writable.wait()
            except TimeoutError:
                raise self._error(PortFailure.STUCK, f"nothing taken for {timeout_s:g} s") from None
        if self._ended is not None:
            raise self._ended

    def close(self) -> None:
        """Close at once, dropping unsent data; idempotent. ``on_lost(None)`` follows."""
        if self._ended is None:
            self._ended = self._error(PortFailure.CLOSED)
            self._writable.set()
            self._claim(termios.TIOCNXCL)
            if self._transport is not None:
                self._transport.abort()

    async def wait_closed(self) -> None:
        """Return when the descriptor is released, so that the path can be opened again."""
        await self._closed.wait()

    # -- asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        """Hand on what came in, unless closed."""
        if self._ended is None:
            self._on_data(data)

    def pause_writing(self) -> None:
        """Something stayed behind."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Everything has left."""
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The descriptor is gone, by us or by the device."""
        if self._ended is None:
            self._ended = self._error(PortFailure.GONE, "closed by the peer") if exc is None else self._loss(exc)
        self._writable.set()
        self._closed.set()
        if self._transport is not None:
            self._tell()

    # -- helpers

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            ended = self._ended
            self._on_lost(None if ended is None or ended.failure is PortFailure.CLOSED else ended)

    def _loss(self, exc: Exception) -> PortError:
        if isinstance(exc, OSError) and exc.errno in _GONE:
            return self._error(PortFailure.GONE, exc.strerror or str(exc))
        return failure_of(exc, self._config.name)

    def _claim(self, request: int) -> None:
        """Keep other programs from opening the tty (TIOCEXCL), or allow it again; a socket has no such thing."""
        transport = self._transport
        if transport is None or "://" in self._config.path:
            return
        with contextlib.suppress(OSError, AssertionError):
            fcntl.ioctl(transport.serial.fileno(), request)

    def _error(self, failure: PortFailure, detail: str = "") -> PortError:
        return PortError(failure, self._config.name, detail)


_BY_ERRNO = {
    errno.ENOENT: PortFailure.MISSING,
    errno.ENODEV: PortFailure.MISSING,
    errno.ENXIO: PortFailure.MISSING,
    errno.ENOTDIR: PortFailure.MISSING,
    errno.EBUSY: PortFailure.BUSY,
    errno.EACCES: PortFailure.PERMISSION,
    errno.EPERM: PortFailure.PERMISSION,
    errno.ENOTTY: PortFailure.NOT_A_TTY,
    errno.EINVAL: PortFailure.IO,
    errno.ECONNREFUSED: PortFailure.REFUSED,
    errno.EHOSTUNREACH: PortFailure.REFUSED,
    errno.ENETUNREACH: PortFailure.REFUSED,
    errno.ECONNRESET: PortFailure.GONE,
}


def failure_of(exc: Exception, path: str) -> PortError:
    """The PortError for what the system or serialx raised."""
    if isinstance(exc, TimeoutError):
        return PortError(PortFailure.TIMEOUT, path, "no answer while opening")
    number = exc.errno if isinstance(exc, OSError) else None
    if number is None and isinstance(exc, termios.error) and exc.args:
        number = exc.args[0]
    detail = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    if number is None:
        return PortError(PortFailure.IO, path, detail)
    return PortError(_BY_ERRNO.get(number, PortFailure.IO), path, detail)
