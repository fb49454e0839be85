"""The two clocks everything reads, behind one seam so that tests can turn them by hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS = -62_135_596_800_000
_LAST_MS = 253_402_300_799_999
"""The first and the last millisecond of the years 1 to 9999."""


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
    """Return unix milliseconds as RFC 3339 UTC with milliseconds, the form every face shows.

    A moment outside of the years 1 to 9999, which the form cannot say, is shown as the nearest that it can.
    """
    moment = _EPOCH + timedelta(milliseconds=min(max(ms, _FIRST_MS), _LAST_MS))
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
