"""Talk to a bank in another process, or start one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

_LINE_LIMIT = 1 << 26


class ControlError(Exception):
    """The bank refused a request."""


class ControlClient:
    """Async context manager over the control socket; one request at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_unix_connection(self._path, limit=_LINE_LIMIT)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(ConnectionError):  # the bank may be gone first
                await self._writer.wait_closed()

    async def request(self, op: str, **details: Any) -> Any:
        """Send one request and return its value; ControlError when refused, ConnectionError when the bank is gone."""
        if self._reader is None or self._writer is None:
            msg = "not connected"
            raise ConnectionError(msg)
        async with self._turn:
            self._writer.write(json.dumps({"op": op, **details}).encode() + b"\n")
            await self._writer.drain()
            line = await self._reader.readline()
        if not line:
            msg = "the bank closed the control socket"
            raise ConnectionError(msg)
        answer = json.loads(line)
        if not answer["ok"]:
            raise ControlError(answer["error"])
        return answer["value"]

    async def ledger(self, which: str = "ledger", since: int = 0) -> list[dict[str, Any]]:
        """Entries of ledger, outside, inbound or reports from number `since` on."""
        entries: list[dict[str, Any]] = await self.request("ledger", which=which, since=since)
        return entries

    async def inject(self, to: str, text: str | None = None, **details: Any) -> list[str]:
        """Send an inbound message; details as in `Network.inject`."""
        pdus: list[str] = await self.request("inject", to=to, text=text, **details)
        return pdus

    async def fault(self, modem: int, kind: str, **details: Any) -> None:
        """Arm a fault, or set a standing one (mute, noise, pace, stop_reading, pin, credit, ... or clear)."""
        await self.request("fault", modem=modem, kind=kind, **details)

    async def unplug(self, modem: int) -> None:
        """Pull a modem out."""
        await self.request("unplug", modem=modem)

    async def replug(self, modem: int, sim: int | str | None = None) -> dict[str, Any]:
        """Plug it in again, perhaps with another SIM; returns its description once it has booted."""
        described: dict[str, Any] = await self.request("replug", modem=modem, sim=sim)
        return described

    async def cell(self, up: bool, modems: list[int] | None = None) -> None:
        """Lose or restore the cell."""
        await self.request("cell", up=up, modems=modems)

    async def plan_reports(self, number: str, plan: str) -> None:
        """Choose a named report plan for a number."""
        await self.request("plan", number=number, plan=plan)

    async def refuse(self, number: str, code: int | None) -> None:
        """Refuse messages to a number with a cause, or accept them again."""
        await self.request("refuse", number=number, code=code)

    async def advance(self, seconds: float) -> None:
        """Let emulated time pass."""
        await self.request("advance", seconds=seconds)

    async def clear(self) -> None:
        """Forget the ledgers."""
        await self.request("clear")

    async def stats(self) -> dict[str, Any]:
        """Counters of the network and each modem."""
        stats: dict[str, Any] = await self.request("stats")
        return stats


@dataclass(frozen=True, slots=True)
class RunningBank:
    """A bank in a process of its own: what it printed when ready, its control client and process id."""

    ready: dict[str, Any]
    control: ControlClient
    pid: int

    @property
    def paths(self) -> list[Path]:
        """Links of the modems, in order."""
        return [Path(modem["path"]) for modem in self.ready["modems"]]


@asynccontextmanager
async def spawn_bank(folder: Path, *arguments: str) -> AsyncIterator[RunningBank]:
    """Run `python -m modembank_emulator` with links and socket in `folder`; ends it with SIGTERM."""
    socket = folder / "control.sock"
    fixed = ("--link-dir", str(folder), "--control", str(socket))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "modembank_emulator",
        *fixed,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE_LIMIT,
    )
    try:
        line = await process.stdout.readline() if process.stdout is not None else b""
        if not line:
            msg = f"the emulator ended with {await process.wait()} before it was ready"
            raise ControlError(msg)
        async with ControlClient(socket) as control:
            yield RunningBank(json.loads(line), control, process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
