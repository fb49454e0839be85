"""What waits in memory: the heads of the stored queues, bounded, best first."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator

import msgspec

from modembank.messages.model import QueuedMessage, Route, Stage
from modembank.tpdu import SplitText

QUEUE_LIMIT = 512
"""Messages of one route in memory."""
REFILL_BELOW = 128
Key = tuple[int, int]
"""(rank, message id): smaller goes first."""


class Entry(msgspec.Struct, eq=False):
    """A message in memory."""

    message: QueuedMessage
    refused_until: dict[int, int] = msgspec.field(default_factory=dict)
    """SIMs that should not try it (again) before a time, by row id."""
    parts: SplitText | None = None
    reference: int = 0
    planned: tuple[int, int] | None = None
    """Of which rules and minute ``plan`` is."""
    plan: tuple[Stage, ...] | None = None

    @property
    def key(self) -> Key:
        """Its place."""
        return self.message.rank, self.message.id

    def open_to(self, sim_id: int, now: int) -> bool:
        """Return whether this SIM may try it now."""
        return self.refused_until.get(sim_id, 0) <= now


class RouteQueue:
    """The best messages of one route, sorted; ``more`` says that the store holds others behind them."""

    def __init__(self, route: Route, limit: int = QUEUE_LIMIT) -> None:
        """Start empty, with everything still in the store."""
        self.route = route
        self.more = True
        self.loading = False
        self.unserved_since: int | None = None
        """Unix ms, since when no line serves the route; None while one does."""
        self.judged_to: Key | None = None
        """After an outage: what stands behind this place is not to be given out yet; None: all may."""
        self._limit = limit
        self._keys: list[Key] = []
        self._entries: dict[int, Entry] = {}
        self._dropped = False

    def __len__(self) -> int:
        """Return how many are in memory."""
        return len(self._keys)

    @property
    def hungry(self) -> bool:
        """Whether the store should be asked for more."""
        return self.more and not self.loading and len(self._keys) < REFILL_BELOW

    @property
    def room(self) -> int:
        """How many more fit."""
        return self._limit - len(self._keys)

    def wants(self, key: Key) -> bool:
        """Return whether a message belongs into memory now; one that does not is found in the store later."""
        if self.more and (not self._keys or key > self._keys[-1]):
            self._dropped = True
            return False
        if self.room <= 0 and key > self._keys[-1]:
            self.more = self._dropped = True
            return False
        return True

    def put(self, entry: Entry) -> Entry | None:
        """Add one, wanted or not; return the one that fell out at the end for it."""
        insort(self._keys, entry.key)
        self._entries[entry.message.id] = entry
        if self.room >= 0:
            return None
        self.more = self._dropped = True
        return self._entries.pop(self._keys.pop()[1])

    def remove(self, entry: Entry) -> None:
        """Take one out."""
        if self._entries.pop(entry.message.id, None) is not None:
            del self._keys[bisect_left(self._keys, entry.key)]

    def best(self, sim_id: int, now: int, also: Callable[[Entry], bool] | None = None) -> Entry | None:
        """Return the best one that this SIM may try now, and that ``also`` allows."""
        return next((entry for entry in self if entry.open_to(sim_id, now) and (also is None or also(entry))), None)

    def judged(self, key: Key) -> bool:
        """Return whether what stands there may be given out, as far as outages are concerned."""
        return self.judged_to is None or key <= self.judged_to

    def before(self, key: Key) -> int:
        """Return how many in memory go before ``key``."""
        return bisect_left(self._keys, key)

    def __iter__(self) -> Iterator[Entry]:
        """Iterate best first."""
        return (self._entries[message_id] for _, message_id in self._keys)

    def leave_in_store(self) -> None:
        """Many messages came that are not taken into memory."""
        self.more = self._dropped = True

    def start_loading(self) -> None:
        """The store is being asked."""
        self.loading, self._dropped = True, False

    def loaded(self, entries: Iterable[Entry], *, exhausted: bool) -> list[Entry]:
        """Add what the store had; return what fell out again. ``exhausted``: the store had no more than these."""
        self.loading = False
        self.more = self._dropped or not exhausted
        return [fallen for entry in entries if (fallen := self.put(entry)) is not None]

    def stop_loading(self) -> None:
        """The store has answered, or could not: unless loaded() says otherwise, there is still more to be found."""
        self.loading = False
