"""QEMU's monitor for programs: one JSON object a line (docs/interop/qmp-spec of QEMU)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

_WITHIN_S = 30.0
_GONE = {"error": {"desc": "the machine is gone"}}


class Refused(Exception):
    """QEMU says no, in its own words."""


class Qmp:
    """Asks one machine; what it tells unasked is kept until somebody waits for it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use a connection; ``connect`` makes one and greets."""
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._events: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self._gone = False
        self._task = asyncio.create_task(self._listen(), name="qmp")

    @classmethod
    async def connect(cls, path: Path) -> Qmp:
        """Connect to a machine that listens there, and greet."""
        qmp = cls(*await asyncio.open_unix_connection(path))
        await qmp._answers.get()  # the greeting
        await qmp.ask("qmp_capabilities")
        return qmp

    async def close(self) -> None:
        """Hang up; the machine goes on."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def ask(self, command: str, **arguments: object) -> Any:
        """Carry out a command and return its value; raises Refused, TimeoutError."""
        async with self._turn, asyncio.timeout(_WITHIN_S):
            self._writer.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
            answer = _GONE if self._gone else await self._answers.get()
        if "error" in answer:
            raise Refused(f"{command}: {answer['error']['desc']}")
        return answer.get("return")

    async def told(self, event: str, within_s: float = _WITHIN_S, **data: object) -> dict[str, Any]:
        """Return an event with these data, now or when it comes, and forget it; raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while True:
                for one in self._events:
                    details = one.get("data", {})
                    if one["event"] == event and all(details.get(name) == value for name, value in data.items()):
                        self._events.remove(one)
                        return one
                self._news.clear()
                await self._news.wait()

    async def _listen(self) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await self._reader.readline():
                said = json.loads(line)
                if "event" in said:
                    self._events.append(said)
                    self._news.set()
                else:
                    self._answers.put_nowait(said)
        # For whoever asks now, and the next.
        self._answers.put_nowait(_GONE)
        self._gone = True
