"""Messages for the pool of all boxes, as people and programs see them: accepted once, followed, wanted back."""

from __future__ import annotations

import re
import secrets
import sqlite3
from collections.abc import Callable, Sequence

import msgspec
import structlog

from modembank import audit
from modembank.accounts import Actor, Scope
from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.errors import Conflict, FieldProblem, InvalidRequest, NotFound
from modembank.messages import IdempotencyKey, IdempotencyMismatch
from modembank.messages.text import TextProblem, measure
from modembank.store import Store, Urgency
from modembank.tpdu import Encoding
from modembank_fleet.pool.assigning import ENDED, HubNow, State, pass_time
from modembank_fleet.pool.words import Dup
from modembank_hub import rows_of_pool as rows
from modembank_hub.events import PoolChanged
from modembank_hub.rows_of_pool import NewMessage, PoolRow, Step, Wanted

VALID_S = 3600
"""How long a message counts when nobody says."""
SHORTEST_VALID_S, LONGEST_VALID_S = 120, 7 * 86_400
MOST_RECIPIENTS = 1000
MOST_SEGMENTS = 10
"""As many as any box may be told to allow; each box's own limit counts beside it."""
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_log = structlog.get_logger()


class Order(msgspec.Struct, frozen=True):
    """What somebody wants sent: one text to one or many, each a message of its own."""

    to: Sequence[str]
    text: str
    valid_for_s: int = VALID_S
    dup: str = Dup.AT_MOST_ONCE
    reference: str | None = None
    listed: bool = True
    """Recipients were given as a list, and not as one text."""


class Page(msgspec.Struct, frozen=True):
    """Messages, newest first, and where to go on."""

    items: list[PoolRow]
    cursor: int | None


class PoolTotals(msgspec.Struct, frozen=True):
    """The pool at a glance."""

    states: dict[str, int]
    maybe_dup: int
    conflicts: int


