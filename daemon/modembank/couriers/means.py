"""What every courier works with."""

from __future__ import annotations

import msgspec

from modembank.clock import Clock, to_ms
from modembank.eventlog import EventLog
from modembank.metrics import Metrics
from modembank.outgoing import Poster
from modembank.store import Store


class Means(msgspec.Struct, frozen=True):
    """Where events come from, what posts them, and where it is written how that went."""

    store: Store
    events: EventLog
    clock: Clock
    metrics: Metrics
    poster: Poster = msgspec.field(default_factory=Poster)

    @property
    def now_ms(self) -> int:
        """The wall clock, unix ms."""
        return to_ms(self.clock.now())
