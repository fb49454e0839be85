"""Following the event log: who waits is woken, reads on by id, and never holds up whoever writes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from modembank.bus import Bus
from modembank.clock import Clock, rfc3339, to_ms
from modembank.eventlog import log
from modembank.eventlog.followers import Followers
from modembank.eventlog.kinds import BY_NAME
from modembank.eventlog.log import Logged
from modembank.eventlog.recording import Recorder
from modembank.eventlog.viewing import Viewer
from modembank.events import Event
from modembank.ids import public_id
from modembank.sim import Sims
from modembank.store import Store, Urgency

EVENT_ID = "evt"
KEEP_S = 7 * 86_400.0
"""How long events are kept."""
KEEP_NEEDED_S = 2 * KEEP_S
"""How long those are kept that somebody has not had yet."""
MOST_KEPT = 1_000_000
"""Entries, 80 octets each; more are kept for a webhook that has not had them yet."""
PAGE = 100
_SCAN = 2_000
"""Entries that one read looks through for those that somebody may hear."""
_DROP = 5_000
"""Entries that one write deletes."""

Teller: TypeAlias = Callable[[sqlite3.Connection, Sequence[Logged]], Mapping[int, Mapping[str, Any]]]
"""What is to be told of entries of one noun, by the entry's id: read when it is told, all in one read."""


class Told(msgspec.Struct, frozen=True):
    """An event as it is told."""

    row: int
    kind: str
    at: int
    subject: int | None
    data: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The same whenever and to whomever it is told."""
        return public_id(EVENT_ID, self.row)

    def public(self) -> dict[str, Any]:
        """Return it as JSON-able objects."""
        return {"id": self.id, "type": self.kind, "timestamp": rfc3339(self.at), "data": self.data}


class Page(msgspec.Struct, frozen=True):
    """Some events in order."""

    events: tuple[Told, ...]
    upto: int
    """Read on after this id."""
    more: bool
    """Whether more was there already."""


class EventLog(Followers):
    """The log, for those who follow it."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, sims: Sims, tellers: Mapping[str, Teller]) -> None:
        """Read from ``store``; ``tellers`` know by noun what is told of an entry beyond its body."""
        super().__init__()
        self._store = store
        self._bus = bus
        self._clock = clock
        self._tellers = tellers
        self._recorder = Recorder(store, bus, sims, self.wake)
        self._reading: dict[tuple[int, int, Viewer], asyncio.Task[Page]] = {}
        self._needed: list[Callable[[sqlite3.Connection], int | None]] = []
        self._unsubscribe: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin to record what the box tells of itself, and to wake followers."""
        self._unsubscribe += [*self._recorder.start(), self._bus.subscribe(Event, lambda _: self.wake())]

    def stop(self) -> None:
        """End all following, and record no more."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe.clear()
        super().stop()

    def keep_for(self, needed: Callable[[sqlite3.Connection], int | None]) -> None:
        """Let somebody say after which id entries are still needed (None: all may go)."""
        self._needed.append(needed)

    async def latest(self) -> int:
        """Return the newest id."""
        return await self._store.read(log.latest)

    async def before(self, at: int) -> int:
        """Return the id after which everything is that happened at or after ``at`` (unix ms)."""
        return await self._store.read(lambda conn: log.before(conn, at))

    async def page(self, after: int, viewer: Viewer, limit: int = PAGE) -> Page:
        """Return what a viewer hears after an id. Those who ask for the same at the same time share one read."""
        asked = (after, limit, viewer)
        task = self._reading.get(asked)
        if task is None:
            reading = self._store.read(lambda conn: self.told(conn, after, viewer, limit))
            task = self._reading[asked] = asyncio.create_task(reading, name="events.page")
            task.add_done_callback(lambda _: self._reading.pop(asked, None))
        return await asyncio.shield(task)

    def told(self, conn: sqlite3.Connection, after: int, viewer: Viewer, limit: int) -> Page:
        """Return a page inside a read."""
        found: list[Logged] = []
        upto, seen, more = after, 0, False
        with contextlib.closing(log.walk_after(conn, after, _SCAN)) as rows:
            for row in rows:
                seen += 1
                if viewer.hears(row[2], row[3]):
                    if len(found) == limit:
                        more = True
                        break
                    found.append(Logged(row[0], log.Entry(*row[1:])))
                upto = row[0]
        more = more or seen == _SCAN
        return Page(self.tell(conn, found), upto, more)

    def tell(self, conn: sqlite3.Connection, found: Sequence[Logged]) -> tuple[Told, ...]:
        """Return entries as they are told now, inside a read."""
        by_noun: dict[str, list[Logged]] = {}
        for logged in found:
            by_noun.setdefault(BY_NAME[logged.entry.kind].noun, []).append(logged)
        data: dict[int, Mapping[str, Any]] = {}
        for noun, entries in by_noun.items():
            teller = self._tellers.get(noun)
            if teller is not None:
                data |= teller(conn, entries)
        return tuple(
            Told(row, entry.kind, entry.at, entry.subject, _body(entry.body) | dict(data.get(row, {})))
            for row, entry in found
        )

    async def forget_old(self) -> None:
        """Delete what is too old, or too much, in small steps."""
        while True:
            if await self._store.write(self._drop, Urgency.LAZY) < _DROP:
                return
            await asyncio.sleep(0.5)

    def _drop(self, conn: sqlite3.Connection) -> int:
        needed = [after for ask in self._needed if (after := ask(conn)) is not None]
        return log.drop_oldest(
            conn,
            older_than=to_ms(self._clock.now() - KEEP_S),
            never_after=to_ms(self._clock.now() - KEEP_NEEDED_S),
            down_to=MOST_KEPT,
            needed_after=min(needed, default=log.latest(conn)),
            most=_DROP,
        )


def _body(text: str | None) -> dict[str, Any]:
    return {} if text is None else json.loads(text)
