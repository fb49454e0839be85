"""Whether the hub sees its boxes: what it has not heard while it was away, or asleep, is no news of theirs."""

from __future__ import annotations

from modembank.clock import Clock

MOST_BETWEEN_S = 60.0
"""Between two looks; after more the hub was asleep, or could not write."""
_JUMP_S = 30.0
"""By which the wall clock may differ from the one that never jumps."""


class Sight:
    """Is blind from the start, and again after each gap, until boxes have had the time to speak."""

    def __init__(self, clock: Clock) -> None:
        """Nothing is seen yet."""
        self._clock = clock
        self._looked: tuple[float, float] | None = None
        self._blind_at: float | None = None
        """Monotonic seconds of the last look at which nothing could be seen."""

    def look(self, *, connected: bool, settle_s: float) -> bool:
        """Return whether boxes that are not heard are really silent.

        ``settle_s`` is how long all boxes may take to speak once the hub is back.
        """
        steady, wall = self._clock.monotonic(), self._clock.now()
        if not connected or self._gap(steady, wall):
            self._blind_at = steady
        self._looked = steady, wall
        return self._blind_at is None or steady - self._blind_at >= settle_s

    def _gap(self, steady: float, wall: float) -> bool:
        if self._looked is None:
            return True
        passed = steady - self._looked[0]
        return passed > MOST_BETWEEN_S or abs(wall - self._looked[1] - passed) > _JUMP_S
