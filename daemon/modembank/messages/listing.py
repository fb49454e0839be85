"""Which messages a page shows: newest first, by keyset, each page bounded however rare its messages are.

A list walks one index (or the primary key) downwards and looks at no more than WALK_LIMIT rows a page; when that does
not fill the page it is shorter, maybe empty, and its cursor goes on where the walk ended.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from modembank.errors import FieldProblem, InvalidRequest
from modembank.ids import row_id
from modembank.messages.admission import Admission, moment_ms
from modembank.messages.cursors import cursor_after, position_of
from modembank.messages.model import MessageState
from modembank.messages.numbers import BadNumber
from modembank.messages.requests import MessageFilter
from modembank.messages.views import BATCH_ID

MOST_A_PAGE = 500
WALK_LIMIT = 20_000
"""Rows looked at for one page."""
_FROM_THE_TOP = (1 << 63) - 1
_PROBLEMS = range(60, 80)  # what the index messages_problem holds
_WORDS = {state.word: state for state in MessageState}


class Selection(msgspec.Struct, frozen=True, array_like=True):
    """A filter with its words understood; None and empty do not restrict."""

    user_id: int | None = None
    states: tuple[int, ...] = ()
    recipient: str | None = None
    since: int | None = None
    batch: int | None = None
    reference: str | None = None

    @property
    def about(self) -> bytes:
        """What cursors are bound to."""
        return msgspec.json.encode(self)


@dataclass(frozen=True, slots=True)
class Picked:
    """Row ids of a page, newest first, and the cursor of the next."""

    ids: tuple[int, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class _Walk:
    """One index and the part of it to walk; the SQL is made of constants and numbers only."""

    where: str
    params: tuple[object, ...] = ()


def select(which: MessageFilter, admission: Admission, user_id: int | None) -> Selection:
    """Return what a filter means, for one user's messages or (None) all; raises InvalidRequest with all problems."""
    recipient = since = batch = None
    wrong = [word for word in which.status if word not in _WORDS]
    known = ", ".join(_WORDS)
    problems = [FieldProblem("/status", f"{word[:40]!a} is no status; there are: {known}") for word in wrong]
    if which.to is not None:
        try:
            recipient = admission.recipient(which.to)
        except BadNumber as error:
            problems.append(FieldProblem("/to", str(error)))
    if which.since is not None:
        try:
            since = moment_ms(which.since, "/since")
        except InvalidRequest as error:
            problems += error.problems
    if which.batch is not None:
        batch = row_id(BATCH_ID, which.batch)
        if batch is None:
            problems.append(FieldProblem("/batch", "is no batch's id"))
    if problems:
        raise InvalidRequest(*problems)
    states = tuple(sorted({int(_WORDS[word]) for word in which.status}))
    return Selection(user_id, states, recipient, since, batch, which.reference)


def pick(conn: sqlite3.Connection, wanted: Selection, cursor: str | None, limit: int) -> Picked:
    """Return one page's rows; raises InvalidRequest for a limit or a cursor that is none."""
    if not 1 <= limit <= MOST_A_PAGE:
        raise InvalidRequest(FieldProblem("/limit", f"must be 1 to {MOST_A_PAGE}"))
    before = _FROM_THE_TOP if cursor is None else position_of(cursor, wanted.about)
    since = 0 if wanted.since is None else wanted.since
    found: list[int] = []
    walked, last, reached = 0, before, False
    for message, created_at, fits in _walked(conn, wanted, before):
        if fits and created_at >= since and len(found) == limit:
            return Picked(tuple(found), cursor_after(found[-1], wanted.about))
        if walked == WALK_LIMIT:
            # A whole walk of older ones ends the search; one alone does not, for clocks are set back.
            goes_on = wanted.since is None or reached
            return Picked(tuple(found), cursor_after(last, wanted.about) if goes_on else None)
        walked, last = walked + 1, message
        reached = reached or created_at >= since
        if fits and created_at >= since:
            found.append(message)
    return Picked(tuple(found), None)


def _walked(conn: sqlite3.Connection, wanted: Selection, before: int) -> Iterable[tuple[int, int, int]]:
    """Return (id, created_at, fits the other filters) of the rows to look at, newest first, lazily."""
    fits, values = _fits(wanted)
    walks = [
        conn.execute(
            f"SELECT id, created_at, {fits} FROM messages {walk.where} id < ? ORDER BY id DESC",  # noqa: S608 - constants
            (*values, *walk.params, before),
        )
        for walk in _walks(wanted)
    ]
    return _rows(walks)


def _rows(walks: list[sqlite3.Cursor]) -> Iterator[tuple[int, int, int]]:
    try:
        yield from heapq.merge(*walks, reverse=True)
    finally:
        for walk in walks:
            walk.close()


def _walks(wanted: Selection) -> list[_Walk]:
    """Return the narrowest walk, or one for each state of those that have an index."""
    if wanted.reference is not None:
        return [_Walk("INDEXED BY messages_reference WHERE reference = ? AND", (wanted.reference,))]
    if wanted.batch is not None:
        return [_Walk("INDEXED BY messages_batch WHERE batch_id = ? AND", (wanted.batch,))]
    if wanted.recipient is not None:
        return [_Walk("INDEXED BY messages_recipient WHERE recipient = ? AND", (wanted.recipient,))]
    if wanted.states and all(state in _PROBLEMS for state in wanted.states):
        where = "INDEXED BY messages_problem WHERE state BETWEEN 60 AND 79 AND state = ? AND"
        return [_Walk(where, (state,)) for state in wanted.states]
    return [_Walk("NOT INDEXED WHERE")]


def _fits(wanted: Selection) -> tuple[str, tuple[object, ...]]:
    """Return an SQL expression of what the walk does not ensure already, and its values."""
    terms, values = ["1"], []
    for column in ("user_id", "recipient", "batch", "reference"):
        value = getattr(wanted, column)
        if value is not None:
            terms.append(f"{'batch_id' if column == 'batch' else column} IS ?")
            values.append(value)
    if wanted.states:
        terms.append(f"state IN ({', '.join(map(str, wanted.states))})")
    return " AND ".join(terms), tuple(values)
