"""Reading opt-outs and reviews for people: pages by cursor, and the rows of an export."""

from __future__ import annotations

import base64
import binascii
import hashlib
import sqlite3
from dataclasses import dataclass
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
_OF_STATE = f"SELECT {_COLUMNS}, 1 FROM opt_outs o INDEXED BY opt_outs_state WHERE (:all OR {_OWN}) AND state = "  # noqa: S608 - constants
_OUT = f"{_OF_STATE}0 UNION ALL {_OF_STATE}1 ORDER BY changed_at, number"
_BEFORE = " AND (changed_at, number) < (:at, :number)"
_PAGE_OF_STATE = f"{_OF_STATE}:state{_BEFORE} ORDER BY changed_at DESC, number DESC LIMIT :limit"
_PAGE = f"{_OF_STATE}0{_BEFORE} UNION ALL {_OF_STATE}1{_BEFORE} ORDER BY changed_at DESC, number DESC LIMIT :limit"
# Of two messages that two lives of the box gave the same id, it is the one that came from the number.
_REVIEWS = (
    "SELECT r.inbox_id, r.number, i.text, r.keyword, r.created_at, r.decision, r.decided_at, r.by"
    " FROM opt_out_reviews r LEFT JOIN inbox i ON i.id = r.inbox_id AND i.sender = r.number"
    " WHERE (:all OR i.user_id = :user) AND "
)
TOP = (1 << 62, "\U0010ffff")
_FROM_THE_TOP = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Whose:
    """Who reads: a user reads what is its own, an admin (``all``) everything."""

    all: bool
    user: int
    name: str

    @property
    def values(self) -> dict[str, object]:
        """What the statements name."""
        return {"all": self.all, "user": self.user, "name": self.name}


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
    at, number = TOP if cursor is None else _position(cursor, about, tuple[int, str])
    wanted = {"at": at, "number": number, "state": state, "limit": limit + 1}
    rows = conn.execute(_PAGE if state is None else _PAGE_OF_STATE, whose.values | wanted).fetchall()
    goes_on = _cursor((rows[limit - 1][2], rows[limit - 1][0]), about) if len(rows) > limit else None
    return [_view(row) for row in rows[:limit]], goes_on


def everything(conn: sqlite3.Connection, whose: Whose) -> list[OptOutView]:
    """Return all rows, the oldest change first."""
    return [_view(row) for row in conn.execute(_OUT, whose.values)]


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
    number, state, changed_at, source, keyword, inbox_id, note, by, _ = row
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
