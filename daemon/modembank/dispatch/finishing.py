"""When so many segments will have left: an estimate from the limits of SIMs, windows and quiet hours.

It assumes that nothing else is sent meanwhile, that every segment is taken at the first try by a modem that works, that
recipients live where the box is (their quiet hours are its own), and that no day has 23 or 25 hours. SIMs that are
paused send nothing. So the truth is later rather than sooner.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from itertools import accumulate

import msgspec

from modembank.decency import QuietHoursConfig
from modembank.dispatch.window import opens_at
from modembank.sim import LimitName, Sim, Sims

FARTHEST_S = 366 * 86_400
_DAY_S = 86_400
_MINUTES = 1_440
# Those of up to an hour fill up while anything may go out, those of a day or more at any time.
_SHORT = ((LimitName.PER_MINUTE, 60), (LimitName.PER_HOUR, 3_600))
_LONG = ((LimitName.PER_DAY, _DAY_S), (LimitName.PER_MONTH, 31 * _DAY_S))


class Allowance:
    """What one SIM may send: how many segments in how many seconds from now on."""

    def __init__(self, sim: Sim, used: dict[LimitName, int]) -> None:
        """``used`` is what counts against its windows now."""
        self._interval_s = sim.limits.min_interval_s
        self._short, self._long = (
            [
                (limit, max(limit - used.get(name, 0), 0), length_s)
                for name, length_s in windows
                if (limit := getattr(sim.limits, name.value))
            ]
            for windows in (_SHORT, _LONG)
        )

    def segments(self, within_s: float, open_s: float | None = None) -> float:
        """Return how many it may send within a time of which so much is open, as far as limits tell."""
        if open_s is None:
            open_s = within_s
        elif open_s <= 0:
            return 0.0
        found = [open_s / self._interval_s] if self._interval_s else []
        found += [left + limit * (open_s // length_s) for limit, left, length_s in self._short]
        found += [left + limit * (within_s // length_s) for limit, left, length_s in self._long]
        return min(found, default=open_s)  # a segment takes seconds on the air, whatever limits say


class OpenHours:
    """The time in which anything may go out, counted from a moment on; the same every day."""

    def __init__(self, windows: Sequence[str], begins_at: int, zone: tzinfo | None = None) -> None:
        """``windows`` are ``HH:MM-HH:MM`` and must all be open; ``begins_at`` is in unix ms."""
        moment = datetime.fromtimestamp(begins_at / 1000, UTC).astimezone(zone)
        self._began_s = moment.hour * 3600 + moment.minute * 60 + moment.second
        is_open = [all(_inside(window, minute) for window in windows) for minute in range(_MINUTES)]
        self._minutes = is_open
        self._before = [0, *accumulate(60 * one for one in is_open)]

    def within(self, seconds: float) -> float:
        """Return how many of the next seconds are open."""
        return self._up_to(self._began_s + seconds) - self._up_to(self._began_s)

    def _up_to(self, seconds: float) -> float:
        days, rest = divmod(seconds, _DAY_S)
        minute, part = divmod(rest, 60)
        return days * self._before[-1] + self._before[int(minute)] + part * self._minutes[int(minute)]


class Finishing:
    """The box's own estimate."""

    def __init__(self, sims: Sims, quiet: QuietHoursConfig | None = None, zone: tzinfo | None = None) -> None:
        """``zone`` is the box's own when None."""
        self._sims = sims
        self._quiet = quiet or QuietHoursConfig()
        self._zone = zone

    def needed_s(
        self, segments: float, route: str, *, rank: int, window: str | None, begins_at: int, now: int
    ) -> int | None:
        """Return how long so many segments need from a moment on (unix ms); None: more than a year, or never."""
        windows = [] if window is None else [window]
        if self._quiet.from_ and 9 - rank < self._quiet.exempt_priority:
            windows.append(f"{self._quiet.to}-{self._quiet.from_}")
        hours = OpenHours(windows, begins_at, self._zone) if windows else None
        return needed_s(segments, allowances(self._sims, route, now), hours)


def needed_s(segments: float, allowances: Sequence[Allowance], hours: OpenHours | None = None) -> int | None:
    """Return how long SIMs need for so many segments together; None when it would be more than a year, or never."""

    def sent(within_s: int) -> float:
        open_s = None if hours is None else hours.within(within_s)
        return sum(one.segments(within_s, open_s) for one in allowances)

    if sent(FARTHEST_S) < segments:
        return None
    low, high = 0, FARTHEST_S
    while low < high:
        middle = (low + high) // 2
        if sent(middle) >= segments:
            high = middle
        else:
            low = middle + 1
    return low


def allowances(sims: Sims, route: str, now: int) -> list[Allowance]:
    """Return what the SIMs of a route (its canonical spec) may send; those that are paused may nothing."""
    return [Allowance(sim, sims.ledger(sim.id).usage(now)) for sim in serving(sims.all(), route) if not sim.paused]


class _Spec(msgspec.Struct, frozen=True):
    sims: tuple[int, ...] = ()
    pool: str | None = None


def serving(sims: Iterable[Sim], route: str) -> list[Sim]:
    """Return the SIMs that a route (its canonical spec) names."""
    spec = msgspec.json.decode(route, type=_Spec)
    if spec.pool is not None:
        return [sim for sim in sims if sim.label == spec.pool]
    return [sim for sim in sims if not spec.sims or sim.id in spec.sims]


def _inside(window: str, minute: int) -> bool:
    return opens_at(window, minute * 60_000, UTC) is None
