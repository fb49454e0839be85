"""The pseudo-terminal a modem sits on: a stable link, non-blocking writes, pacing, a host that may not read."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import termios
import tty
from collections.abc import Callable
from pathlib import Path

_CHUNK = 65536
_QUEUE_LIMIT = 1 << 20
_FILL_S = 0.01


class Terminal:
    """Owns master and slave of one pty at a time; bytes from the host go to `on_bytes`.

    The slave stays open here too, so the master never sees EIO while the host closes and reopens the port.
    """

    def __init__(self, link: Path, on_bytes: Callable[[bytes], None]) -> None:
        self.link = link
        self.name: str | None = None
        self._on_bytes = on_bytes
        self._master = -1
        self._slave = -1
        self.received = 0  # bytes, from and to the host
        self.sent = 0
        self._queue = bytearray()
        self._writing = False
        self._reading = False
        self._pace: tuple[int, float] | None = None
        self._pace_timer: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether a pty exists."""
        return self._master >= 0

    @property
    def queued(self) -> int:
        """Bytes the host has not taken yet."""
        return len(self._queue)

    def open(self) -> None:
        """Make a pty under another name than the last one and point the link at it."""
        master, slave = _another_pty(self.name)
        tty.setraw(slave)
        attributes = termios.tcgetattr(slave)
        attributes[4] = attributes[5] = termios.B115200
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        os.set_blocking(master, False)
        self._master, self._slave, self.name = master, slave, os.ttyname(slave)
        fresh = self.link.with_name(f".{self.link.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self.name)
        fresh.replace(self.link)
        self.resume_reading()

    def close(self) -> None:
        """Hang up: the host sees end of file or EIO, the link is gone."""
        if not self.is_open:
            return
        self.pause_reading()
        self._stop_writing()
        self._queue.clear()
        self.link.unlink(missing_ok=True)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    def pause_reading(self) -> None:
        """Stop taking bytes: after a few KiB the host's writes block."""
        if self._reading:
            asyncio.get_running_loop().remove_reader(self._master)
            self._reading = False

    def resume_reading(self) -> None:
        """Take bytes again."""
        if self.is_open and not self._reading:
            asyncio.get_running_loop().add_reader(self._master, self._readable)
            self._reading = True

    def jam(self) -> None:
        """Take no bytes any more, with all buffers on the way full: the host's next write blocks."""
        self.pause_reading()
        os.set_blocking(self._slave, False)
        self._fill()

    def pace(self, size: int, interval: float) -> None:
        """Write at most `size` bytes at a time, `interval` seconds apart; size 0 ends it."""
        self._pace = (size, interval) if size else None

    def write(self, octets: bytes) -> None:
        """Send to the host; what it does not take now waits, and beyond 1 MiB is lost as in a real device."""
        if not self.is_open:
            return
        if not self._queue and self._pace is None:
            octets = octets[self._push(octets) :]
            if not octets:
                return
        if len(self._queue) < _QUEUE_LIMIT:
            self._queue += octets
        self._write_more()

    def _readable(self) -> None:
        try:
            octets = os.read(self._master, _CHUNK)
        except BlockingIOError:
            return
        self.received += len(octets)
        if octets:
            self._on_bytes(octets)

    def _fill(self) -> None:
        if self._reading or not self.is_open:
            return
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self._slave, bytes(1024))
        # Again and again: the kernel makes room behind its first refusals, and does not tell.
        asyncio.get_running_loop().call_later(_FILL_S, self._fill)

    def _push(self, octets: bytes | bytearray) -> int:
        try:
            taken = os.write(self._master, octets)
        except BlockingIOError:
            return 0
        self.sent += taken
        return taken

    def _write_more(self) -> None:
        if self._pace is not None:
            self._write_paced()
        elif not self._writing:
            asyncio.get_running_loop().add_writer(self._master, self._writable)
            self._writing = True

    def _writable(self) -> None:
        del self._queue[: self._push(self._queue)]
        if not self._queue or self._pace is not None:
            self._stop_writing()
            if self._queue:
                self._write_more()

    def _write_paced(self) -> None:
        if self._pace_timer is not None:
            return
        self._paced_step()

    def _paced_step(self) -> None:
        self._pace_timer = None
        size, interval = self._pace or (_CHUNK, 0.0)
        pushed = self._push(self._queue[:size])
        del self._queue[:pushed]
        if self._queue:
            wait = interval if pushed else max(interval, 0.01)
            self._pace_timer = asyncio.get_running_loop().call_later(wait, self._paced_step)

    def _stop_writing(self) -> None:
        if self._writing:
            asyncio.get_running_loop().remove_writer(self._master)
            self._writing = False
        if self._pace_timer is not None:
            self._pace_timer.cancel()
            self._pace_timer = None


def _another_pty(avoid: str | None) -> tuple[int, int]:
    # The kernel hands out the lowest free number; a device that was pulled out comes back under another name.
    master, slave = pty.openpty()
    if os.ttyname(slave) != avoid:
        return master, slave
    try:
        return pty.openpty()
    finally:
        for fd in (slave, master):
            with contextlib.suppress(OSError):
                os.close(fd)
