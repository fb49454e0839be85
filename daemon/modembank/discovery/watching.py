"""Hears of changes on the USB as they happen: libudev's netlink socket on the event loop."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Protocol

import structlog

_log = structlog.get_logger()


class Watch(Protocol):
    """Tells when to look again."""

    @property
    def alive(self) -> bool:
        """Whether changes are told."""

    async def start(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` on the loop from now on whenever something came or went, where that can be known."""

    def stop(self) -> None:
        """Be silent; idempotent."""


class _Monitor(Protocol):
    """What we use of pyudev's, which has no types."""

    def fileno(self) -> int: ...

    def poll(self, timeout: float | None = None) -> object | None: ...


class UsbWatch:
    """A Watch over udev: it tells when udev is done with a device, so that its node and permissions are there."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self._monitor: _Monitor | None = None

    @property
    def alive(self) -> bool:
        """See ``Watch``."""
        return self._monitor is not None

    async def start(self, changed: Callable[[], None]) -> None:
        """See ``Watch``; what stands in the way is logged."""
        try:
            # Looking for the library starts programs (ctypes.util.find_library).
            monitor = await asyncio.to_thread(_listening)
        except (ImportError, OSError) as error:
            self._given_up(error)
            return
        self._monitor = monitor
        asyncio.get_running_loop().add_reader(monitor.fileno(), self._readable, changed)

    def stop(self) -> None:
        """See ``Watch``."""
        if self._monitor is not None:
            asyncio.get_running_loop().remove_reader(self._monitor.fileno())
            self._monitor = None

    def _readable(self, changed: Callable[[], None]) -> None:
        """Take what came and say that something did; a look at sysfs sees it all, also what an overrun has lost."""
        try:
            while self._monitor is not None and self._monitor.poll(timeout=0) is not None:
                continue
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                self.stop()
                self._given_up(error)
        changed()

    def _given_up(self, error: Exception) -> None:
        _log.warning("usb_not_watched", why=str(error), instead="looking every few seconds")


def _listening() -> _Monitor:
    """Return a monitor of udev's events. Raises ImportError without libudev, OSError without netlink."""
    import pyudev

    monitor = pyudev.Monitor.from_netlink(pyudev.Context())
    for subsystem in ("usb", "tty"):
        monitor.filter_by(subsystem)
    monitor.start()
    return monitor  # type: ignore[no-any-return]
