"""Which messages a page shows: newest first, by keyset, each page bounded however rare its messages are.

A list walks the narrowest index (or the primary key) downwards and looks at no more than WALK_LIMIT rows a page; when
that does not fill the page it is shorter, maybe empty, and its cursor goes on where the walk ended. The walk is a
subquery with a limit, so that the rows which do not fit never come to Python. What several parts of indexes hold
together is walked along all of them at once, row by row in the order of all. Where words are looked for, what has them
is walked along, whatever else is wanted.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Sequence
from itertools import islice

import msgspec

from modembank.errors import FieldProblem, InvalidRequest
from modembank.ids import row_id
from modembank.messages.admission import Admission, moment_ms
from modembank.messages.chronology import first_accepted_at
from modembank.messages.cursors import cursor_after, position_of
from modembank.messages.model import MessageFlags, MessageState
from modembank.messages.numbers import BadNumber
from modembank.messages.requests import MessageFilter
from modembank.messages.search import MESSAGES, Hunt, hunt, match_of, unsearched
from modembank.messages.views import BATCH_ID

MOST_A_PAGE = 500
WALK_LIMIT = 5_000
"""Rows looked at for one page, where they lie side by side."""
INDEX_LIMIT = 300
"""The same along an index, where each may lie on another page of the file."""
MOST_QUEUES = 64
"""Queues (of a route and a rank) that are walked at once; with more, all messages are looked through."""
_FROM_THE_TOP = (1 << 63) - 1
_BY_STATE = (  # the indexes of states, with what each holds
    (
        range(MessageState.SENT),
        "INDEXED BY messages_waiting WHERE state < 50 AND (state <> 30 OR ready IS NOT 1) AND state = ? AND",
    ),
    (range(60, 80), "INDEXED BY messages_problem WHERE state BETWEEN 60 AND 79 AND state = ? AND"),
)
_IN_QUEUE = "INDEXED BY messages_ready WHERE ready = 1 AND route_id = ? AND rank = ? AND"
# Not (route_id, rank) > (?, ?), for which SQLite goes along the whole queue that it is to leave behind.
_NEXT_RANK = (
    "SELECT route_id, rank FROM messages INDEXED BY messages_ready WHERE ready = 1 AND route_id = ? AND rank > ?"
    " ORDER BY rank LIMIT 1"
)
_NEXT_ROUTE = (
    "SELECT route_id, rank FROM messages INDEXED BY messages_ready WHERE ready = 1 AND route_id > ?"
    " ORDER BY route_id, rank LIMIT 1"
)
_OF_A_USER = "INDEXED BY messages_user WHERE user_id = ? AND"
_SHOWN = f"flags & {int(MessageFlags.HIDDEN)} = 0"
_WORDS = {state.word: state for state in MessageState}


class Selection(msgspec.Struct, frozen=True, array_like=True):
    """A filter with its words understood; None and empty do not restrict."""

    user_id: int | None = None
    states: tuple[int, ...] = ()
    recipient: str | None = None
    since: int | None = None
    batch: int | None = None
    reference: str | None = None
    until: int | None = None
    sim: str | None = None
    words: str | None = None
    """An FTS5 expression."""
    provider: str | None = None

    @property
    def about(self) -> bytes:
        """What cursors are bound to."""
        return msgspec.json.encode(self)


class Picked(msgspec.Struct, frozen=True):
    """Row ids of a page, newest first, and the cursor of the next."""

    ids: tuple[int, ...]
    cursor: str | None
    unsearched: int = 0


class _Walk(msgspec.Struct, frozen=True):
    """One index and the part of it to walk; the SQL is made of constants and numbers only."""

    where: str
    params: tuple[object, ...] = ()


class _Seen(msgspec.Struct, frozen=True):
    """What a walk found, newest first, and the row down to which it has seen all; 0: it has reached the end."""

    ids: list[int]
    floor: int


def select(which: MessageFilter, admission: Admission, user_id: int | None) -> Selection:
    """Return what a filter means, for one user's messages or (None) all; raises InvalidRequest with all problems."""
    recipient = batch = words = None
    wrong = [word for word in which.status if word not in _WORDS]
    known = ", ".join(_WORDS)
    problems = [FieldProblem("/status", f"{word[:40]!a} is no status; there are: {known}") for word in wrong]
    if which.to is not None:
        try:
            recipient = admission.recipient(which.to)
        except BadNumber as error:
            problems.append(FieldProblem("/to", str(error)))
    if which.words is not None:
        try:
            words = match_of(which.words)
        except InvalidRequest as error:
            problems += error.problems
    moments: dict[str, int] = {}
    for name, moment in (("since", which.since), ("until", which.until)):
        try:
            moments |= {} if moment is None else {name: moment_ms(moment, f"/{name}")}
        except InvalidRequest as error:
            problems += error.problems
    if which.batch is not None:
        batch = row_id(BATCH_ID, which.batch)
        if batch is None:
            problems.append(FieldProblem("/batch", "is no batch's id"))
    if problems:
        raise InvalidRequest(*problems)
    states = tuple(sorted({int(_WORDS[word]) for word in which.status}))
    since, until = moments.get("since"), moments.get("until")
    return Selection(user_id, states, recipient, since, batch, which.reference, until, which.sim, words, which.provider)


