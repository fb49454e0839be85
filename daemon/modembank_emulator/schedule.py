"""Timers of the emulated world: real time plus whatever a test skipped ahead."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Timer:
    """One thing to do later; `cancel` makes it nothing."""

    __slots__ = ("action", "due")

    def __init__(self, due: float, action: Callable[[], None]) -> None:
        self.due = due
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """Never run it."""
        self.action = None


class Schedule:
    """Runs actions in order of their time; `advance` lets minutes of waiting pass at once."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._offset = 0.0
        self._wake: asyncio.TimerHandle | None = None
        self._epoch = datetime.now(UTC)
        self._started = 0.0

    def start(self) -> None:
        """Bind to the running loop."""
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()

    def close(self) -> None:
        """Forget everything that waits."""
        self._heap.clear()
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    def now(self) -> float:
        """Seconds of emulated time since the start."""
        return self._running().time() - self._started + self._offset

    def wall(self) -> datetime:
        """The emulated network's clock, in UTC."""
        return self.wall_at(self.now())

    def wall_at(self, moment: float) -> datetime:
        """The network's clock at a moment of emulated time."""
        return self._epoch + timedelta(seconds=moment)

    def after(self, delay: float, action: Callable[[], None]) -> Timer:
        """Run `action` once `delay` seconds of emulated time have passed, never within this call."""
        timer = Timer(self.now() + delay, action)
        if delay <= 0:
            self._running().call_soon(_fire, timer)
            return timer
        self._count += 1
        heapq.heappush(self._heap, (timer.due, self._count, timer))
        if self._heap[0][2] is timer:
            self._arm()
        return timer

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once, running everything that falls due, each at its own time."""
        goal = self.now() + seconds
        while self._heap and self._heap[0][0] <= goal:
            due, _, timer = heapq.heappop(self._heap)
            self._offset += max(0.0, due - self.now())
            _fire(timer)
        self._offset += max(0.0, goal - self.now())
        self._arm()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            msg = "the schedule has not been started"
            raise RuntimeError(msg)
        return self._loop

    def _arm(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        if self._heap:
            wait = max(0.0, self._heap[0][0] - self.now())
            self._wake = self._running().call_later(wait, self._run_due)

    def _run_due(self) -> None:
        self._wake = None
        while self._heap and self._heap[0][0] <= self.now():
            _fire(heapq.heappop(self._heap)[2])
        self._arm()


def _fire(timer: Timer) -> None:
    action, timer.action = timer.action, None
    if action is not None:
        action()
