"""Carrying out steps over httpx, with asyncio and without: the only part of the client that knows either."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any, TypeVar

import httpx

from modembank.client.exchange import Give, Items, Lost, Open, Read, Request, Response, Retry, Steps, Wait

T = TypeVar("T")
CONNECT_TIMEOUT_S = 5.0
_BEFORE_IT_WAS_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class SyncRunner:
    """Carries out steps in the calling thread."""

    def __init__(self, http: httpx.Client, retry: Retry) -> None:
        """Use these."""
        self.http = http
        self.retry = retry

    def run(self, steps: Steps[T]) -> T:
        """Carry out a piece of work and return its result."""
        came: Any = None
        try:
            while True:
                came = self._do(steps.send(came), ExitStack())[0]
        except StopIteration as end:
            result: T = end.value
            return result

    def iterate(self, steps: Items[T]) -> Iterator[T]:
        """Carry out a piece of work and hand out what it gives."""
        came: Any = None
        chunks: Iterator[bytes] = iter(())
        with ExitStack() as opened:
            while True:
                try:
                    step = steps.send(came)
                except StopIteration:
                    return
                came = None
                if isinstance(step, Give):
                    yield step.item
                elif isinstance(step, Read):
                    came = self._read(chunks)
                else:
                    opened.close()
                    came, chunks = self._do(step, opened)

    def _do(
        self, step: Request | Open | Read | Wait, opened: ExitStack
    ) -> tuple[Response | Lost | None, Iterator[bytes]]:
        nothing: Iterator[bytes] = iter(())
        if isinstance(step, Wait):
            time.sleep(step.seconds)
            return None, nothing
        assert isinstance(step, Request | Open)
        request = step if isinstance(step, Request) else step.request
        try:
            with ExitStack() as guarded:
                answer = guarded.enter_context(self.http.stream(**_arguments(request, self.http.timeout)))
                if isinstance(step, Open) and answer.status_code == 200:
                    opened.push(guarded.pop_all())
                    return Response(200, _headers(answer)), answer.iter_bytes()
                return Response(answer.status_code, _headers(answer), answer.read()), nothing
        except httpx.HTTPError as error:
            return _lost(error), nothing

    @staticmethod
    def _read(chunks: Iterator[bytes]) -> bytes | Lost | None:
        try:
            return next(chunks, None)
        except httpx.HTTPError as error:
            return _lost(error)


class AsyncRunner:
    """Carries out steps on the running event loop."""

    def __init__(self, http: httpx.AsyncClient, retry: Retry) -> None:
        """Use these."""
        self.http = http
        self.retry = retry

    async def run(self, steps: Steps[T]) -> T:
        """Carry out a piece of work and return its result."""
        came: Any = None
        while True:
            try:
                step = steps.send(came)
            except StopIteration as end:
                result: T = end.value
                return result
            came = (await self._do(step, AsyncExitStack()))[0]

    async def iterate(self, steps: Items[T]) -> AsyncIterator[T]:
        """Carry out a piece of work and hand out what it gives."""
        came: Any = None
        chunks: AsyncIterator[bytes] | None = None
        async with AsyncExitStack() as opened:
            while True:
                try:
                    step = steps.send(came)
                except StopIteration:
                    return
                came = None
                if isinstance(step, Give):
                    yield step.item
                elif isinstance(step, Read):
                    came = await self._read(chunks)
                else:
                    await opened.aclose()
                    came, chunks = await self._do(step, opened)

    async def _do(
        self, step: Request | Open | Read | Wait, opened: AsyncExitStack
    ) -> tuple[Response | Lost | None, AsyncIterator[bytes] | None]:
        if isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
            return None, None
        assert isinstance(step, Request | Open)
        request = step if isinstance(step, Request) else step.request
        try:
            async with AsyncExitStack() as guarded:
                answer = await guarded.enter_async_context(self.http.stream(**_arguments(request, self.http.timeout)))
                if isinstance(step, Open) and answer.status_code == 200:
                    opened.push_async_exit(guarded.pop_all())
                    return Response(200, _headers(answer)), answer.aiter_bytes()
                return Response(answer.status_code, _headers(answer), await answer.aread()), None
        except httpx.HTTPError as error:
            return _lost(error), None

    @staticmethod
    async def _read(chunks: AsyncIterator[bytes] | None) -> bytes | Lost | None:
        if chunks is None:
            return None
        try:
            return await anext(chunks, None)
        except httpx.HTTPError as error:
            return _lost(error)


def _arguments(request: Request, usual: httpx.Timeout) -> dict[str, Any]:
    """Return what httpx is asked; a request that listens for long brings the time it may be silent."""
    timeout = usual if request.read_timeout_s is None else httpx.Timeout(request.read_timeout_s, connect=usual.connect)
    return {
        "method": request.method,
        "url": request.path,
        "content": request.body,
        "headers": dict(request.headers),
        "timeout": timeout,
    }


def _headers(answer: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def _lost(error: httpx.HTTPError) -> Lost:
    reason = str(error) or type(error).__name__
    return Lost(reason, maybe_done=not isinstance(error, _BEFORE_IT_WAS_SENT))
