"""Who may speak next: one command at a time, sending first, yet nobody for ever last."""

from __future__ import annotations

import asyncio
from collections import deque

_URGENT_RUN = 4
"""So many urgent turns in a row may pass a waiting ordinary one: inbound messages must be read, or the memory fills."""


class Turns:
    """A lock with two queues; ownership is handed over directly."""

    __slots__ = ("_held", "_ordinary", "_run", "_urgent")

    def __init__(self) -> None:
        """Start free."""
        self._held = False
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._ordinary: deque[asyncio.Future[None]] = deque()
        self._run = 0

    @property
    def held(self) -> bool:
        """Whether somebody speaks."""
        return self._held

    async def take(self, *, urgent: bool = False) -> None:
        """Wait for the turn; pair it with ``give``."""
        if not self._held:
            self._held = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._urgent if urgent else self._ordinary).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give()
            raise

    def give(self) -> None:
        """End the turn; the next in line has it at once."""
        while (queue := self._next()) is not None:
            turn = queue.popleft()
            if not turn.done():
                self._run = self._run + 1 if queue is self._urgent else 0
                turn.set_result(None)
                return
        self._held = False
        self._run = 0

    def _next(self) -> deque[asyncio.Future[None]] | None:
        if self._urgent and not (self._ordinary and self._run >= _URGENT_RUN):
            return self._urgent
        return self._ordinary or self._urgent or None
