"""The distinct recipients of one SIM in 31 days: some operators cut SIMs off that write to too many."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from modembank.sim.limits import MONTH_MS

_PAST_KEPT = 5_000


class Recipients:
    """Remembers when each recipient was last written to; exact, unlike the windows.

    Memory is bounded by the limit itself, which is why nothing is kept without one. The newest entries that left the
    window stay in case the clock is set back.
    """

    __slots__ = ("_last", "_past", "kept")

    def __init__(self) -> None:
        """Start empty, and keep nothing until keep()."""
        self.kept = False
        self._last: OrderedDict[str, int] = OrderedDict()  # oldest first
        self._past: OrderedDict[str, int] = OrderedDict()  # left the window

    def keep(self) -> None:
        """Remember recipients from now on."""
        self.kept = True

    def drop(self) -> None:
        """Forget all and keep nothing more."""
        self.kept = False
        self._last.clear()
        self._past.clear()

    def add(self, now: int, recipient: str) -> None:
        """Note that the recipient is written to now."""
        if self.kept:
            self.used(now)
            self._last[recipient] = now
            self._last.move_to_end(recipient)

    def used(self, now: int) -> int:
        """Return how many distinct recipients count now."""
        while self._last:
            recipient, at = next(iter(self._last.items()))
            if at + MONTH_MS > now:
                break
            del self._last[recipient]
            self._past[recipient] = at
            self._past.move_to_end(recipient)
            if len(self._past) > _PAST_KEPT:
                self._past.popitem(last=False)
        return len(self._last)

    def free_at(self, now: int, recipient: str, cap: int) -> int:
        """Return when one may write to the recipient under ``cap``: now, or the later time."""
        too_many = self.used(now) + 1 - cap
        if too_many <= 0 or recipient in self._last:
            return now
        for nth, at in enumerate(self._last.values(), 1):
            if nth == too_many:
                return at + MONTH_MS
        return now  # not reached: a cap is at least 1

    def turn_back(self, now: int) -> None:
        """The clock was set back to ``now``: the future counts as now, what left may be inside again."""
        self.merge({}, now)

    def merge(self, others: Mapping[str, int], now: int) -> None:
        """Add recipients with when they were last written to; the later time counts, but none after ``now``."""
        latest: dict[str, int] = {}
        for source in (self._past, self._last, others):
            for recipient, at in source.items():
                latest[recipient] = max(min(at, now), latest.get(recipient, 0))
        self._past.clear()
        self._last = OrderedDict(sorted(latest.items(), key=lambda entry: entry[1]))
        self.used(now)

    def last_seen(self) -> Mapping[str, int]:
        """Return the recipients that count, with when they were last written to."""
        return self._last
