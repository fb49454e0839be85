"""Deadlines of messages by the clock that never jumps: for those that are only lent to this box."""

from __future__ import annotations

from modembank.clock import Clock


class Deadlines:
    """Kept in memory alone: after a start of the daemon nothing that was lent begins by an old one."""

    def __init__(self, clock: Clock) -> None:
        """Go by this clock's monotonic time."""
        self._clock = clock
        self._at: dict[int, float] = {}

    def put(self, message_id: int, at_s: float) -> None:
        """A message must not begin from ``at_s`` on (monotonic seconds)."""
        self._at[message_id] = at_s

    def forget(self, message_id: int) -> None:
        """A message has ended."""
        self._at.pop(message_id, None)

    def is_over(self, message_id: int) -> bool:
        """Whether a message must not begin any more; may be asked on any thread."""
        at_s = self._at.get(message_id)
        return at_s is not None and self._clock.monotonic() >= at_s