class Pool:
    """Over the hub's store; whose a message is, ``sending`` decides."""

    def __init__(self, store: Store, clock: Clock, bus: Bus, due: Callable[[], None], *, signed: bool) -> None:
        """``due`` is called when there may be something to give to boxes; without a key (``signed``) nothing can be."""
        self._store = store
        self._clock = clock
        self._bus = bus
        self._due = due
        self._signed = signed

    async def submit(self, actor: Actor, order: Order, key: IdempotencyKey | None = None) -> tuple[list[PoolRow], bool]:
        """Accept messages durably, all or none; return them, and whether the same request was made before.

        Raises Forbidden, InvalidRequest, IdempotencyMismatch, Conflict, StoreError.
        """
        actor.require(Scope.MESSAGES_SEND)
        if not self._signed:
            raise Conflict(why="messages for boxes must be signed, and this hub has no key ([signing] key_file)")
        numbers = _checked(order)
        now = self._now()

        def add(conn: sqlite3.Connection) -> tuple[list[PoolRow], bool]:
            if key is not None:
                known = rows.known_key(conn, actor.user_id, key.key, now)
                if known is not None and known[0] != key.digest:
                    raise IdempotencyMismatch(idempotency_key=key.key)
                if known is not None:
                    return rows.stretch(conn, known[1], known[2]), True
            not_after = now + order.valid_for_s * 1000
            made = [
                rows.add(
                    conn,
                    NewMessage(
                        f"m{now:011x}{secrets.token_hex(8)}", actor.user_id, actor.name, number, order.text,
                        order.reference, order.dup, not_after, now,
                    ),
                )
                for number in numbers
            ]  # fmt: skip
            if key is not None:
                rows.keep_key(conn, actor.user_id, key.key, key.digest, (made[0], len(made)), now)
            return rows.stretch(conn, made[0], len(made)), False

        accepted, replayed = await self._store.write(add, reserve=False)
        if not replayed:
            _log.info("pool_accepted", messages=len(accepted), actor=actor.name)
            self._changed()
        return accepted, replayed

    async def get(self, actor: Actor, message: str) -> tuple[PoolRow, list[Step]]:
        """Return a message and its way; raises NotFound, Forbidden."""
        actor.require(Scope.MESSAGES_READ)

        def read(conn: sqlite3.Connection) -> tuple[PoolRow, list[Step]]:
            return _found(conn, actor, message), list(rows.steps(conn, message))

        return await self._store.read(read)

    async def list(self, actor: Actor, *, state: str | None = None, cursor: int | None = None, limit: int = 50) -> Page:
        """Return a page of messages; of others' too for admins alone."""
        actor.require(Scope.MESSAGES_READ)
        wanted = Wanted(state, None if actor.is_admin else actor.user_id)
        found = await self._store.read(lambda conn: rows.page(conn, wanted, cursor, limit + 1))
        return Page(found[:limit], found[limit - 1].n if len(found) > limit else None)

    async def totals(self, actor: Actor) -> PoolTotals:
        """Return the pool at a glance; raises Forbidden for all but admins."""
        actor.require(Scope.ADMIN)

        def read(conn: sqlite3.Connection) -> PoolTotals:
            return PoolTotals(rows.totals(conn), *rows.marked(conn))

        return await self._store.read(read)

    async def cancel(self, actor: Actor, message: str) -> PoolRow:
        """Want a message back: at once while no box has it, else its box is asked; raises NotFound, Conflict."""
        actor.require(Scope.MESSAGES_SEND)
        now = self._now()

        def cancel(conn: sqlite3.Connection) -> PoolRow:
            found = _found(conn, actor, message)
            if State(found.state) in ENDED:
                raise Conflict(why=f"the message is {found.state} already")
            if found.cancel:
                return found
            rows.want_back(conn, message)
            rows.add_step(conn, message, rows.NewStep(now, "wanted_back", found.fence))
            wanted = _found(conn, actor, message).message
            change = pass_time(wanted, None, HubNow(0.0, now / 1000)) if wanted.state is State.QUEUED else None
            if change is not None:
                rows.put_down(conn, wanted, change, now)
            audit.record(conn, actor, "pool.cancel", message, now)
            return _found(conn, actor, message)

        cancelled = await self._store.write(cancel)
        self._changed()
        return cancelled

    async def forget_old(self, days: int) -> None:
        """Forget what ended long ago, a bounded number at a time."""
        before = self._now() - days * 86_400_000
        while await self._store.write(lambda conn: rows.drop_old(conn, before, 500), Urgency.LAZY) == 500:
            pass

    def _changed(self) -> None:
        self._bus.publish(PoolChanged(self._now()))
        self._due()

    def _now(self) -> int:
        return to_ms(self._clock.now())


def _found(conn: sqlite3.Connection, actor: Actor, message: str) -> PoolRow:
    found = rows.get(conn, message)
    if found is None or not (actor.is_admin or found.user_id == actor.user_id):
        raise NotFound(what="message", which=repr(message[:80]))
    return found


def _checked(order: Order) -> list[str]:
    """Return the recipients, each once; raises InvalidRequest with everything that is wrong."""
    problems: list[FieldProblem] = []
    if not 1 <= len(order.to) <= MOST_RECIPIENTS:
        problems.append(FieldProblem("/to", f"must name 1 to {MOST_RECIPIENTS} numbers"))
    for place, number in enumerate(order.to[:MOST_RECIPIENTS]):
        if not _NUMBER.fullmatch(number):
            pointer = f"/to/{place}" if order.listed else "/to"
            what = f"{number[:40]!a} is no international number, such as +447900900123"
            problems.append(FieldProblem(pointer, what))
    try:
        measure(order.text, Encoding.AUTO, MOST_SEGMENTS)
    except TextProblem as error:
        problems.append(FieldProblem("/text", str(error)))
    if not SHORTEST_VALID_S <= order.valid_for_s <= LONGEST_VALID_S:
        problems.append(FieldProblem("/valid_for_s", f"must be {SHORTEST_VALID_S} to {LONGEST_VALID_S} seconds"))
    if order.reference is not None and not (1 <= len(order.reference) <= 255 and order.reference.isprintable()):
        problems.append(FieldProblem("/reference", "must be 1 to 255 printable characters, or be left out"))
    if problems:
        raise InvalidRequest(*problems)
    return list(dict.fromkeys(order.to))
