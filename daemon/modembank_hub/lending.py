"""Lending messages to boxes: within what they take, told again until they answer, believed, and ended in time.

``modembank_fleet.pool.assigning`` decides. Every decision is durable before a box is told; what a box is told is only
on its way. Credit is in memory alone: a hub that was started waits until boxes tell it, and counts leases from the
beginning.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import structlog

from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.store import Store
from modembank_fleet import wire
from modembank_fleet.link import LinkRefused, Session
from modembank_fleet.pool import assigning
from modembank_fleet.pool.assigning import Assignment, HubNow, Message, Stage
from modembank_fleet.pool.leases import LEASE_S, Credit
from modembank_fleet.pool.words import Code, Word
from modembank_fleet.wire import Address, PoolMessage, Recall, Recalled, Signer, Submit
from modembank_hub import rows_of_enrolment as enrolment
from modembank_hub import rows_of_pool as rows
from modembank_hub.events import PoolChanged
from modembank_hub.rows_of_pool import PoolRow

SUBMIT, RECALL = wire.BY_VERB["msg.submit"], wire.BY_VERB["msg.recall"]
LONGEST_LEASE_S = 3600
MOST_IN_ONE = 20
"""Messages in one command: with the longest texts they fit into a payload."""
MOST_OVERDUE = 500
LOOK_S = 2.0
RECALL_S = 300
_log = structlog.get_logger()


class Told(NamedTuple):
    """A box's credit, as its telemetry brought it."""

    box: int
    epoch: str
    up: float
    pool: wire.PoolCredit | None
    period_s: int


class Place(NamedTuple):
    """Where a box is and how it stands."""

    address: Address
    epoch: str
    online: bool


class _Letter(msgspec.Struct, frozen=True):
    """What a box is to be told."""

    address: Address
    verb: wire.Verb
    args: msgspec.Struct
    epoch: str
    by: str
    left_s: float


class _Known(msgspec.Struct):
    credit: Credit
    period_s: int


class Round(msgspec.Struct):
    """What one look decided: what is to be told to whom, after its commit."""

    offers: list[tuple[Assignment, PoolRow]] = msgspec.field(default_factory=list)
    recalls: list[Assignment] = msgspec.field(default_factory=list)
    places: dict[int, Place] = msgspec.field(default_factory=dict)
    changed: bool = False


