"""Days as they are counted, and those that are over kept: nothing changes such a day but a late end of its messages."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from modembank.bus import Bus
from modembank.events import MessageStateChanged
from modembank.messages import MessageState
from modembank.messages.chronology import first_accepted_at
from modembank.messages.ended_badly import bad_ends
from modembank.sim.usage import segments_between
from modembank.store import Store

SETTLED_MS = 3_600_000
"""After its end: by then all that was sent on a day is booked."""
MOST_KEPT = 400
Span = tuple[int, int]
"""From one midnight to the next, unix milliseconds."""


class Day(msgspec.Struct, frozen=True):
    """One day: what each SIM sent, and how many of its messages came to each bad end."""

    first: int
    """Its messages have ids from this one on."""
    behind: int
    """And below this one."""
    sent: Mapping[int, int]
    """Segments by the SIM's row id."""
    ends: Mapping[MessageState, int]

    def has(self, message: int) -> bool:
        """Return whether a message was accepted on it."""
        return self.first <= message < self.behind


class _Heard(msgspec.Struct, eq=False):
    """Messages that came to another state while days were read."""

    messages: list[int] = msgspec.field(default_factory=list)


class Past:
    """Counts days, each that is over once."""

    def __init__(self, store: Store, bus: Bus) -> None:
        """Nothing is read until asked."""
        self._store = store
        self._known: dict[Span, Day] = {}
        self._newest = 0
        self._as_of = 0
        self._reading: list[_Heard] = []
        bus.subscribe(MessageStateChanged, self._changed)

    async def days(self, spans: Sequence[Span], now: int) -> list[Day]:
        """Return these days as they are at ``now`` (unix ms)."""
        if now < self._as_of:  # the clock was set back: a day that was over may go on
            self._known.clear()
        self._as_of = now
        known = dict(self._known)
        missing = [span for span in spans if span not in known]
        heard = _Heard()
        self._reading.append(heard)
        try:
            found = await self._store.read(lambda conn: _counted(conn, missing))
        finally:
            self._reading.remove(heard)
        self._keep(found, heard, now)
        return [known.get(span) or found[span] for span in spans]

    def _keep(self, found: Mapping[Span, Day], heard: _Heard, now: int) -> None:
        for span, day in found.items():
            if span[1] + SETTLED_MS <= now and not any(map(day.has, heard.messages)):
                self._known[span] = day
        for span in sorted(self._known)[:-MOST_KEPT]:
            del self._known[span]
        self._newest = max((day.behind for day in self._known.values()), default=0)

    def _changed(self, event: MessageStateChanged) -> None:
        for heard in self._reading:
            heard.messages.append(event.message)
        if event.message < self._newest:
            for span in [span for span, day in self._known.items() if day.has(event.message)]:
                del self._known[span]


def _counted(conn: sqlite3.Connection, spans: Sequence[Span]) -> dict[Span, Day]:
    places = {moment: first_accepted_at(conn, moment) for moment in {moment for span in spans for moment in span}}
    return {
        (since, before): Day(
            first=places[since],
            behind=places[before],
            sent=segments_between(conn, since, before),
            ends=bad_ends(conn, places[since], places[before]),
        )
        for since, before in spans
    }
