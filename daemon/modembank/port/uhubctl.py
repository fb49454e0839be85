"""Debian's uhubctl: how it is called, how long it may take, and what its output means."""

from __future__ import annotations

import asyncio
import os
import re
import shutil

import msgspec

PROGRAM = "uhubctl"
CYCLE_S = 5.0
"""For off, two seconds of darkness, and on."""
SWITCH_S = 2.0
"""For one look or one switching."""
_OFF_S = 2
_ELSEWHERE = "/usr/sbin:/sbin:/usr/local/sbin"  # not on the path of an ordinary user
_HUB = re.compile(r"(?P<when>Current|New) status for hub (?P<hub>\d+(?:-\d+(?:\.\d+)*)?) \[(?P<about>.*)\]")
_PORT = re.compile(r"  Port (?P<port>\d+): [0-9a-f]{4}(?P<words>(?: [A-Za-z0-9.]+)*)(?: \[.*\])?")
_SENT = re.compile(r"Sent power (?P<what>off|on) request")


class HubError(Exception):
    """The power of a hub's port was not switched; the text says why."""


class _CutShortError(HubError):
    """uhubctl was ended before it was done."""


class HubStatus(msgspec.Struct):
    """One block of uhubctl's output: a hub with the ports that were asked for."""

    new: bool
    """After a request rather than before."""
    hub: str
    about: str
    after: str | None
    """The request before it: off, on, or none yet."""
    ports: dict[int, frozenset[str]] = msgspec.field(default_factory=dict)
    """By number, the words that describe it; ``off`` without power."""


def parse(output: str) -> list[HubStatus]:
    """Read what uhubctl printed. Raises HubError at the first line that it does not know."""
    found: list[HubStatus] = []
    after: str | None = None
    for line in output.splitlines():
        if hub := _HUB.fullmatch(line):
            found.append(HubStatus(hub["when"] == "New", hub["hub"], hub["about"], after))
        elif (port := _PORT.fullmatch(line)) and found:
            found[-1].ports[int(port["port"])] = frozenset(port["words"].split())
        elif sent := _SENT.fullmatch(line):
            after = sent["what"]
        elif line.strip():
            message = f"uhubctl says what is not understood: {line[:80]!r}"
            raise HubError(message)
    return found


class Uhubctl:
    """Calls the program; without a shell, bounded in time, and one that began to cycle is let finish."""

    def __init__(self, program: str = PROGRAM) -> None:
        """``program`` is a name to be found, or a path."""
        self._program = program

    def found(self) -> str | None:
        """Return the program's path, or None when it is not installed."""
        return shutil.which(self._program, path=f"{os.environ.get('PATH', '')}:{_ELSEWHERE}")

    async def look(self, hub: str) -> HubStatus:
        """Return a hub that switches each of its ports. Raises HubError: it is none, or may not be asked."""
        output = await self._run(SWITCH_S, "-N", "-l", hub)
        for status in parse(output):
            if status.hub == hub:
                return status
        message = f"uhubctl does not speak of hub {hub}"
        raise HubError(message)

    async def cycle(self, hub: str, port: int | None) -> None:
        """Switch a port (None: all of the hub) off and on again. Raises HubError unless it was seen to be off.

        A cancelled caller waits for its end: a cycle that is cut off would leave the port without power.
        """
        cycling = asyncio.create_task(self._cycle(hub, port), name=f"uhubctl[{hub}]")
        try:
            await asyncio.shield(cycling)
        except asyncio.CancelledError:
            await asyncio.wait([cycling])
            cycling.exception()  # nobody is left to be told
            raise

    async def _cycle(self, hub: str, port: int | None) -> None:
        which = ("-N", "-l", hub) if port is None else ("-N", "-l", hub, "-p", str(port))
        try:
            output = await self._run(CYCLE_S, *which, "-a", "cycle", "-d", str(_OFF_S))
        except _CutShortError:
            await self._run(SWITCH_S, *which, "-a", "on")  # it may have been between off and on
            raise
        dark = [status for status in parse(output) if status.new and status.after == "off" and status.hub == hub]
        words = [words for status in dark for number, words in status.ports.items() if port in {None, number}]
        if not words or any("off" not in described for described in words):
            message = f"port {port or 'all'} of hub {hub} keeps its power"
            raise HubError(message)

    async def _run(self, limit_s: float, *arguments: str) -> str:
        """Return the standard output. Raises HubError when it cannot be run, fails, or takes too long."""
        program = self.found()
        if program is None:
            message = f"{self._program} is not installed"
            raise HubError(message)
        try:
            process = await asyncio.create_subprocess_exec(
                program, *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE, env={**os.environ, "LC_ALL": "C"},
            )  # fmt: skip
        except OSError as error:
            message = f"{program} cannot be run: {error.strerror}"
            raise HubError(message) from error
        output, complaint = await _ended(process, limit_s)
        if process.returncode != 0:
            said = complaint.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
            message = f"uhubctl: {said[0][:120]}"
            raise HubError(message)
        return output.decode("utf-8", "replace")


async def _ended(process: asyncio.subprocess.Process, limit_s: float) -> tuple[bytes, bytes]:
    """Return what a process wrote. Raises HubError when it was not done in time; it is ended then."""
    written = asyncio.ensure_future(process.communicate())
    try:
        await asyncio.wait([written], timeout=limit_s)
    finally:
        if not written.done():
            process.kill()
            await asyncio.wait([written])
    if process.returncode is not None and process.returncode < 0:
        message = f"uhubctl was not done within {limit_s:g} s"
        raise _CutShortError(message)
    return written.result()
