"""An event that was not taken, and when it is told again."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from modembank.outgoing import circuit


class Retry(msgspec.Struct, frozen=True):
    """An event as it waits; times are unix milliseconds."""

    event_id: int
    first_at: int
    tries: int = 0
    next_at: int = 0

    def is_over(self, now: int) -> bool:
        """Whether it has been tried for as long as events are."""
        return now - self.first_at >= circuit.RETRY_FOR_S * 1000

    def again(self, now: int) -> Retry:
        """Return it after one more try, to be told when it may be its turn again."""
        wait_s = circuit.retry_wait_s(self.tries + 1)
        return replace(self, tries=self.tries + 1, next_at=now + round(wait_s * 1000))