class Lending:
    """Gives messages to boxes."""

    def __init__(self, store: Store, clock: Clock, bus: Bus, signer: Signer | None, resend_s: float) -> None:
        """Without ``signer`` no box would take anything, and nothing is given."""
        self._store = store
        self._clock = clock
        self._bus = bus
        self._signer = signer
        self._resend_s = resend_s
        self._life = secrets.token_hex(8)
        self._credits: dict[int, _Known] = {}
        self._said_at: dict[tuple[str, int], float] = {}
        self._due = asyncio.Event()

    def wake(self) -> None:
        """Something may be due."""
        self._due.set()

    def heard(self, told: Iterable[Told], *, words: bool) -> None:
        """Boxes told their credit, or (``words``) what became of messages; both are durable or need not be."""
        for one in told:
            known = self._credits.get(one.box)
            if one.pool is None:
                self._credits.pop(one.box, None)
                continue
            now = self._clock.monotonic()
            credit = Credit(one.box, one.epoch, one.pool.run, one.up, one.pool.window, now)
            if assigning.is_newer(credit, known.credit if known else None):
                self._credits[one.box] = _Known(credit, one.period_s)
                self.wake()
        if words:
            self._bus.publish(PoolChanged(to_ms(self._clock.now())))
            self.wake()

    async def serve(self, session: Session) -> None:
        """Give and recall on a connection until it is lost; raises LinkError, StoreError."""
        while True:
            self._due.clear()
            made = await self._look(giving=self._signer is not None)
            await self._tell(session, made)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._due.wait()

    async def pass_time(self) -> None:
        """End what is to end, connected or not."""
        await self._look(giving=False)

    async def _look(self, *, giving: bool) -> Round:
        """Decide everything that is due, in one write."""
        made = await self._store.write(lambda conn: self._round(conn, giving=giving), reserve=False)
        if made.changed:
            self._bus.publish(PoolChanged(to_ms(self._clock.now())))
        return made

    # -- inside the write

    def _round(self, conn: sqlite3.Connection, *, giving: bool) -> Round:
        made, now = Round(), HubNow(self._clock.monotonic(), self._clock.now())
        made.places = _places(conn)
        self._end_queued(conn, made, now)
        still: list[Assignment] = []
        for given, life in rows.open_ones(conn):
            kept = self._adopted(conn, given, life, now)
            if self._end(conn, made, kept, now):
                still.append(kept)
        if giving:
            still += self._give(conn, made, still, now)
            self._due_again(conn, made, still, now)
        return made

    def _adopted(self, conn: sqlite3.Connection, given: Assignment, life: str, now: HubNow) -> Assignment:
        """Return an assignment whose time is of this start of the hub."""
        if life == self._life:
            return given
        kept = assigning.hub_started(given, now)
        rows.put(conn, kept, self._life)
        return kept

    def _end_queued(self, conn: sqlite3.Connection, made: Round, now: HubNow) -> None:
        for row in rows.overdue(conn, to_ms(now.wall), MOST_OVERDUE):
            change = assigning.pass_time(row.message, None, now)
            if change is not None:
                rows.put_down(conn, row.message, change, to_ms(now.wall))
                made.changed = True

    def _end(self, conn: sqlite3.Connection, made: Round, given: Assignment, now: HubNow) -> bool:
        """Let time and a new life of its box change an assignment; return whether it goes on."""
        row = rows.get(conn, given.message)
        assert row is not None  # its assignments go with it
        place = made.places.get(given.box)
        change = None
        if place is not None and place.epoch:
            change = assigning.restored(row.message, given, place.epoch)
        if change is None and given.fence == row.fence:
            change = assigning.pass_time(row.message, given, now)
        if change is None and given.stage is Stage.OFFERED and assigning.is_dead(given, now):
            over = assigning.hear(row.message, given, Word.RELEASED, Code.NO_ANSWER, given.epoch)
            change = over
        if change is None:
            return True
        rows.put_down(conn, row.message, change, to_ms(now.wall))
        made.changed = True
        return change.assignment is not None and change.assignment.stage is not Stage.OVER

    def _give(
        self, conn: sqlite3.Connection, made: Round, still: Sequence[Assignment], now: HubNow
    ) -> list[Assignment]:
        """Assign what is queued, to whoever has most room."""
        room = {
            box: known.credit.window - assigning.open_at(box, still)
            for box, known in self._credits.items()
            if known.credit.window > 0 and _takes(made.places.get(box), known.credit)
        }
        free = sum(count for count in room.values() if count > 0)
        given: list[Assignment] = []
        for row in rows.queued(conn, free) if free > 0 else ():
            refused = rows.refused_by(conn, row.id) if row.fence else set()
            failed = assigning.nowhere(row.message, room.keys(), refused)
            if failed is not None:
                rows.put_down(conn, row.message, failed, to_ms(now.wall))
                made.changed = True
                continue
            change = self._offered(row.message, {box: left for box, left in room.items() if box not in refused}, now)
            if change is None or change.assignment is None:
                continue
            one = change.assignment
            room[one.box] -= 1
            rows.put(conn, one, self._life)
            rows.put_down(conn, row.message, change, to_ms(now.wall))
            given.append(one)
            made.changed = True
        return given

    def _offered(self, message: Message, room: Mapping[int, int], now: HubNow) -> assigning.Change | None:
        for box in sorted(room, key=lambda one: -room[one]):
            known = self._credits[box]
            most_s = min(LONGEST_LEASE_S, LEASE_S + known.period_s)
            open_there = known.credit.window - room[box]
            change = assigning.offer(message, known.credit, open_there, now, most_s)
            if change is not None:
                return change
        return None

    def _due_again(self, conn: sqlite3.Connection, made: Round, still: Sequence[Assignment], now: HubNow) -> None:
        """Note what is to be told: what was not told yet, or not answered for a while."""
        self._said_at = {key: at for key, at in self._said_at.items() if now.mono - at < LONGEST_LEASE_S * 2}
        for given in still:
            row = rows.get(conn, given.message)
            if row is None or given.box not in made.places:
                continue
            known = self._credits.get(given.box)
            recall = assigning.to_recall(row.message, given, known.credit if known else None, now)
            if not recall and (given.stage is not Stage.OFFERED or assigning.left_s(given, now) < 1):
                continue
            key = (f"{'-' if recall else '+'}{given.message}", given.fence)
            if now.mono - self._said_at.get(key, -1e9) < self._resend_s:
                continue
            self._said_at[key] = now.mono
            if recall:
                made.recalls.append(given)
            else:
                made.offers.append((given, row))

    # -- telling

    async def _tell(self, session: Session, made: Round) -> None:
        now = HubNow(self._clock.monotonic(), self._clock.now())
        groups: dict[tuple[int, str, str, float, int, str], list[tuple[Assignment, PoolRow]]] = defaultdict(list)
        for given, row in made.offers:
            key = (given.box, given.epoch, given.run, given.up, given.lease_s, row.actor)
            groups[key].append((given, row))
        for (box, epoch, run, up, lease, actor), offers in groups.items():
            for at in range(0, len(offers), MOST_IN_ONE):
                some = offers[at : at + MOST_IN_ONE]
                messages = [
                    PoolMessage(
                        id=row.id, to=row.recipient, body=row.text, fence=given.fence, not_after=row.not_after / 1000,
                        dup="alo" if row.dup == "alo" else "amo",
                    )
                    for given, row in some
                ]  # fmt: skip
                left_s = min(assigning.left_s(given, now) for given, _ in some)
                args = Submit(run=run, up=up, lease=lease, msgs=messages)
                letter = _Letter(made.places[box].address, SUBMIT, args, epoch, actor, left_s)
                await self._publish(session, letter)
        wanted: dict[tuple[int, str], list[Recalled]] = defaultdict(list)
        for given in made.recalls:
            wanted[given.box, given.epoch].append(Recalled(id=given.message, fence=given.fence))
        for (box, epoch), ids in wanted.items():
            for at in range(0, len(ids), MOST_IN_ONE):
                back = Recall(msgs=ids[at : at + MOST_IN_ONE])
                await self._publish(session, _Letter(made.places[box].address, RECALL, back, epoch, "hub", RECALL_S))

    async def _publish(self, session: Session, letter: _Letter) -> None:
        if self._signer is None or letter.left_s < 1:
            return
        now, verb = self._clock.now(), letter.verb
        command_id = f"{to_ms(now):011x}{secrets.token_hex(8)}"
        ttl = min(int(letter.left_s), verb.most_ttl_s)
        said = wire.command(
            verb, letter.args, id=command_id, iat=now, ttl=ttl, ep=letter.epoch, by=letter.by[:100]
        )  # fmt: skip
        topic, payload = letter.address.down(*verb.parts), wire.encode(said)
        user = {"sv": str(wire.VERSION), "kid": self._signer.kid, "sig": self._signer.sign(topic, payload)}
        try:
            await session.publish(
                topic, payload, expiry_s=ttl, user=user, response_topic=letter.address.up("res"),
                correlation=command_id.encode(),
            )  # fmt: skip
        except LinkRefused as error:
            _log.warning("pool_refused", box=letter.address.common_name, verb=verb.name, error=str(error))


def hear(conn: sqlite3.Connection, box_id: int, epoch: str, result: wire.Result, now_ms: int) -> bool:
    """Let a box's word of a message count, inside the write that stores it; return whether it was one."""
    try:
        word = msgspec.convert(result.data, wire.PoolWord)
    except msgspec.ValidationError:
        return False
    row, given = rows.get(conn, result.id, hold=True), rows.given(conn, result.id, word.fence)
    if row is None or given is None or given.box != box_id:
        return False
    code = Code(result.code) if result.code in set(Code) else Code.NONE
    change = assigning.hear(row.message, given, Word(word.word), code, epoch)
    if change.told:
        rows.put_down(conn, row.message, change, now_ms, word.word)
    return True


def _takes(place: Place | None, credit: Credit) -> bool:
    return place is not None and place.online and place.epoch == credit.epoch


def _places(conn: sqlite3.Connection) -> dict[int, Place]:
    """Return where boxes are; those that are shut out are nowhere."""
    found = conn.execute("SELECT id, site, box, epoch, online FROM boxes").fetchall()
    out = enrolment.all_out(conn)
    return {
        row[0]: Place(Address(row[1], row[2]), row[3], bool(row[4])) for row in found if (row[1], row[2]) not in out
    }
