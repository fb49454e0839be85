"""The two clocks everything reads, behind one seam so that tests can turn them by hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for people and ledgers, monotonic time for deadlines."""

    def now(self) -> float:
        """Return seconds since 1970-01-01T00:00:00Z; may jump when the clock is set."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never goes backwards."""


class SystemClock:
    """The machine's own clocks."""

    __slots__ = ()

    def now(self) -> float:
        """Return the wall clock in unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return the monotonic clock in seconds."""
        return time.monotonic()


def to_ms(seconds: float) -> int:
    """Return unix milliseconds, the unit every stored time has."""
    return round(seconds * 1000)


def rfc3339(ms: int) -> str:
    """Return unix milliseconds as RFC 3339 UTC with milliseconds, the form every face shows."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"
