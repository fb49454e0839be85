"""The lossless streams: events out of the event log, results out of their table, sent again until the hub has them.

Go-back-N over numbers that the database gave: what was sent moves on in memory, what is acknowledged in the database. A
PUBACK says nothing but that the broker had it; nothing is deleted for it.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from modembank.clock import to_ms
from modembank.eventlog import EventLog, Follower, read_after
from modembank.fleet import Life, rows
from modembank.fleet.rows import Stream
from modembank.store import Store
from modembank_fleet.agent.clocks import Timekeeper
from modembank_fleet.agent.telling import Privacy, Pseudonyms, event_of
from modembank_fleet.link import NO_SUBSCRIBERS, Session
from modembank_fleet.wire import Ack, Address, EvBatch, Event, ResBatch, Result, encode, pack
from modembank_fleet.wire.shapes import MOST_EVENTS, MOST_RESULTS, VERSION

WINDOW = 200
"""Numbers under way without an acknowledgement."""
SILENCE_S = 30.0
"""Without an acknowledgement: it is sent again from the last one on."""
DEAF_S = 300.0
"""Between two tries while the broker says that nobody listens."""
PACE_S = 0.2
GATHER_S = 1.0
_MOST_OCTETS = 128 * 1024
_ORDER: tuple[Stream, ...] = ("res", "ev")


class Means(msgspec.Struct, frozen=True):
    """What the streams are made of."""

    store: Store
    events: EventLog
    time: Timekeeper
    life: Life
    address: Address
    privacy: Privacy
    names: Pseudonyms
    monotonic: Callable[[], float]


class _Way(msgspec.Struct):
    """How far one stream is on this connection."""

    acked: int
    sent: int
    moved_at: float
    quiet_until: float = 0.0


class Streams(msgspec.Struct):
    """Both streams on one connection."""

    means: Means
    session: Session
    heard: Callable[[bool], None]
    """Told after each publish whether anybody listens."""
    acknowledged: Callable[[], None]
    _ways: dict[Stream, _Way] = msgspec.field(default_factory=dict)
    _follower: Follower | None = None

    def poke(self) -> None:
        """There is something new, or an acknowledgement."""
        if self._follower is not None:
            self._follower.wake()

    def heard_of_hub(self, within_s: float) -> None:
        """The hub says that it is there: what nobody listened to is told again, at a moment of the box's own."""
        until = self.means.monotonic() + random.uniform(0.0, within_s)
        for way in self._ways.values():
            way.quiet_until = min(way.quiet_until, until)
        self.poke()

    async def run(self) -> None:
        """Tell everything, until the connection is gone: raises LinkError or LinkRefused."""
        known = await self.means.store.read(rows.acked)
        now = self.means.monotonic()
        self._ways = {stream: _Way(known[stream], known[stream], now) for stream in _ORDER}
        with self.means.events.follow() as follower:
            self._follower = follower
            while True:
                follower.looks()
                told = [await self._step(stream) for stream in _ORDER]
                if any(told):
                    await asyncio.sleep(PACE_S)
                    continue
                if all(self._caught_up(way) for way in self._ways.values()):
                    self.acknowledged()  # nothing waits for the hub
                await follower.wait(5.0)
                await asyncio.sleep(GATHER_S)  # what comes together goes together

    async def take(self, ack: Ack) -> bool:
        """Take an acknowledgement; return False for one that cannot be true."""
        if ack.ep != self.means.life.epoch:
            return True  # of another life: no harm, and no news
        wanted: dict[Stream, int] = {}
        if ack.ev is not None:
            wanted["ev"] = ack.ev
        if ack.res is not None:
            wanted["res"] = ack.res
        new = await self.means.store.write(lambda conn: rows.acknowledge(conn, wanted, self._now_ms()))
        if new is None:
            return False
        for stream, way in self._ways.items():
            if new[stream] > way.acked:
                way.acked, way.moved_at = new[stream], self.means.monotonic()
                way.sent = max(way.sent, way.acked)
            way.quiet_until = 0.0
        self.acknowledged()
        self.poke()
        return True

    def _caught_up(self, way: _Way) -> bool:
        return way.sent == way.acked and self.means.monotonic() >= way.quiet_until

    async def _step(self, stream: Stream) -> bool:
        """Send one batch; return whether there may be more."""
        way, now = self._ways[stream], self.means.monotonic()
        if now < way.quiet_until:
            return False
        if way.sent > way.acked and now - way.moved_at > SILENCE_S:
            way.sent = way.acked
        if way.sent - way.acked >= WINDOW:
            return False
        made = await self._batch(stream, way.sent)
        if made is None:
            return False
        payload, last = made
        packed, how = pack(payload)
        if way.sent == way.acked:
            way.moved_at = now
        code = await self.session.publish(
            self.means.address.up(stream), packed, user={"ce": how} if how else {"sv": str(VERSION)}
        )
        way.sent = max(last, way.acked)
        self.heard(code != NO_SUBSCRIBERS)
        if code == NO_SUBSCRIBERS:
            way.sent, way.quiet_until = way.acked, now + DEAF_S
            return False
        return True

    async def _batch(self, stream: Stream, after: int) -> tuple[bytes, int] | None:
        if stream == "ev":
            return await self.means.store.read(lambda conn: self._events(conn, after))
        return await self.means.store.read(lambda conn: self._results(conn, after))

    def _events(self, conn: sqlite3.Connection, after: int) -> tuple[bytes, int] | None:
        """Return a batch of what follows; where the log was cut meanwhile it says so."""
        means = self.means
        found = read_after(conn, after, MOST_EVENTS - 1)
        if not found:
            return None
        told = means.events.tell(conn, found)
        dated = means.time.state() != "unsync"
        events: list[Event] = []
        first = after + 1
        if found[0].id > first:
            gap = {"stream": "ev", "from": first, "to": found[0].id - 1, "why": "not kept for so long"}
            events.append(Event(seq=found[0].id - 1, type="gap", sev="warning", data=gap))
        octets, last = 0, first
        for one in told:
            event = event_of(one, means.privacy, means.names, dated=dated)
            size = len(msgspec.json.encode(event)) if event else 0
            if event is not None and size > _MOST_OCTETS:  # one that is too large must not hold up the others
                event, size = msgspec.structs.replace(event, data={"octets": size}), 0
            octets += size
            if octets > _MOST_OCTETS:
                break
            last = one.row
            if event is not None:
                events.append(event)
        batch = EvBatch(**self._stamp(), base=means.life.ev_base, first=first, last=last, ev=events)
        return encode(batch), last

    def _results(self, conn: sqlite3.Connection, after: int) -> tuple[bytes, int] | None:
        found = rows.results_after(conn, after, MOST_RESULTS)
        if not found:
            return None
        dated = self.means.time.state() != "unsync"
        results: list[Result] = []
        octets = 0
        for one in found:
            octets += len(one.data) + 200
            if octets > _MOST_OCTETS and results:
                break
            data = msgspec.json.decode(one.data)
            results.append(
                Result(
                    seq=one.seq, id=one.command, verb=one.verb, st=one.state,  # type: ignore[arg-type]  # ours
                    code=one.code, pct=data.get("pct"), data=data, at=one.at / 1000 if dated else None,
                )
            )  # fmt: skip
        last = results[-1].seq
        batch = ResBatch(**self._stamp(), base=self.means.life.res_base, first=after + 1, last=last, res=results)
        return encode(batch), last

    def _stamp(self) -> dict[str, Any]:
        return stamp(self.means.time, self.means.life)

    def _now_ms(self) -> int:
        now = self.means.time.now()
        return 0 if now is None else to_ms(now)


def stamp(time: Timekeeper, life: Life) -> dict[str, Any]:
    """Return what every payload begins with."""
    return {
        "v": VERSION, "ep": life.epoch, "bs": life.starts, "ts": time.now(), "up": time.up_s(), "clk": time.state()
    }  # fmt: skip
