"""What a SIM may send: the limits, their windows, and why something must wait."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Self

import msgspec

from modembank.config import LimitsConfig, SimLimitsConfig

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
MONTH_MS = 31 * DAY_MS
"""31 days: what holds in each of them holds in every calendar month."""


class LimitName(enum.StrEnum):
    """The limits; the values are the keys of the configuration."""

    MIN_INTERVAL = "min_interval_s"
    PER_MINUTE = "per_minute"
    PER_HOUR = "per_hour"
    PER_DAY = "per_day"
    PER_MONTH = "per_month"
    RECIPIENTS_PER_MONTH = "recipients_per_month"


class RateLimits(msgspec.Struct, frozen=True):
    """Segments per rolling window, seconds between the starts of two messages, distinct recipients; 0 means none."""

    min_interval_s: float = 0.0
    per_minute: int = 0
    per_hour: int = 0
    per_day: int = 0
    per_month: int = 0
    recipients_per_month: int = 0

    @classmethod
    def of(cls, defaults: LimitsConfig, *overrides: SimLimitsConfig | Mapping[str, float] | None) -> Self:
        """Return the box's defaults with the overrides laid over them; later ones win, None leaves as is."""
        values: dict[str, float] = {name: getattr(defaults, name) for name in LimitName}
        for override in overrides:
            for name in LimitName:
                value = override.get(name) if isinstance(override, Mapping) else getattr(override, name, None)
                if value is not None:
                    values[name] = value
        return cls(
            min_interval_s=float(values[LimitName.MIN_INTERVAL]),
            per_minute=int(values[LimitName.PER_MINUTE]),
            per_hour=int(values[LimitName.PER_HOUR]),
            per_day=int(values[LimitName.PER_DAY]),
            per_month=int(values[LimitName.PER_MONTH]),
            recipients_per_month=int(values[LimitName.RECIPIENTS_PER_MONTH]),
        )

    def cap(self, name: LimitName) -> float:
        """Return the value of one limit."""
        value: float = getattr(self, name.value)
        return value


class Denied(msgspec.Struct, frozen=True):
    """A limit says no: how much of it is used, and when the same question would be answered with yes.

    ``until`` is unix milliseconds, None when no waiting helps (more segments than the limit has in all). ``at`` is when
    it was asked. For the least interval ``cap`` is in seconds and ``used`` the whole seconds gone by.
    """

    limit: LimitName
    used: int
    cap: float
    until: int | None
    at: int

    def explain(self, label: str) -> str:
        """Return a sentence in the box's local time: "SIM slot-3: 200 of 200 this hour, next at 14:05".

        ``label`` says whose limit it is.
        """
        return f"{label}: {self._fact()}{self._next()}"

    def _fact(self) -> str:
        if self.limit is LimitName.MIN_INTERVAL:
            return f"{self.cap:g} s between messages"
        return f"{self.used} of {self.cap:g} {_PERIODS[self.limit]}"

    def _next(self) -> str:
        if self.until is None:
            return ", more than the limit allows at once"
        asked, when = _local(self.at), _local(self.until)
        if self.until - self.at < MINUTE_MS:
            return f", next at {_local(_up(self.until, 1000)):%H:%M:%S}"
        when = _local(_up(self.until, MINUTE_MS))
        if when.date() == asked.date():
            return f", next at {when:%H:%M}"
        return f", next on {when:%Y-%m-%d} at {when:%H:%M}"


_PERIODS = {
    LimitName.PER_MINUTE: "this minute",
    LimitName.PER_HOUR: "this hour",
    LimitName.PER_DAY: "in 24 hours",
    LimitName.PER_MONTH: "in 31 days",
    LimitName.RECIPIENTS_PER_MONTH: "recipients in 31 days",
}


def _local(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone()


def _up(ms: int, step: int) -> int:
    """Round up: at the time shown it must be true."""
    return -(-ms // step) * step