def pick(conn: sqlite3.Connection, wanted: Selection, cursor: str | None, limit: int) -> Picked:
    """Return one page's rows; raises InvalidRequest for a limit or a cursor that is none."""
    if not 1 <= limit <= MOST_A_PAGE:
        raise InvalidRequest(FieldProblem("/limit", f"must be 1 to {MOST_A_PAGE}"))
    before = _FROM_THE_TOP if cursor is None else position_of(cursor, wanted.about)
    if cursor is None and wanted.until is not None:
        before = first_accepted_at(conn, wanted.until)
    if wanted.words is not None:
        return _having(conn, wanted, wanted.words, before, limit)
    walks = _walks(conn, wanted, before)
    # A page that all rows fit must be full, however many it may hold.
    bounds = _Bounds(before, max(INDEX_LIMIT if walks[0].params else WALK_LIMIT, limit + 1), limit + 1)
    seen = _seen(conn, wanted, walks, bounds)
    found = seen.ids
    if len(found) > limit:
        return Picked(tuple(found[:limit]), cursor_after(found[limit - 1], wanted.about))
    goes_on = seen.floor and (found or _goes_on(conn, wanted, walks, bounds))
    return Picked(tuple(found), cursor_after(seen.floor, wanted.about) if goes_on else None)


class _Bounds(msgspec.Struct, frozen=True):
    """Below which row a walk begins, how many rows it looks at, and how many it needs to find."""

    before: int
    steps: int
    needs: int


def _having(conn: sqlite3.Connection, wanted: Selection, words: str, before: int, limit: int) -> Picked:
    """Pick among the messages whose text has the words."""
    ids, floor = hunt(conn, Hunt(MESSAGES, words, *_fits(wanted), wanted.user_id), before, limit + 1)
    behind = unsearched(conn, MESSAGES)
    if len(ids) > limit:
        return Picked(tuple(ids[:limit]), cursor_after(ids[limit - 1], wanted.about), behind)
    below = _Bounds(floor, WALK_LIMIT, 1)
    goes_on = floor and (ids or _goes_on(conn, wanted, [_Walk("NOT INDEXED WHERE")], below))
    return Picked(tuple(ids), cursor_after(floor, wanted.about) if goes_on else None, behind)


def _seen(conn: sqlite3.Connection, wanted: Selection, walks: Sequence[_Walk], bounds: _Bounds) -> _Seen:
    return _along_one(conn, wanted, walks[0], bounds) if len(walks) == 1 else _along_all(conn, wanted, walks, bounds)


def _along_all(conn: sqlite3.Connection, wanted: Selection, walks: Sequence[_Walk], bounds: _Bounds) -> _Seen:
    fits, values = _fits(wanted)
    lanes = [
        conn.execute(
            f"SELECT id, {fits} FROM messages {walk.where} id < ? ORDER BY id DESC",  # noqa: S608 - constants
            (*values, *walk.params, bounds.before),
        )
        for walk in walks
    ]
    ids: list[int] = []
    steps, row = 0, 0
    for row, fitting in islice(heapq.merge(*lanes, reverse=True), bounds.steps):
        steps += 1
        if fitting and row not in ids[-1:]:  # what waits for its next try can be in two of them
            ids.append(row)
            if len(ids) == bounds.needs:
                break
    for lane in lanes:
        lane.close()
    return _Seen(ids, row if len(ids) == bounds.needs or steps == bounds.steps else 0)


