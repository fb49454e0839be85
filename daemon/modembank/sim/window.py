"""A rolling window that counts segments in buckets."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec


class Bucket(msgspec.Struct):
    """Segments that count as one: all of them as made at ``last_at``, the time of the newest (unix milliseconds)."""

    last_at: int
    segments: int


class RollingWindow:
    """Counts the segments made in the last ``length_ms``, in buckets of ``width_ms``.

    The window at a time t is the half-open (t - length, t]. A bucket counts as a whole until its newest segment leaves
    the window, so the count is never too low, and too high by no more than what one bucket width holds. Memory is
    bounded: about length / width buckets inside, and as many that left it, kept in case the clock is set back.

    The methods need a time that does not go back; whoever owns the window calls turn_back() when it did.
    """

    __slots__ = ("_inside", "_left", "_total", "length_ms", "width_ms")

    def __init__(self, length_ms: int, width_ms: int) -> None:
        """Start empty."""
        self.length_ms = length_ms
        self.width_ms = width_ms
        self._inside: deque[Bucket] = deque()
        self._left: deque[Bucket] = deque(maxlen=length_ms // width_ms + 2)
        self._total = 0

    def add(self, now: int, segments: int) -> None:
        """Count segments made now."""
        self.used(now)
        newest = self._inside[-1] if self._inside else None
        if newest is not None and newest.last_at // self.width_ms == now // self.width_ms:
            newest.segments += segments
            newest.last_at = now
        else:
            self._inside.append(Bucket(now, segments))
        self._total += segments

    def used(self, now: int) -> int:
        """Return the segments that count now."""
        while self._inside and self._inside[0].last_at + self.length_ms <= now:
            bucket = self._inside.popleft()
            self._total -= bucket.segments
            self._left.append(bucket)
        return self._total

    def free_at(self, now: int, segments: int, cap: int) -> int | None:
        """Return when ``segments`` more would fit under ``cap``: now, later, or None for never."""
        if segments > cap:
            return None
        too_many = self.used(now) + segments - cap
        if too_many <= 0:
            return now
        for bucket in self._inside:
            too_many -= bucket.segments
            if too_many <= 0:
                return bucket.last_at + self.length_ms
        return None  # not reached: without any bucket the segments fit

    def turn_back(self, now: int) -> None:
        """The clock was set back to ``now``: the future counts as made now, what left may be inside again."""
        self.restore(self.buckets(), now)

    def restore(self, buckets: Iterable[Bucket], now: int) -> None:
        """Replace the content by ``buckets``, none of them later than ``now``."""
        merged: dict[int, Bucket] = {}
        for bucket in sorted(buckets, key=lambda bucket: bucket.last_at):
            last_at = min(bucket.last_at, now)
            known = merged.setdefault(last_at // self.width_ms, Bucket(last_at, 0))
            known.segments += bucket.segments
            known.last_at = last_at
        self._left.clear()
        self._inside = deque(merged.values())
        self._total = sum(bucket.segments for bucket in self._inside)
        self.used(now)

    def buckets(self) -> list[Bucket]:
        """Return everything remembered, oldest first."""
        return [*self._left, *self._inside]
