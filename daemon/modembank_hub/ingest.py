"""Taking in: workers share what the boxes send, write it down, and only then acknowledge it.

A worker gathers whatever has come while the last commit went on, so that a flood is few commits and a trickle waits
for nobody. After the commit the broker is told (PUBACK), and each box up to where its streams are whole: it keeps
everything until then. While the database takes nothing, nothing is acknowledged; the broker stops at Receive Maximum,
and boxes send again what they have not been told of.
"""

from __future__ import annotations

import asyncio
import sqlite3
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec
import structlog

from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.store import Store, StoreClosed, StoreError
from modembank_fleet import wire
from modembank_fleet.link import Incoming, LinkRefused, Session
from modembank_fleet.wire import Address
from modembank_hub import rows_of_streams as streams
from modembank_hub.events import BoxesChanged, CommandsChanged, ConfigsChanged, Quarantined
from modembank_hub.lending import Lending
from modembank_hub.metrics import HubMetrics
from modembank_hub.sharing import CREDITS, Alone, Sharing
from modembank_hub.taking import Outcome, Unreadable, Uplink, read, take

GROUP = "modembank-hub"
"""Of the shared subscription: each message goes to one of the workers."""
MOST_AT_ONCE = 500
"""Messages in one commit: bounds how long a page waits behind a flood."""
TELL_S = 2.0
"""How long changes of boxes gather before pages hear of them."""
ACK_KEPT_S = 7 * 86_400
_FIRST_WAIT_S, _MOST_WAIT_S = 0.5, 10.0
_log = structlog.get_logger()


class Taken(msgspec.Struct):
    """What one commit brought about."""

    outcome: Outcome
    acks: Mapping[Address, wire.Ack]


class Owed(msgspec.Struct):
    """Acknowledgements that boxes have not been sent; a newer one takes the place of an older."""

    acks: dict[Address, wire.Ack] = msgspec.field(default_factory=dict)
    news: asyncio.Event = msgspec.field(default_factory=asyncio.Event)