def _along_one(conn: sqlite3.Connection, wanted: Selection, walk: _Walk, bounds: _Bounds) -> _Seen:
    fits, values = _fits(wanted)
    rows = conn.execute(
        f"SELECT id FROM (SELECT id, {fits} AS fits FROM messages {walk.where} id < ? ORDER BY id DESC LIMIT ?)"  # noqa: S608 - constants
        " WHERE fits LIMIT ?",
        (*values, *walk.params, bounds.before, bounds.steps, bounds.needs),
    )
    ids = [row[0] for row in rows]
    return _Seen(ids, ids[-1] if len(ids) == bounds.needs else _end_of(conn, walk, bounds))


def _end_of(conn: sqlite3.Connection, walk: _Walk, bounds: _Bounds) -> int:
    """Return the last row that a walk looks at, or 0 when there are not so many."""
    row = conn.execute(
        f"SELECT id FROM messages {walk.where} id < ? ORDER BY id DESC LIMIT 1 OFFSET ?",  # noqa: S608 - constants
        (*walk.params, bounds.before, bounds.steps - 1),
    ).fetchone()
    return 0 if row is None else int(row[0])


def _goes_on(conn: sqlite3.Connection, wanted: Selection, walks: Sequence[_Walk], bounds: _Bounds) -> bool:
    """Whether older rows may be wanted: a whole walk of too old ones ends a list; one does not, clocks are set back."""
    if wanted.since is None:
        return True
    newer, any_one = Selection(since=wanted.since), msgspec.structs.replace(bounds, needs=1)
    return bool(_seen(conn, newer, walks, any_one).ids)


def _walks(conn: sqlite3.Connection, wanted: Selection, before: int) -> list[_Walk]:
    """Return the narrowest walk, or one for each state of those that have an index."""
    if wanted.reference is not None:
        return [_Walk("INDEXED BY messages_reference WHERE reference = ? AND", (wanted.reference,))]
    if wanted.batch is not None:
        return [_Walk("INDEXED BY messages_batch WHERE batch_id = ? AND", (wanted.batch,))]
    if wanted.recipient is not None:
        return [_Walk("INDEXED BY messages_recipient WHERE recipient = ? AND", (wanted.recipient,))]
    of_user = _Walk(_OF_A_USER, (wanted.user_id,))
    if wanted.user_id is not None and not (wanted.states and _end_of(conn, of_user, _Bounds(before, INDEX_LIMIT, 1))):
        return [of_user]  # all of a user with few messages is looked at at once, whatever is wanted of it
    by_state = [_Walk(where, (state,)) for state in wanted.states for states, where in _BY_STATE if state in states]
    if wanted.states and len(by_state) == len(wanted.states):
        queues = _queues(conn) if MessageState.QUEUED in wanted.states else []
        if len(queues) <= MOST_QUEUES:
            return by_state + queues
    return [_Walk("NOT INDEXED WHERE") if wanted.user_id is None else of_user]


def _queues(conn: sqlite3.Connection) -> list[_Walk]:
    """Return a walk along each queue of messages that may be sent, one more than MOST_QUEUES at most."""
    found: list[_Walk] = []
    queue = conn.execute(_NEXT_ROUTE, (-1,)).fetchone()
    while queue is not None and len(found) <= MOST_QUEUES:
        found.append(_Walk(_IN_QUEUE, queue))
        queue = conn.execute(_NEXT_RANK, queue).fetchone() or conn.execute(_NEXT_ROUTE, queue[:1]).fetchone()
    return found


def _fits(wanted: Selection) -> tuple[str, tuple[object, ...]]:
    """Return an SQL expression of what the walk does not ensure already, and its values."""
    terms, values = [_SHOWN], list[object]()
    for term, value in (
        ("user_id = ?", wanted.user_id),
        ("recipient = ?", wanted.recipient),
        ("batch_id IS ?", wanted.batch),
        ("reference IS ?", wanted.reference),
        ("created_at >= ?", wanted.since),
        ("created_at < ?", wanted.until),
        ("sim_id = (SELECT id FROM sims WHERE iccid = ?)", wanted.sim),
        ("sim_id IN (SELECT -id FROM providers WHERE name = ?)", wanted.provider),
    ):
        if value is not None:
            terms.append(term)
            values.append(value)
    if wanted.states:
        terms.append(f"state IN ({', '.join(map(str, wanted.states))})")
    return " AND ".join(terms), tuple(values)
