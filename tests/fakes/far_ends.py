"""Ptys with something behind them that answers AT, or does not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
from collections.abc import Iterator
from pathlib import Path


class FarEnd:
    """A pty that notes what it is told, and may answer."""

    def __init__(self, says: bytes = b"\r\nOK\r\n") -> None:
        self.master, slave = os.openpty()
        tty.setraw(self.master)
        os.set_blocking(self.master, False)
        self.path = Path(os.ttyname(slave))
        self._slave = slave
        self.says = says
        self.heard = b""
        asyncio.get_running_loop().add_reader(self.master, self._read)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.heard += os.read(self.master, 1024)
            if self.heard.endswith(b"AT\r") and self.says:
                os.write(self.master, self.says)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.master)
        os.close(self.master)
        os.close(self._slave)


@contextlib.contextmanager
def far_ends(*says: bytes) -> Iterator[list[FarEnd]]:
    ends = [FarEnd(one) for one in says]
    try:
        yield ends
    finally:
        for end in ends:
            end.close()
