"""When so many segments will have left: an estimate from the limits of SIMs, windows and quiet hours.

It assumes that nothing else is sent meanwhile, that every segment is taken at the first try by a modem that works, that
recipients live where the box is (their quiet hours are its own), and that no day has 23 or 25 hours. SIMs that are
paused send nothing. So the truth is later rather than sooner.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from itertools import accumulate
from math import inf
from operator import add

import msgspec

from modembank.decency import QuietHoursConfig
from modembank.dispatch.quiet import QuietHours
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
        short, long = (
            [(name, limit, length_s) for name, length_s in windows if (limit := getattr(sim.limits, name.value))]
            for windows in (_SHORT, _LONG)
        )
        self.pattern = Pattern(sim.limits.min_interval_s, _without_names(short), _without_names(long))
        self.left = tuple(max(limit - used.get(name, 0), 0) for name, limit, _ in (*short, *long))
        """Of each window, in the order of the pattern."""

    def segments(self, within_s: float, open_s: float | None = None) -> float:
        """Return how many it may send within a time of which so much is open, as far as limits tell."""
        return self.pattern.segments({self.left: 1}, within_s, open_s)


class Pattern(msgspec.Struct, frozen=True):
    """Limits that SIMs have in common: the least interval, and (segments, seconds) of windows."""

    interval_s: float
    short: tuple[tuple[int, int], ...]
    long: tuple[tuple[int, int], ...]

    def segments(self, left: Mapping[tuple[int, ...], int], within_s: float, open_s: float | None) -> float:
        """Return how many segments SIMs may send together; ``left`` has how many of them have so much left."""
        if open_s is None:
            open_s = within_s
        elif open_s <= 0:
            return 0.0
        grown = [limit * (open_s // length_s) for limit, length_s in self.short]
        grown += [limit * (within_s // length_s) for limit, length_s in self.long]
        most = open_s / self.interval_s if self.interval_s else inf
        if most == inf and not grown:
            most = open_s  # a segment takes seconds on the air, whatever limits say
        total: float = sum(count * min((most, *map(add, each, grown))) for each, count in left.items())
        return total


class OpenHours:
    """The time in which anything may go out, counted from a moment on; the same every day."""

    def __init__(self, windows: Sequence[str], begins_at: int, zone: tzinfo | None = None) -> None:
        """``windows`` are ``HH:MM-HH:MM`` and must all be open; ``begins_at`` is in unix ms."""
        moment = datetime.fromtimestamp(begins_at / 1000, UTC).astimezone(zone)
        self._began_s = moment.hour * 3600 + moment.minute * 60 + moment.second
        self._minutes = _open_minutes(tuple(windows))
        self._before = [0, *accumulate(60 * one for one in self._minutes)]

    def within(self, seconds: float) -> float:
        """Return how many of the next seconds are open."""
        return self._up_to(self._began_s + seconds) - self._up_to(self._began_s)

    def _up_to(self, seconds: float) -> float:
        days, rest = divmod(seconds, _DAY_S)
        minute, part = divmod(rest, 60)
        return days * self._before[-1] + self._before[int(minute)] + part * self._minutes[int(minute)]


class Finishing:
    """The box's own estimate."""

    def __init__(self, sims: Sims, quiet: QuietHours | None = None, zone: tzinfo | None = None) -> None:
        """``zone`` is the box's own when None."""
        self._sims = sims
        self._quiet = quiet or QuietHours(QuietHoursConfig())
        self._zone = zone
        self._allowed: dict[str, list[Allowance]] = {}
        self._at: int | None = None

    def needed_s(
        self, segments: float, route: str, *, rank: int, window: str | None, begins_at: int, now: int
    ) -> int | None:
        """Return how long so many segments need from a moment on (unix ms); None: more than a year, or never."""
        windows = [] if window is None else [window]
        quiet = self._quiet.rule
        if quiet.from_ and 9 - rank < quiet.exempt_priority:
            windows.append(f"{quiet.to}-{quiet.from_}")
        hours = OpenHours(windows, begins_at, self._zone) if windows else None
        return needed_s(segments, self._allowances(route, now), hours)

    def _allowances(self, route: str, now: int) -> list[Allowance]:
        """Return what the SIMs of a route may send, which at one moment is the same for all mailings of a page."""
        if now != self._at:
            self._at, self._allowed = now, {}
        if route not in self._allowed:
            self._allowed[route] = allowances(self._sims, route, now)
        return self._allowed[route]


def needed_s(segments: float, allowances: Sequence[Allowance], hours: OpenHours | None = None) -> int | None:
    """Return how long SIMs need for so many segments together; None when it would be more than a year, or never."""

    alike: dict[Pattern, Counter[tuple[int, ...]]] = {}
    for one in allowances:
        alike.setdefault(one.pattern, Counter())[one.left] += 1

    def sent(within_s: int) -> float:
        open_s = None if hours is None else hours.within(within_s)
        return sum(pattern.segments(left, within_s, open_s) for pattern, left in alike.items())

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


def _without_names(windows: Iterable[tuple[LimitName, int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple((limit, length_s) for _, limit, length_s in windows)


@lru_cache(maxsize=64)
def _open_minutes(windows: tuple[str, ...]) -> tuple[bool, ...]:
    """Return of each minute of a day whether all windows are open; many mailings have the same."""
    return tuple(all(_inside(window, minute) for window in windows) for minute in range(_MINUTES))


def _inside(window: str, minute: int) -> bool:
    return opens_at(window, minute * 60_000, UTC) is None
