"""Looking: one loop for each check, woken by its events; a check that fails or hangs stops no other and is seen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import msgspec
import structlog

from modembank.bus import Bus
from modembank.events import Event, ModemStateChanged
from modembank.health.book import Book
from modembank.health.model import Finding
from modembank.health.parts import Check
from modembank.health.surroundings import Surroundings
from modembank.store import StoreClosed
from modembank.supervision import Supervisor

MOST_S = 60.0
"""A look that takes longer counts as failed."""
FAILED_KIND = "issue_check_failed"
"""The check that tells of failed checks."""
_log = structlog.get_logger()


class Pace(msgspec.Struct, frozen=True):
    """How fast it goes; tests turn it."""

    rest_s: float = 1.0
    """Between two looks of one check, however many events come."""
    most_s: float = MOST_S
    settle_share: float = 1.0
    """Of the time for which something must be gone before its issue is cleared."""


PACE = Pace()


class _Watched(msgspec.Struct, eq=False):
    check: Check
    wake: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    one: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)


class Looker:
    """Runs the checks."""

    def __init__(self, checks: Iterable[Check], around: Surroundings, book: Book, bus: Bus) -> None:
        """Look at nothing until started or asked."""
        self._around = around
        self._book = book
        self._bus = bus
        self._watched = {check.kind: _Watched(check) for check in checks}
        self._unsubscribe: list[Callable[[], None]] = []

    def start(self, supervisor: Supervisor) -> None:
        """Begin all loops."""
        self._unsubscribe.append(self._bus.subscribe(ModemStateChanged, self._around.memory.note))
        for kind, watched in self._watched.items():
            for event in watched.check.on:
                self._unsubscribe.append(self._bus.subscribe(event, _waker(watched)))
            supervisor.start(f"health[{kind}]", _loop_of(self, watched))

    def stop(self) -> None:
        """Hear no more events; the loops belong to the supervisor."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe.clear()

    def wake(self, kind: str) -> None:
        """Have a check look soon."""
        if kind in self._watched:
            self._watched[kind].wake.set()

    async def look(self, kind: str, *, at_once: bool = False) -> float | None:
        """Look now; return in how many seconds to look again when that is sooner than usual.

        ``at_once``: what is gone is cleared without waiting for it to stay so.
        """
        watched = self._watched[kind]
        async with watched.one:
            findings = await self._findings(watched.check)
            if findings is None:
                return None
            settle_s = 0.0 if at_once else watched.check.settle_s * PACE.settle_share
            return await self._book.apply(kind, findings, settle_s)

    async def run(self, watched: _Watched) -> None:
        """Look at one thing for ever."""
        while True:
            watched.wake.clear()
            again_s = await self.look(watched.check.kind)
            await asyncio.sleep(PACE.rest_s)
            period_s = watched.check.every_s if again_s is None else min(watched.check.every_s, again_s)
            try:
                async with asyncio.timeout(period_s):
                    await watched.wake.wait()
            except TimeoutError:
                continue

    async def _findings(self, check: Check) -> list[Finding] | None:
        """Return what a check finds, None when it failed: then its issues stay as they are."""
        task = asyncio.create_task(self._ask(check), name=f"health[{check.kind}].look")
        try:
            await asyncio.wait([task], timeout=PACE.most_s)
        finally:
            hung = not task.done()
            task.cancel()
        if hung or task.cancelled():
            self._failed(check.kind, TimeoutError(f"it did not end within {PACE.most_s:g} s"))
            return None
        error = task.exception()
        if isinstance(error, StoreClosed):
            return None
        if error is not None:
            self._failed(check.kind, error)
            return None
        if self._around.memory.failed_checks.pop(check.kind, None) is not None:
            self.wake(FAILED_KIND)
        return task.result()

    async def _ask(self, check: Check) -> list[Finding]:
        return list(await check.look(self._around, self._book.standing(check.kind)))

    def _failed(self, kind: str, error: BaseException) -> None:
        said = f"{type(error).__name__}: {error}"[:300]
        failed = self._around.memory.failed_checks
        if failed.get(kind) != said:
            _log.error("check_failed", kind=kind, error=said, exc_info=error)
            self.wake(FAILED_KIND)
        failed[kind] = said


def _waker(watched: _Watched) -> Callable[[Event], None]:
    return lambda _: watched.wake.set()


def _loop_of(looker: Looker, watched: _Watched) -> Callable[[], Awaitable[None]]:
    return lambda: looker.run(watched)
