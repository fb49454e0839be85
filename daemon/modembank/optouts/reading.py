"""Reading opt-outs and reviews for people: pages by cursor, and the rows of an export; every walk is bounded."""

from __future__ import annotations

import base64
import binascii
import hashlib
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from modembank.clock import rfc3339
from modembank.errors import FieldProblem, InvalidRequest
from modembank.ids import public_id
from modembank.optouts.views import INBOX_ID, OptOutView, ReviewView

_COLUMNS = "number, state, changed_at, source, keyword, inbox_id, note, by"
_OWN = "(by = :name OR EXISTS (SELECT 1 FROM inbox i WHERE i.id = o.inbox_id AND i.user_id = :user))"
"""What a user did, or what came of the conversations that are its own."""
_ONE = f"SELECT {_COLUMNS}, :all OR {_OWN} FROM opt_outs o WHERE number = :number"  # noqa: S608 - constants
_STATES = (0, 1)
WALK_LIMIT = 2_000
"""Rows looked at for one page of what is a user's own: each may lie on another page of the file."""
AT_ONCE = 1_000
"""Rows looked at for one part of an export: others that read, and the loop, wait for no more."""
# Of two messages that two lives of the box gave the same id, it is the one that came from the number.
_REVIEWS = (
    "SELECT r.inbox_id, r.number, i.text, r.keyword, r.created_at, r.decision, r.decided_at, r.by"
    " FROM opt_out_reviews r LEFT JOIN inbox i ON i.id = r.inbox_id AND i.sender = r.number"
    " WHERE (:all OR i.user_id = :user) AND "
)
Place = tuple[int, str]
"""When a row was changed, and its number."""
TOP: Place = (1 << 62, "\U0010ffff")
BOTTOM: Place = (-1 << 62, "")
_FROM_THE_TOP = (1 << 63) - 1


class Whose(msgspec.Struct, frozen=True):
    """Who reads: a user reads what is its own, an admin (``all``) everything."""

    all: bool
    user: int
    name: str

    @property
    def values(self) -> dict[str, object]:
        """What the statements name."""
        return {"all": self.all, "user": self.user, "name": self.name}


class _Walk(msgspec.Struct, frozen=True):
    """A bounded way along the index of changes, that of each state, both at once."""

    states: Sequence[int]
    steps: int
    newest_first: bool

    def along(
        self, conn: sqlite3.Connection, whose: Whose, place: Place, needs: int
    ) -> tuple[list[tuple[Any, ...]], Place | None]:
        """Return up to ``needs`` rows of somebody's behind a place, and up to where all was seen; None: to the end."""
        at, number = place
        values = whose.values | {"at": at, "number": number, "steps": self.steps, "needs": needs}
        walked = self._walked(f"{_COLUMNS}, :all OR {_OWN} AS fits")
        rows = conn.execute(f"SELECT * FROM ({walked}) WHERE fits LIMIT :needs", values).fetchall()  # noqa: S608 - constants
        if len(rows) == needs:
            return rows, (rows[-1][2], rows[-1][0])
        walked = self._walked("changed_at, number")
        last = conn.execute(f"SELECT * FROM ({walked}) LIMIT 1 OFFSET :steps - 1", values).fetchone()  # noqa: S608 - constants
        return rows, last

    def _walked(self, columns: str) -> str:
        behind, order = ("<", "DESC") if self.newest_first else (">", "ASC")
        arms = " UNION ALL ".join(
            f"SELECT {columns} FROM opt_outs o INDEXED BY opt_outs_state WHERE state = {state}"  # noqa: S608 - constants
            f" AND (changed_at, number) {behind} (:at, :number)"
            for state in self.states
        )
        return f"{arms} ORDER BY changed_at {order}, number {order} LIMIT :steps"


def one(conn: sqlite3.Connection, number: str, whose: Whose) -> OptOutView | None:
    """Return a number's row, out or in again; None when it never was out.

    Whoever may write to it may know that; how it came is told only to those whose own it is.
    """
    row = conn.execute(_ONE, whose.values | {"number": number}).fetchone()
    if row is None:
        return None
    view = _view(row)
    return view if row[8] else msgspec.structs.replace(view, keyword=None, message=None, note="", by=None)


