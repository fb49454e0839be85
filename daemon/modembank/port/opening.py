"""Opening a port exclusively, with every way to fail named."""

import asyncio
import stat
import termios
from pathlib import Path

import serialx

from modembank.port.holders import holder_of, lock_file_holder
from modembank.port.serial import SerialPort, failure_of
from modembank.port.types import OnData, OnLost, Port, PortConfig, PortError, PortFailure

OPEN_TIMEOUT_S = 10.0
"""A tty opens in milliseconds; the bound is for hosts behind ``socket://``."""


async def open_port(config: PortConfig, *, on_data: OnData, on_lost: OnLost) -> Port:
    """Open raw 8N1, locked against others (flock, TIOCEXCL, and a live UUCP lock file is respected).

    ``on_lost`` is called only for a port that was returned. Raises PortError: MISSING, BUSY (with the holder's name
    where it can be read), PERMISSION, NOT_A_TTY, IO, REFUSED, TIMEOUT.
    """
    if "://" not in config.path:
        await asyncio.to_thread(_check_node, config)
    port = SerialPort(config, on_data, on_lost)
    try:
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            transport, _ = await serialx.create_serial_connection(
                asyncio.get_running_loop(), lambda: port, config.path, config.baudrate, exclusive=True
            )
    except (OSError, ValueError, EOFError, termios.error, serialx.SerialException) as exc:
        failure = failure_of(exc, config.name)
        if failure.failure is PortFailure.BUSY:
            raise await asyncio.to_thread(_busy, config) from exc
        raise failure from exc
    port.attach(transport)
    return port


def _check_node(config: PortConfig) -> None:
    """Refuse what is not a character device before it is opened, and a tty whose lock file names a live program."""
    try:
        mode = Path(config.path).stat().st_mode
    except OSError as exc:
        raise failure_of(exc, config.name) from exc
    if not stat.S_ISCHR(mode):
        raise PortError(PortFailure.NOT_A_TTY, config.name, "not a character device")
    locker = lock_file_holder(config.path)
    if locker is not None:
        raise PortError(PortFailure.BUSY, config.name, f"lock file of {locker.name} ({locker.pid})")


def _busy(config: PortConfig) -> PortError:
    names = ", ".join(f"{holder.name} ({holder.pid})" for holder in holder_of(config.path))
    return PortError(PortFailure.BUSY, config.name, f"held by {names}" if names else "held by another program")
