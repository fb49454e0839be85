"""The fleet as faces see it: its boxes, what they told, and what could not be read."""

from __future__ import annotations

import sqlite3
from typing import Generic, TypeVar

import msgspec

from modembank import audit
from modembank.accounts import Actor, Scope
from modembank.clock import Clock, to_ms
from modembank.errors import FieldProblem, InvalidRequest, NotFound
from modembank.store import Store, Urgency
from modembank_hub import rows_of_boxes as boxes
from modembank_hub import rows_of_commands as commands
from modembank_hub import rows_of_issues as issues
from modembank_hub import rows_of_quarantine as quarantine
from modembank_hub import rows_of_streams as streams
from modembank_hub import rows_of_telemetry as telemetry
from modembank_hub.config import KeepConfig
from modembank_hub.rows_of_boxes import BoxRow, Wanted
from modembank_hub.rows_of_quarantine import Quarantined
from modembank_hub.rows_of_streams import EventRow
from modembank_hub.rows_of_telemetry import DAY, HOUR, MINUTES, Stretch

SPANS: dict[str, tuple[int, int]] = {"day": (MINUTES, DAY), "week": (HOUR, 7 * DAY), "quarter": (DAY, 92 * DAY)}
"""What a chart can show: the length of its stretches, and how far it goes back, in seconds."""
_GAPS = 20
_DROP = 2_000

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some of a list, and where to go on (None: that was the end)."""

    items: list[T]
    cursor: str | None


class Gap(msgspec.Struct, frozen=True):
    """What is missing of a stream for ever; ``at`` is unix milliseconds."""

    stream: str
    first: int
    last: int
    why: str
    at: int


class FleetTotals(msgspec.Struct, frozen=True):
    """The whole fleet at a glance, by what its boxes told last."""

    boxes: int
    online: int
    stale: int
    offline: int
    problems: int
    modems_ready: int
    modems: int
    waiting: int
    unknown: int
    sent: int
    """In the last 24 hours."""
    delivered: int
    failed: int
    received: int
    quarantined: int
    versions: tuple[tuple[str, int], ...]


class Fleet:
    """Reads, and forgets what is old."""

    def __init__(self, store: Store, clock: Clock, keep: KeepConfig) -> None:
        """Over the hub's store."""
        self._store = store
        self._clock = clock
        self._keep = keep

    async def listed(self, actor: Actor, wanted: Wanted, *, cursor: str | None = None, limit: int = 50) -> Page[BoxRow]:
        """Return boxes by site and name."""
        actor.require(Scope.MODEMS)
        site, _, box = (cursor or "/").partition("/")
        found = await self._store.read(lambda conn: boxes.page(conn, wanted, (site, box), limit + 1, self._now()))
        return Page(found[:limit], found[limit - 1].name if len(found) > limit else None)

    async def get(self, actor: Actor, site: str, box: str) -> BoxRow:
        """Return one box; raises NotFound."""
        actor.require(Scope.MODEMS)
        found = await self._store.read(lambda conn: boxes.get(conn, site, box, self._now()))
        if found is None:
            raise NotFound(what="box", which=f"{site}/{box}"[:80])
        return found

    async def events(
        self, actor: Actor, site: str, box: str, *, cursor: str | None = None, limit: int = 50
    ) -> Page[EventRow]:
        """Return a box's events, newest first; raises NotFound, InvalidRequest (cursor)."""
        found = await self.get(actor, site, box)
        before = None if cursor is None else _place(cursor)
        rows = await self._store.read(lambda conn: streams.events_before(conn, found.id, before, limit + 1))
        last = rows[limit - 1] if len(rows) > limit else None
        return Page(rows[:limit], None if last is None else f"{last.stream_id}.{last.seq}")

    async def gaps(self, actor: Actor, site: str, box: str) -> list[Gap]:
        """Return the latest gaps in a box's streams."""
        found = await self.get(actor, site, box)
        return [Gap(*row) for row in await self._store.read(lambda conn: streams.gaps_of(conn, found.id, _GAPS))]

    async def series(self, actor: Actor, site: str, box: str, span: str) -> tuple[int, list[Stretch]]:
        """Return the length of stretches and a box's telemetry over one of SPANS, oldest first, without holes."""
        found = await self.get(actor, site, box)
        step, back = SPANS[span]
        since = self._now() // 1000 - back
        rows = await self._store.read(lambda conn: telemetry.series(conn, found.id, step, since))
        return step, whole(rows, step, since, self._now() // 1000)

    async def totals(self, actor: Actor) -> FleetTotals:
        """Return the fleet at a glance."""
        actor.require(Scope.MODEMS)
        now = self._now()

        def read(conn: sqlite3.Connection) -> FleetTotals:
            day = telemetry.of_fleet(conn, MINUTES, now // 1000 - DAY)
            sums = [sum(column) for column in zip(*day, strict=True)][1:] if day else [0, 0, 0, 0]
            return FleetTotals(
                **boxes.totals(conn, now),
                **dict(zip(("sent", "delivered", "failed", "received"), sums, strict=True)),
                quarantined=quarantine.count(conn),
                versions=tuple(boxes.versions(conn)),
            )

        return await self._store.read(read)

    async def traffic(self, actor: Actor) -> list[tuple[int, int, int, int, int]]:
        """Return the fleet's last 24 hours by hour: begin (unix seconds), sent, delivered, failed, received."""
        actor.require(Scope.MODEMS)
        now = self._now() // 1000
        since = now - now % HOUR - 23 * HOUR
        found = {row[0]: row for row in await self._store.read(lambda c: telemetry.of_fleet(c, HOUR, since))}
        return [found.get(at, (at, 0, 0, 0, 0)) for at in range(since, now + 1, HOUR)]

    async def quarantined(self, actor: Actor, *, cursor: int | None = None, limit: int = 50) -> Page[Quarantined]:
        """Return what could not be read, newest first."""
        actor.require(Scope.ADMIN)
        rows = await self._store.read(lambda conn: quarantine.page(conn, cursor, limit + 1))
        return Page(rows[:limit], str(rows[limit - 1].id) if len(rows) > limit else None)

    async def clear_quarantine(self, actor: Actor, until: int) -> int:
        """Delete what could not be read up to an id; return how many went."""
        actor.require(Scope.ADMIN)
        now = self._now()

        def clear(conn: sqlite3.Connection) -> int:
            gone = quarantine.clear(conn, until)
            audit.record(conn, actor, "quarantine.clear", str(until), now, {"gone": gone})
            return gone

        return await self._store.write(clear)

    async def roll_up(self) -> None:
        """Make hours and days of the minutes."""
        await self._store.write(lambda conn: telemetry.roll_up(conn, self._now() // 1000), Urgency.LAZY)

    async def forget_old(self) -> None:
        """Delete what is older than it is kept, in small steps."""
        now, keep = self._now(), self._keep
        kept_ms = now - keep.events_days * DAY * 1000
        ages = ((MINUTES, keep.minutes_days), (HOUR, keep.hours_days), (DAY, keep.days_days))

        def drop(conn: sqlite3.Connection) -> int:
            gone = streams.drop_old(conn, kept_ms, _DROP) + commands.drop_old(conn, kept_ms, _DROP)
            for step, days in ages:
                gone += telemetry.drop_old(conn, step, now // 1000 - days * DAY, _DROP)
            gone += issues.drop_old(conn, kept_ms, _DROP)
            return gone + quarantine.keep_newest(conn, keep.quarantined)

        while await self._store.write(drop, Urgency.LAZY):
            pass

    def _now(self) -> int:
        return to_ms(self._clock.now())


def whole(rows: list[Stretch], step: int, since: int, now: int) -> list[Stretch]:
    """Return stretches with those in between in which nothing came."""
    found = {row.bucket: row for row in rows}
    first = since - since % step + step
    return [found.get(at, Stretch(at, 0, 0, 0, 0, 0, 0, 0, 0)) for at in range(first, now + 1, step)]


def _place(cursor: str) -> tuple[int, int]:
    stream, _, seq = cursor.partition(".")
    if not (stream.isdecimal() and seq.isdecimal() and len(cursor) < 36):
        raise InvalidRequest(FieldProblem("/cursor", "is none of this list: begin without one"))
    return int(stream), min(int(seq), 2**62)
