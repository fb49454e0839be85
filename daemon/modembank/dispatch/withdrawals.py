"""Withdrawals: what already waits for a number that opts out is ended soon, so that people see it."""

from __future__ import annotations

import asyncio

import structlog

from modembank.events import OptOutsChanged
from modembank.messages.outbox import Outbox
from modembank.store import StoreError

_log = structlog.get_logger()


class Withdrawals:
    """Told of opt-outs on the bus, works them off in the background. The gate does not depend on it."""

    def __init__(self, outbox: Outbox) -> None:
        """At first everything is to be looked at: a daemon that was killed may have left something."""
        self._outbox = outbox
        self._numbers: dict[str, None] = {}
        self._everything = True
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
            await self._work.wait()
            self._work.clear()
            ended = 0
            if self._everything:
                ended = await self._outbox.withdraw_all()
                self._everything = False
            noted, self._numbers = self._numbers, {}
            try:
                ended += await self._outbox.withdraw(tuple(noted))
            except StoreError:
                self._numbers |= noted
                raise
            if ended:
                _log.info("messages_withdrawn", count=ended)
