"""Withdrawals: what already waits for a number that opts out is ended soon, so that people see it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from modembank.clock import Clock, to_ms
from modembank.events import OptOutsChanged
from modembank.messages.outbox import Outbox
from modembank.store import StoreError

LOOK_S = 30.0
"""How often the store is asked for opt-outs that were written beside the daemon, by ``modembank optout``."""
_log = structlog.get_logger()


class Withdrawals:
    """Told of opt-outs on the bus, works them off in the background. The gate does not depend on it."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        """At first everything is to be looked at: a daemon that was killed may have left something."""
        self._outbox = outbox
        self._clock = clock
        self._numbers: dict[str, None] = {}
        self._everything = True
        self._seen = (0, "")
        """Up to where the store was asked: (unix ms, number)."""
        self._work = asyncio.Event()

    def note(self, event: OptOutsChanged) -> None:
        """Numbers have opted out, or in again."""
        if event.out:
            self._numbers.update(dict.fromkeys(event.numbers))
            self._work.set()

    async def run(self) -> None:
        """Withdraw for ever; raises StoreError when the store cannot be written, what was noted is kept."""
        self._work.set()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._work.wait()
            self._work.clear()
            ended = 0
            if self._everything:
                self._seen = (to_ms(self._clock.now()), "")
                ended = await self._outbox.withdraw_all()
                self._everything = False
            await self._look()
            noted, self._numbers = self._numbers, {}
            try:
                ended += await self._outbox.withdraw(tuple(noted))
            except StoreError:
                self._numbers |= noted
                raise
            if ended:
                _log.info("messages_withdrawn", count=ended)

    async def _look(self) -> None:
        """Note what was written since the last look; what a clock that was set back hides, the gate sees."""
        self._seen = min(self._seen, (to_ms(self._clock.now()), ""))
        while found := await self._outbox.opted_out_after(self._seen):
            self._numbers.update(dict.fromkeys(number for _, number in found))
            self._seen = found[-1]
