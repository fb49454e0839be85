"""One SIM's ledger: what it sent lately, and whether it may send more. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from modembank.sim.limits import DAY_MS, HOUR_MS, MINUTE_MS, MONTH_MS, Denied, LimitName, RateLimits
from modembank.sim.recipients import Recipients
from modembank.sim.window import Bucket, RollingWindow

_WINDOWS: Final = {
    LimitName.PER_MINUTE: (MINUTE_MS, 1_000),
    LimitName.PER_HOUR: (HOUR_MS, MINUTE_MS),
    LimitName.PER_DAY: (DAY_MS, MINUTE_MS),
    LimitName.PER_MONTH: (MONTH_MS, HOUR_MS),
}
"""Length and bucket width: a limit is never exceeded, and a slot is given back at most one bucket width late."""


class Ledger:
    """Answers "may this SIM send now?" so that no limit is exceeded in any window, however it is placed.

    Times are unix milliseconds of the wall clock. When the clock is set back, what lies in the future then counts as
    made at that moment; when it jumps ahead, windows pass as if the time had. All windows are counted whether limited
    or not, so a limit that is set later is right at once. After load() the minute's window is as coarse as what was
    stored, one minute, until that minute has passed.
    """

    def __init__(self, limits: RateLimits) -> None:
        """Start with nothing sent."""
        self.recipients = Recipients()
        self.limits = limits
        self._windows = {name: RollingWindow(*shape) for name, shape in _WINDOWS.items()}
        self._last_start: int | None = None
        self._now = 0

    @property
    def limits(self) -> RateLimits:
        """The limits; may be replaced at any time. Recipients are kept exactly while there is a limit on them."""
        return self._limits

    @limits.setter
    def limits(self, limits: RateLimits) -> None:
        self._limits = limits
        if limits.recipients_per_month:
            self.recipients.keep()
        else:
            self.recipients.drop()

    def admit(self, now_ms: int, segments: int, recipient: str | None, *, starts: bool = True) -> Denied | None:
        """Return None when ``segments`` may be sent now, or the limit that makes them wait longest.

        ``starts`` is False for the further segments of a message that has begun: the least interval is between the
        starts of messages. More segments than a window's whole cap are never admitted in one go (``until`` is None, see
        most_at_once()): such a message is admitted segment by segment. ``recipient`` None is not counted.
        """
        now = self._turn(now_ms)
        denials = [denied for name in _WINDOWS if (denied := self._over(name, now, segments))]
        if starts and (early := self._too_early(now)):
            denials.append(early)
        if recipient is not None and (crowded := self._too_many_recipients(now, recipient)):
            denials.append(crowded)
        return max(denials, key=_wait, default=None)

    def record(self, now_ms: int, segments: int, recipient: str | None, *, starts: bool = True) -> None:
        """Count segments that are being sent now; call it before they leave, with nothing between it and admit()."""
        now = self._turn(now_ms)
        for window in self._windows.values():
            window.add(now, segments)
        if starts:
            self._last_start = now
        if recipient is not None:
            self.recipients.add(now, recipient)

    def usage(self, now_ms: int) -> dict[LimitName, int]:
        """Return what counts now per window; the recipients only when they are kept."""
        now = self._turn(now_ms)
        used = {name: window.used(now) for name, window in self._windows.items()}
        if self.recipients.kept:
            used[LimitName.RECIPIENTS_PER_MONTH] = self.recipients.used(now)
        return used

    def last_hour(self, now_ms: int) -> tuple[int, ...]:
        """Return the segments of each of the last sixty minutes, the oldest first; the last one is not over yet."""
        now = self._turn(now_ms)
        minutes, this = [0] * 60, now // MINUTE_MS
        for bucket in self._windows[LimitName.PER_HOUR].buckets():
            ago = this - bucket.last_at // MINUTE_MS
            if 0 <= ago < len(minutes):
                minutes[-1 - ago] += bucket.segments
        return tuple(minutes)

    def most_at_once(self) -> int | None:
        """Return the most segments that admit() can ever allow in one go, None when unlimited."""
        caps = [cap for name in _WINDOWS if (cap := int(self.limits.cap(name)))]
        return min(caps, default=None)

    def load(self, now_ms: int, buckets: Iterable[Bucket], recipients: Mapping[str, int] | None) -> None:
        """Add what was stored: a bucket counts as made at its last_at; ``recipients`` None when they are not kept."""
        now = self._turn(now_ms)
        stored = list(buckets)
        for window in self._windows.values():
            window.restore([*window.buckets(), *stored], now)
        newest = max((min(bucket.last_at, now) for bucket in stored), default=None)
        if newest is not None and (self._last_start is None or newest > self._last_start):
            self._last_start = newest
        if recipients is not None:
            self.recipients.keep()
            self.recipients.merge(recipients, now)

    def absorb(self, other: Ledger, now_ms: int) -> None:
        """Add all that another ledger counts: two rows turned out to be one SIM."""
        now = self._turn(now_ms)
        for name, window in self._windows.items():
            window.restore([*window.buckets(), *other._windows[name].buckets()], now)
        starts = [start for start in (self._last_start, other._last_start) if start is not None]
        self._last_start = min(max(starts), now) if starts else None
        if self.recipients.kept:
            self.recipients.merge(other.recipients.last_seen(), now)

    def _turn(self, now: int) -> int:
        if now < self._now:
            for window in self._windows.values():
                window.turn_back(now)
            self.recipients.turn_back(now)
            if self._last_start is not None:
                self._last_start = min(self._last_start, now)
        self._now = now
        return now

    def _over(self, name: LimitName, now: int, segments: int) -> Denied | None:
        cap = int(self.limits.cap(name))
        if not cap:
            return None
        window = self._windows[name]
        if window.used(now) + segments <= cap:
            return None
        return Denied(name, window.used(now), cap, window.free_at(now, segments, cap), now)

    def _too_early(self, now: int) -> Denied | None:
        if self._last_start is None or not self.limits.min_interval_s:
            return None
        until = self._last_start + round(self.limits.min_interval_s * 1000)
        if until <= now:
            return None
        gone_s = (now - self._last_start) // 1000
        return Denied(LimitName.MIN_INTERVAL, gone_s, self.limits.min_interval_s, until, now)

    def _too_many_recipients(self, now: int, recipient: str) -> Denied | None:
        cap = self.limits.recipients_per_month
        if not cap:
            return None
        until = self.recipients.free_at(now, recipient, cap)
        if until <= now:
            return None
        return Denied(LimitName.RECIPIENTS_PER_MONTH, self.recipients.used(now), cap, until, now)


def _wait(denied: Denied) -> float:
    return float("inf") if denied.until is None else denied.until
