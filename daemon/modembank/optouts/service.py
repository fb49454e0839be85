"""The opt-outs service: what every face calls to see and change who wants no messages."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Iterable, Sequence
from functools import partial
from typing import Protocol

import structlog

from modembank import audit
from modembank.accounts.model import Actor, Scope
from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.errors import Conflict, FieldProblem, Forbidden, InvalidRequest, ModembankError, NotFound
from modembank.events import OptOutsChanged
from modembank.ids import mask_number, public_id, row_id
from modembank.optouts import reading
from modembank.optouts.files import MOST_ROWS, Form, read_csv, write_csv
from modembank.optouts.model import Change, Source
from modembank.optouts.reading import BOTTOM, Place, Whose
from modembank.optouts.rows import is_out
from modembank.optouts.views import INBOX_ID, ImportDone, ImportRow, OptOutView, Page, ReviewView
from modembank.optouts.writing import change, take_in
from modembank.store import Store

MOST_A_PAGE = 500
MOST_PROBLEMS = 50
"""Rows of an import that are told of; the rest is counted."""
MOST_NOTE = 200
_STATES = {None: None, "out": 1, "in": 0}
_log = structlog.get_logger()


class Numbers(Protocol):
    """Who knows how numbers are written; Admission is one."""

    def recipient(self, written: str) -> str:
        """Return a number in the form messages are stored with; raises a ModembankError that says what is wrong."""


class OptOuts:
    """Opt-outs of the whole box, on behalf of an actor. All methods raise Forbidden.

    A sender sees what it did itself and what came of its own conversations; of another number only whether it is out.
    """

    def __init__(self, store: Store, bus: Bus, clock: Clock, numbers: Numbers) -> None:
        """Use these; all state is in the store."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._numbers = numbers

    async def list(
        self,
        actor: Actor,
        *,
        number: str | None = None,
        state: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[OptOutView]:
        """Return a page, what changed last first; ``state`` is ``out`` or ``in``. Raises InvalidRequest."""
        actor.require(Scope.OPT_OUTS)
        _check_page(limit)
        if state not in _STATES:
            raise InvalidRequest(FieldProblem("/state", "must be out or in"))
        if number is not None:
            wanted = self._number(number)
            found = await self._store.read(lambda conn: reading.one(conn, wanted, _whose(actor)))
            fits = found is not None and state in (None, found.state)
            return Page([found] if found is not None and fits else [], None)
        items, following = await self._store.read(
            lambda conn: reading.page(conn, _STATES[state], cursor, limit, _whose(actor))
        )
        return Page(items, following)

    async def get(self, actor: Actor, number: str) -> OptOutView:
        """Return what is known of a number; raises NotFound when it never was out."""
        actor.require(Scope.OPT_OUTS)
        return await self._one(actor, number)

    async def add(self, actor: Actor, number: str, note: str = "") -> OptOutView:
        """Put a number out; one that is out already stays as it is. Raises InvalidRequest."""
        actor.require(Scope.OPT_OUTS)
        wanted, now = self._number(number), self._now()
        _check_note("/note", note)

        def write(conn: sqlite3.Connection) -> bool:
            done = change(conn, Change(wanted, True, now, Source.API, note=note, by=actor.name))
            if done:
                audit.record(conn, actor, "optout.add", wanted, now, {"note": note})
            return done

        if await self._store.write(write):
            self._tell((wanted,), now, out=True, by=actor)
        return await self._one(actor, wanted)

    async def remove(self, actor: Actor, number: str, reason: str) -> OptOutView:
        """Let a number have messages again. Raises Forbidden for all but admins, NotFound, InvalidRequest."""
        if not actor.is_admin:
            raise Forbidden(why="only an admin undoes what a recipient asked for")
        if not reason.strip():
            raise InvalidRequest(FieldProblem("/reason", "is needed: say how you know that they want messages again"))
        _check_note("/reason", reason)
        wanted, now = self._number(number), self._now()

        def write(conn: sqlite3.Connection) -> bool:
            done = change(conn, Change(wanted, False, now, Source.API, note=reason, by=actor.name))
            if done:
                audit.record(conn, actor, "optout.remove", wanted, now, {"reason": reason})
            return done

        if not await self._store.write(write):
            raise NotFound(what="opt-out of", which=wanted)
        self._tell((wanted,), now, out=False, by=actor)
        return await self._one(actor, wanted)

    async def take_in(self, actor: Actor, rows: Sequence[ImportRow]) -> ImportDone:
        """Put many numbers out, all or none; raises InvalidRequest that names each wrong one by its place."""
        actor.require(Scope.OPT_OUTS)
        if len(rows) > MOST_ROWS:
            raise InvalidRequest(FieldProblem("/items", f"has {len(rows)} rows: at most {MOST_ROWS} fit one request"))
        placed = [(f"/items/{at}/number", row.number, row.note, False) for at, row in enumerate(rows)]
        return await self._import(actor, placed)

    async def take_in_csv(self, actor: Actor, body: bytes) -> ImportDone:
        """Put the numbers of a CSV file out, all or none; raises InvalidRequest that names each wrong line."""
        actor.require(Scope.OPT_OUTS)
        rows = await asyncio.to_thread(lambda: list(read_csv(body)))
        return await self._import(actor, [(f"/lines/{line}", *row) for line, *row in rows])  # type: ignore[misc]

    async def export(self, actor: Actor, form: Form = "machine") -> AsyncGenerator[bytes, None]:
        """Return all that the actor may list as CSV to be read to the end, the oldest change first.

        It is read part by part, none of which lasts long; what is changed meanwhile comes again, at the end.
        """
        actor.require(Scope.OPT_OUTS)
        await audit.note_reading(self._store, self._clock, actor, "optout.export", "", {"form": form})
        return self._parts(_whose(actor), form)

    async def reviews(
        self, actor: Actor, *, cursor: str | None = None, limit: int = 50, still_open: bool = True
    ) -> Page[ReviewView]:
        """Return a page of what may have meant to opt out, newest first. Raises InvalidRequest."""
        actor.require(Scope.OPT_OUTS)
        _check_page(limit)
        items, following = await self._store.read(
            lambda conn: reading.reviews(conn, cursor, limit, _whose(actor), still_open=still_open)
        )
        return Page(items, following)

    async def decide(self, actor: Actor, review: str, decision: str) -> ReviewView:
        """Decide a review: ``opt_out`` or ``dismiss``. Raises NotFound, InvalidRequest, Conflict."""
        actor.require(Scope.OPT_OUTS)
        if decision not in ("opt_out", "dismiss"):
            raise InvalidRequest(FieldProblem("/decision", "must be opt_out or dismiss"))
        inbox_id, now = row_id(INBOX_ID, review), self._now()
        if inbox_id is None:
            raise NotFound(what="review", which=ascii(review[:40]))
        wanted = inbox_id
        added = await self._store.write(lambda conn: _decide(conn, actor, wanted, decision, now))
        if added is not None:
            self._tell((added,), now, out=True, by=actor)
        found = await self._store.read(lambda conn: reading.review(conn, wanted, _whose(actor)))
        if found is None:
            raise NotFound(what="review", which=review)
        return found

    async def _parts(self, whose: Whose, form: Form) -> AsyncGenerator[bytes, None]:
        yield write_csv((), form)
        place: Place | None = BOTTOM

        def read(conn: sqlite3.Connection, after: Place) -> tuple[bytes, Place | None]:
            rows, onward = reading.following(conn, whose, after)
            return write_csv(rows, form, begins=False), onward

        while place is not None:
            part, place = await self._store.read(partial(read, after=place))
            if part:
                yield part

    async def _import(self, actor: Actor, rows: Sequence[tuple[str, str, str, bool]]) -> ImportDone:
        now = self._now()
        wanted = await asyncio.to_thread(self._changes, actor, rows, now)

        def write(conn: sqlite3.Connection) -> tuple[str, ...]:
            fresh = take_in(conn, list(wanted.values()), now)
            audit.record(conn, actor, "optout.import", "", now, {"rows": len(rows), "added": len(fresh)})
            return fresh

        fresh = await self._store.write(write)
        if fresh:
            self._tell(fresh, now, out=True, by=actor)
        skipped = sum(says_in for _, _, _, says_in in rows)
        return ImportDone(len(fresh), len(rows) - skipped - len(fresh), skipped)

    def _changes(self, actor: Actor, rows: Iterable[tuple[str, str, str, bool]], now: int) -> dict[str, Change]:
        problems: list[FieldProblem] = []
        found: dict[str, Change] = {}
        for pointer, written, note, says_in in rows:
            try:
                number = self._numbers.recipient(written)
            except ModembankError as error:
                problems.append(FieldProblem(pointer, str(error)))
                continue
            if len(note) > MOST_NOTE:
                problems.append(FieldProblem(pointer, f"has a note of more than {MOST_NOTE} characters"))
            elif not says_in:
                found[number] = Change(number, True, now, Source.IMPORT, note=note, by=actor.name)
        if problems:
            more = len(problems) - MOST_PROBLEMS
            rest = [FieldProblem("", f"{more} more rows are wrong; nothing was imported")] if more > 0 else []
            raise InvalidRequest(*problems[:MOST_PROBLEMS], *rest)
        return found

    async def _one(self, actor: Actor, number: str) -> OptOutView:
        wanted = self._number(number)
        found = await self._store.read(lambda conn: reading.one(conn, wanted, _whose(actor)))
        if found is None:
            raise NotFound(what="opt-out of", which=wanted)
        return found

    def _number(self, written: str) -> str:
        try:
            return self._numbers.recipient(written)
        except ModembankError as error:
            raise InvalidRequest(FieldProblem("/number", str(error))) from error

    def _tell(self, numbers: tuple[str, ...], now: int, *, out: bool, by: Actor) -> None:
        shown = mask_number(numbers[0]) if len(numbers) == 1 else f"{len(numbers)} numbers"
        _log.info("opt_outs_changed", numbers=shown, out=out, by=by.name)
        self._bus.publish(OptOutsChanged(now, numbers, out))

    def _now(self) -> int:
        return to_ms(self._clock.now())


def _decide(conn: sqlite3.Connection, actor: Actor, inbox_id: int, decision: str, now: int) -> str | None:
    """Return the number that is out by it now, if one is."""
    found = reading.review(conn, inbox_id, _whose(actor))
    which = public_id(INBOX_ID, inbox_id)
    if found is None:
        raise NotFound(what="review", which=which)
    number, decided = found.from_, found.decision
    if decided is not None:
        if decided != decision:
            raise Conflict(why=f"it is decided already: {decided}")
        return None
    if decision == "opt_out" and not number.startswith("+"):
        raise Conflict(
            why=f"{number} has no country code: add the whole number with POST /api/v1/opt-outs, and dismiss this"
        )
    conn.execute(
        "UPDATE opt_out_reviews SET decision = ?, decided_at = ?, by = ? WHERE inbox_id = ?",
        (decision, now, actor.name, inbox_id),
    )
    audit.record(conn, actor, "optout.review", which, now, {"number": number, "decision": decision})
    wanted = Change(number, True, now, Source.REVIEW, inbox_id=inbox_id, by=actor.name)
    out = decision == "opt_out" and not is_out(conn, number) and change(conn, wanted)
    return number if out else None


def _whose(actor: Actor) -> Whose:
    return Whose(actor.is_admin, actor.user_id, actor.name)


def _check_page(limit: int) -> None:
    if not 1 <= limit <= MOST_A_PAGE:
        raise InvalidRequest(FieldProblem("/limit", f"must be 1 to {MOST_A_PAGE}"))


def _check_note(pointer: str, note: str) -> None:
    if len(note) > MOST_NOTE:
        raise InvalidRequest(FieldProblem(pointer, f"must have at most {MOST_NOTE} characters"))
