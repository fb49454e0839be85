"""How fast a mailing went lately; what its SIMs may still send is estimated by ``dispatch/finishing.py``."""

from __future__ import annotations

from collections import deque

import msgspec

RATE_OVER_MS = 600_000
"""The rate is that of so long."""


class Forecast(msgspec.Struct, frozen=True):
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
