"""The reading process from outside: started for one order, listened to line by line, and ended whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec
import structlog

from modembank.errors import FieldProblem, InvalidRequest, ModembankError
from modembank.mailings.model import End, Looked, Order, Piece, Said, Table, Trouble

STALL_S = 60.0
"""How long the process may say nothing while it is waited for."""
LINE_OCTETS = 1 << 20
_PASSED = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "VIRTUAL_ENV")
_decode = msgspec.json.Decoder(Said).decode
_log = structlog.get_logger()
T = TypeVar("T")
Pass = Callable[[], AsyncGenerator[Piece]]


class UnreadableFile(ModembankError):
    """The file cannot be read; the text is a sentence about it."""

    key = "unreadable_file"
    template = "the file {why}"


async def look(order: Order) -> Looked:
    """Return what a first look at a file finds; raises InvalidRequest naming the fields that do not fit it."""
    return await _found(order, Looked)


async def tabulated(order: Order) -> Table:
    """Return the first rows of a file as a table; raises InvalidRequest naming the fields that do not fit it."""
    return await _found(order, Table)


async def _found(order: Order, shape: type[T]) -> T:
    problems: list[FieldProblem] = []
    async with _lines(order) as lines:
        async for said in lines:
            if isinstance(said, shape):
                return said
            if isinstance(said, Trouble):
                problems.append(FieldProblem(said.pointer, said.detail))
    first, *others = problems or [FieldProblem("/file", "could not be read")]
    raise InvalidRequest(first, *others)


@asynccontextmanager
async def reading(order: Order) -> AsyncIterator[Pass]:
    """Yield what returns the rows of a file in pieces, once more for each time it is read.

    The process ends with the block. The iterations raise UnreadableFile.
    """
    async with _lines(order) as lines:
        yield lambda: _pieces(lines)


async def _pieces(lines: AsyncIterator[Said]) -> AsyncGenerator[Piece]:
    async for said in lines:
        if isinstance(said, Piece):
            yield said
        elif isinstance(said, Trouble):
            raise UnreadableFile(why=said.detail)
        elif isinstance(said, End):
            return
    raise UnreadableFile(why="could not be read to its end")


@asynccontextmanager
async def _lines(order: Order) -> AsyncIterator[AsyncIterator[Said]]:
    """Start the process, and end it with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "modembank.mailings.reader_process"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=LINE_OCTETS,
        env=_environment(os.environ),
        cwd="/",
        start_new_session=True,
    )
    try:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(msgspec.json.encode(order))
            process.stdin.close()
        yield _said(process)
    finally:
        # A stop may come while this ends by itself: the process is not left behind half ended.
        ending = asyncio.ensure_future(_ended(process))
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await ending
            raise


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Kill a process unless it has ended, and close what led to it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert process.stdout is not None
    # To its end, which is near: only then is the pipe closed, and not some time later by the garbage collector.
    while await process.stdout.read(LINE_OCTETS):
        pass
    await process.wait()


async def _said(process: asyncio.subprocess.Process) -> AsyncIterator[Said]:
    assert process.stdout is not None
    while True:
        try:
            async with asyncio.timeout(STALL_S):
                line = await process.stdout.readline()
        except TimeoutError:
            yield Trouble("/file", f"takes longer than {STALL_S:.0f} seconds to be read")
            return
        if not line:
            break
        yield _decode(line)
    code = await process.wait()
    if code:
        _log.warning("mailing_reader_died", code=code)
        yield Trouble("/file", _why(code))


def _why(code: int) -> str:
    if code == -signal.SIGXCPU:
        return "takes too long to be read"
    if code in (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGKILL):
        return "takes too much memory to be read"
    return "could not be read: the process that reads it ended early"


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    return {name: given[name] for name in _PASSED if name in given}
