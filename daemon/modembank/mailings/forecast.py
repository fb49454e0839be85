"""When a mailing will have left: from what its SIMs may still send, and from how fast it went lately."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from modembank.sim import LimitName, Sim, Sims

RATE_OVER_MS = 600_000
"""The rate is that of so long."""
FARTHEST_S = 366 * 86_400
_WINDOWS = (
    (LimitName.PER_MINUTE, 60),
    (LimitName.PER_HOUR, 3_600),
    (LimitName.PER_DAY, 86_400),
    (LimitName.PER_MONTH, 31 * 86_400),
)


@dataclass(frozen=True, slots=True)
class Forecast:
    """How fast it goes, and how long it will take; None: nobody can tell, or it does not go on."""

    per_minute: float = 0.0
    eta_s: int | None = None


class Pace:
    """How many messages of one mailing had left, at the moments somebody looked."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._seen: deque[tuple[int, int]] = deque()

    def note(self, now: int, left: int) -> None:
        """So many have left by now."""
        self._seen.append((now, left))
        while len(self._seen) > 2 and now - self._seen[1][0] > RATE_OVER_MS:
            self._seen.popleft()

    @property
    def per_minute(self) -> float:
        """Messages in a minute, over the last ten."""
        if len(self._seen) < 2:
            return 0.0
        (first_at, first), (last_at, last) = self._seen[0], self._seen[-1]
        return max(last - first, 0) * 60_000 / (last_at - first_at) if last_at > first_at else 0.0


class Allowance:
    """What one SIM may send: how many segments in how many seconds from now on."""

    def __init__(self, sim: Sim, used: dict[LimitName, int]) -> None:
        """``used`` is what counts against its windows now."""
        self._interval_s = sim.limits.min_interval_s
        limits = ((getattr(sim.limits, name.value), used.get(name, 0), length_s) for name, length_s in _WINDOWS)
        self._windows = [(limit, max(limit - taken, 0), length_s) for limit, taken, length_s in limits if limit]

    def segments(self, within_s: float) -> float:
        """Return how many it may send within a time, as far as limits tell."""
        found = [within_s / self._interval_s] if self._interval_s else []
        found += [left + limit * (within_s // length_s) for limit, left, length_s in self._windows]
        return min(found, default=within_s)  # a segment takes seconds on the air, whatever the limits say


def needed_s(segments: float, allowances: Sequence[Allowance]) -> int | None:
    """Return how long SIMs need for so many segments together; None when it would be more than a year, or never."""
    if sum(one.segments(FARTHEST_S) for one in allowances) < segments:
        return None
    low, high = 0, FARTHEST_S
    while low < high:
        middle = (low + high) // 2
        if sum(one.segments(middle) for one in allowances) >= segments:
            high = middle
        else:
            low = middle + 1
    return low


def allowances(sims: Sims, route: str, now: int) -> list[Allowance]:
    """Return what the SIMs of a route (its canonical spec) may send; those that are paused may nothing."""
    return [Allowance(sim, sims.ledger(sim.id).usage(now)) for sim in _serving(sims.all(), route) if not sim.paused]


class _Spec(msgspec.Struct, frozen=True):
    sims: tuple[int, ...] = ()
    pool: str | None = None


def _serving(sims: Iterable[Sim], route: str) -> list[Sim]:
    spec = msgspec.json.decode(route, type=_Spec)
    if spec.pool is not None:
        return [sim for sim in sims if sim.label == spec.pool]
    return [sim for sim in sims if not spec.sims or sim.id in spec.sims]