class Ingest:
    """What all workers share: where it is written, and who is told."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        bus: Bus,
        metrics: HubMetrics,
        commands_due: Callable[[], None],
        lending: Lending,
        *,
        configs_due: Callable[[], None] = lambda: None,
        sharing: Sharing | None = None,
    ) -> None:
        """``commands_due`` is called when a box is back that has not answered everything.

        ``configs_due`` when one has said something of its configuration. ``sharing``: whoever lends may be another.
        """
        self._sharing = sharing or Alone()
        self._store = store
        self._clock = clock
        self._bus = bus
        self._metrics = metrics
        self._commands_due = commands_due
        self._configs_due = configs_due
        self._lending = lending
        self._telling = False
        self.stuck_since: float | None = None
        """Monotonic seconds since when the database has taken nothing; None: it does."""
        self.stuck_why = ""

    async def serve(self, session: Session) -> None:
        """Be one worker on a connection until it is lost; raises LinkError, LinkRefused, StoreClosed."""
        await session.subscribe(wire.everything_up(GROUP), shared=True)
        owed = Owed()
        acknowledging = asyncio.create_task(self._acknowledge(session, owed), name="hub.acks")
        try:
            await self._take_in(session, owed, acknowledging)
        finally:
            acknowledging.cancel()
            await asyncio.wait([acknowledging])

    async def put_down(self, uplinks: Sequence[Uplink]) -> Taken:
        """Write messages down, however long the database takes nothing; raises StoreClosed."""
        lanes: dict[int, list[Uplink]] = {}
        for uplink in uplinks:
            lanes.setdefault(lane_of(uplink, self._store.lanes), []).append(uplink)
        parts = await asyncio.gather(*(self._put_down(part, lane) for lane, part in lanes.items()))
        taken = _together(parts)
        self._tell(taken.outcome, len(uplinks))
        return taken

    async def _put_down(self, uplinks: Sequence[Uplink], lane: int) -> Taken:
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                taken = await self._written(uplinks, lane)
            except StoreClosed:
                raise
            except StoreError as error:
                self._note_stuck(error)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _MOST_WAIT_S)
            else:
                self._note_unstuck()
                return taken

    async def _take_in(self, session: Session, owed: Owed, acknowledging: asyncio.Task[None]) -> None:
        dropped = 0
        while True:
            batch = [await session.receive()]
            while session.waiting and len(batch) < MOST_AT_ONCE:
                batch.append(await session.receive())
            taken = await self.put_down([self._read(message) for message in batch])
            for message in batch:
                message.ack()
            owed.acks.update(taken.acks)
            owed.news.set()
            if acknowledging.done():
                acknowledging.result()
            self._metrics.dropped.inc(session.dropped - dropped)
            dropped = session.dropped

    async def _acknowledge(self, session: Session, owed: Owed) -> None:
        while True:
            await owed.news.wait()
            owed.news.clear()
            while owed.acks:
                address = next(iter(owed.acks))
                payload = wire.encode(owed.acks.pop(address))
                try:
                    await session.publish(address.down("ack"), payload, retain=True, expiry_s=ACK_KEPT_S)
                except LinkRefused as error:
                    _log.warning("ack_refused", box=address.common_name, error=str(error))

    def _read(self, message: Incoming) -> Uplink:
        return read(message.topic, message.payload, message.user.get("ce", ""), to_ms(self._clock.now()))

    async def _written(self, uplinks: Sequence[Uplink], lane: int) -> Taken:
        try:
            return await self._store.write(partial(_take_all, uplinks=uplinks), reserve=False, lane=lane)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - a named boundary: what a stranger wrote must not stop the rest
            _log.warning("batch_not_taken", error=repr(error), messages=len(uplinks))
        return await self._one_by_one(uplinks, lane)

    async def _one_by_one(self, uplinks: Sequence[Uplink], lane: int) -> Taken:
        """Take those that can be taken; of the others the quarantine says why."""
        parts = []
        for uplink in uplinks:
            try:
                taken = await self._store.write(partial(_take_all, uplinks=[uplink]), reserve=False, lane=lane)
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - the same
                strange = _not_taken(uplink, error)
                taken = await self._store.write(partial(_take_all, uplinks=[strange]), reserve=False, lane=lane)
            parts.append(taken)
        return _together(parts)

    def _tell(self, outcome: Outcome, count: int) -> None:
        at = to_ms(self._clock.now())
        self._metrics.taken.inc(count - outcome.quarantined)
        self._metrics.quarantined.inc(outcome.quarantined)
        if outcome.boxes and not self._telling:  # pages look again at most so often, however much comes
            self._telling = True
            asyncio.get_running_loop().call_later(TELL_S, self._tell_boxes)
        if outcome.credits or outcome.words:
            self._lending.heard(outcome.credits, words=outcome.words)
            self._sharing.tell(CREDITS, outcome.credits)
        if outcome.quarantined:
            self._bus.publish(Quarantined(at))
        if outcome.commands:
            self._bus.publish(CommandsChanged(at))
            self._commands_due()
        if outcome.configs:
            self._bus.publish(ConfigsChanged(at))
            self._configs_due()

    def _tell_boxes(self) -> None:
        self._telling = False
        self._bus.publish(BoxesChanged(to_ms(self._clock.now())))

    def _note_stuck(self, error: StoreError) -> None:
        self.stuck_why = str(error)
        if self.stuck_since is None:
            self.stuck_since = self._clock.monotonic()
            _log.error("ingest_stuck", error=str(error))

    def _note_unstuck(self) -> None:
        if self.stuck_since is not None:
            _log.info("ingest_goes_on", after_s=round(self._clock.monotonic() - self.stuck_since, 1))
            self.stuck_since, self.stuck_why = None, ""


def _take_all(conn: sqlite3.Connection, uplinks: Sequence[Uplink]) -> Taken:
    outcome = Outcome()
    for uplink in uplinks:
        take(conn, uplink, outcome)
    acks = {}
    for address, box_id, epoch in outcome.streams:
        whole = streams.whole_until(conn, box_id, epoch)
        acks[address] = wire.Ack(v=wire.VERSION, ep=epoch, ev=whole.get("ev"), res=whole.get("res"))
    return Taken(outcome, acks)


def lane_of(uplink: Uplink, lanes: int) -> int:
    """Return the lane of a message: the same for all of a box, wherever they are taken in."""
    whose = uplink.topic if isinstance(uplink, Unreadable) else uplink.address.common_name
    return zlib.crc32(whose.encode("utf-8", "replace")) % lanes


def _together(parts: Sequence[Taken]) -> Taken:
    outcome = Outcome()
    acks: dict[Address, wire.Ack] = {}
    for part in parts:
        outcome.add(part.outcome)
        acks.update(part.acks)
    return Taken(outcome, acks)


def _not_taken(uplink: Uplink, error: Exception) -> Unreadable:
    return Unreadable(uplink.topic, uplink.payload, uplink.received_at, "not_taken", repr(error))
