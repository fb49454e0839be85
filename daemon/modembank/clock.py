"""The two clocks everything reads, behind one seam so that tests can turn them by hand."""

from __future__ import annotations

import time
from datetime import date
from functools import lru_cache
from typing import Protocol

_EPOCH = date(1970, 1, 1).toordinal()
_FIRST_MS = -62_135_596_800_000
_LAST_MS = 253_402_300_799_999
"""The first and the last millisecond of the years 1 to 9999."""
# A page of a list has hundreds of times, and strftime() takes ten times as long as putting them together from these.
_MINUTES = tuple(f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440))
_SECONDS = tuple(f"{second:02d}." for second in range(60))
_MILLISECONDS = tuple(f"{ms:03d}Z" for ms in range(1000))


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
    minutes, rest = divmod(min(max(ms, _FIRST_MS), _LAST_MS), 60_000)
    return _day(minutes // 1440) + _MINUTES[minutes % 1440] + _SECONDS[rest // 1000] + _MILLISECONDS[rest % 1000]


@lru_cache(maxsize=1024)
def _day(number: int) -> str:
    """Return the date so many days after 1970-01-01."""
    return date.fromordinal(_EPOCH + number).isoformat()