def page(
    conn: sqlite3.Connection, state: int | None, cursor: str | None, limit: int, whose: Whose
) -> tuple[list[OptOutView], str | None]:
    """Return a page, what changed last first, and where to go on; raises InvalidRequest for a cursor that is none."""
    about = f"opt-outs {state}".encode()
    place = TOP if cursor is None else _position(cursor, about, Place)
    walk = _Walk(_STATES if state is None else (state,), WALK_LIMIT, newest_first=True)
    rows, floor = walk.along(conn, whose, place, limit + 1)
    if len(rows) > limit:
        rows, floor = rows[:limit], (rows[limit - 1][2], rows[limit - 1][0])
    return [_view(row) for row in rows], None if floor is None else _cursor(floor, about)


def following(conn: sqlite3.Connection, whose: Whose, place: Place) -> tuple[list[OptOutView], Place | None]:
    """Return some rows that were changed after others, the oldest change first, and where to go on; None: all is read.

    What is changed meanwhile comes again, at the end.
    """
    rows, place_of_last = _Walk(_STATES, AT_ONCE, newest_first=False).along(conn, whose, place, AT_ONCE)
    return [_view(row) for row in rows], place_of_last


def review(conn: sqlite3.Connection, inbox_id: int, whose: Whose) -> ReviewView | None:
    """Return one review, or None: there is none, or it is about a message of another user."""
    row = conn.execute(_REVIEWS + "r.inbox_id = :id", whose.values | {"id": inbox_id}).fetchone()
    return None if row is None else _review(row)


def reviews(
    conn: sqlite3.Connection, cursor: str | None, limit: int, whose: Whose, *, still_open: bool
) -> tuple[list[ReviewView], str | None]:
    """Return a page of reviews, newest first, and where to go on; raises InvalidRequest for a cursor that is none."""
    about = f"reviews {still_open}".encode()
    before = _FROM_THE_TOP if cursor is None else _position(cursor, about, int)
    where = "r.decided_at IS NULL AND " if still_open else ""
    query = f"{_REVIEWS}{where}r.inbox_id < :before ORDER BY r.inbox_id DESC LIMIT :limit"
    rows = conn.execute(query, whose.values | {"before": before, "limit": limit + 1}).fetchall()
    goes_on = _cursor(rows[limit - 1][0], about) if len(rows) > limit else None
    return [_review(row) for row in rows[:limit]], goes_on


def open_reviews(conn: sqlite3.Connection) -> int:
    """Return how many messages wait for a person."""
    found: int = conn.execute("SELECT count(*) FROM opt_out_reviews WHERE decided_at IS NULL").fetchone()[0]
    return found


def _view(row: tuple[Any, ...]) -> OptOutView:
    number, state, changed_at, source, keyword, inbox_id, note, by = row[:8]
    message = None if inbox_id is None else public_id(INBOX_ID, inbox_id)
    return OptOutView(number, "out" if state else "in", rfc3339(changed_at), source, keyword, message, note, by or None)


def _review(row: tuple[Any, ...]) -> ReviewView:
    inbox_id, number, text, keyword, created_at, decision, decided_at, by = row
    return ReviewView(
        id=public_id(INBOX_ID, inbox_id),
        from_=number,
        text=text,
        keyword=keyword,
        created_at=rfc3339(created_at),
        decision=decision,
        decided_at=None if decided_at is None else rfc3339(decided_at),
        by=by,
    )


def _cursor(place: object, about: bytes) -> str:
    return base64.urlsafe_b64encode(_mark(about) + msgspec.json.encode(place)).decode()


def _position(cursor: str, about: bytes, shape: Any) -> Any:
    try:
        octets = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        if octets[:7] == _mark(about):
            place = msgspec.json.decode(octets[7:], type=shape)
            if abs(place if isinstance(place, int) else place[0]) < 1 << 63:
                return place
    except (UnicodeError, binascii.Error, msgspec.DecodeError):
        pass
    problem = "is none of this list: begin without one, and change no filter between pages"
    raise InvalidRequest(FieldProblem("/cursor", problem))


def _mark(about: bytes) -> bytes:
    return hashlib.blake2b(about, digest_size=7).digest()
