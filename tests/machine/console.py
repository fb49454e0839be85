"""What a machine writes on its serial console, line by line, with the time of each."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

_CONTROLS = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>78cM]|[\x00-\x08\x0b-\x1f\x7f]"
)
"""Escape sequences (ECMA-48) and control characters, but for the ends of lines and tabs."""
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Line:
    """One line, without colours; ``at`` is the monotonic time at which it was complete."""

    at: float
    text: str


class NotSaid(Exception):
    """The console did not say it in time; the message has the last that it did say."""


class Lines:
    """Octets in, lines out. A cursor that is moved ends a line, as screens that are painted have no other end."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.lines: list[Line] = []
        self._rest = b""

    def feed(self, octets: bytes, at: float) -> None:
        """Take what came."""
        *whole, self._rest = re.split(rb"\r?\n|\x1b\[\d*(?:;\d*)?H", self._rest + octets)
        texts = (_CONTROLS.sub("", line.decode("utf-8", "replace")).strip() for line in whole)
        self.lines += [Line(at, text) for text in texts if text]


class Console:
    """Listens to one machine, and keeps all of it in a file too."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: Path) -> None:
        """Listen to this connection."""
        self._reader = reader
        self._writer = writer
        self._log = log
        self._said = Lines()
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._listen(), name="console")

    @property
    def lines(self) -> list[Line]:
        """All of it until now."""
        return self._said.lines

    async def close(self) -> None:
        """Hang up."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def wait_for(self, pattern: str, within_s: float, since: int = 0) -> re.Match[str]:
        """Return the first match in a line from number ``since`` on; raises NotSaid."""
        wanted, looked = re.compile(pattern), since
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while True:
                    for line in self.lines[looked:]:
                        looked += 1
                        if found := wanted.search(line.text):
                            return found
                    self._news.clear()
                    await self._news.wait()
        tail = "\n".join(line.text for line in self.lines[-_SHOWN:])
        raise NotSaid(f"{pattern!r} was not on the console within {within_s:.0f} s; the last of it:\n{tail}")

    async def _listen(self) -> None:
        with self._log.open("ab") as log, contextlib.suppress(ConnectionError):
            while octets := await self._reader.read(65536):
                log.write(octets)
                log.flush()
                self._said.feed(octets, time.monotonic())
                self._news.set()
