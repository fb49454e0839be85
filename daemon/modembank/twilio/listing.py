"""An account's messages of both directions, newest first, by keyset; each page bounded however rare its messages are.

Ids of both tables come from one sequence, so that their order is that of time.
"""

from __future__ import annotations

import heapq
import re
import sqlite3
from collections.abc import Generator, Iterator
from itertools import islice
from typing import TypeAlias

import msgspec

from modembank.messages import MessageFlags, MessageState
from modembank.messages.chronology import first_accepted_at
from modembank.messages.model import InboxHiding
from modembank.twilio.sids import Kind

MOST_A_PAGE = 1_000
WALK_LIMIT = 500
"""Rows looked at for one page, or as many as it may show when that is more: a few milliseconds."""
TOP = (1 << 63) - 1
_TOKEN = re.compile(r"P(?P<way>[AB])(?P<row>[0-7][0-9a-f]{15})")
_OUTBOUND = (
    "SELECT m.id, m.recipient, m.text, m.segments, m.state, m.cause, m.created_at, m.sent_at, m.settled_at, s.msisdn,"
    " s.iccid, t.sender, t.status_callback, COALESCE(t.reply, 0) FROM messages m{hint} LEFT JOIN sims s ON"
    " s.id = m.sim_id LEFT JOIN twilio_messages t ON t.message_id = m.id"
    " WHERE m.flags & {hidden} = 0 AND m.user_id = ?"
)
_INBOUND = (
    "SELECT i.id, i.sender, i.text, i.parts, i.received_at, s.msisdn, s.iccid FROM inbox i{hint}"
    " LEFT JOIN sims s ON s.id = i.sim_id"
    " WHERE i.hidden IS NOT {hidden} AND i.user_id = ?"
)


class Outbound(msgspec.Struct, frozen=True):
    """A row; times are unix milliseconds."""

    id: int
    recipient: str
    text: str
    segments: int
    state: MessageState
    cause: str | None
    created_at: int
    sent_at: int | None
    settled_at: int | None
    msisdn: str | None
    """The SIM's own number, when one was chosen."""
    iccid: str | None
    sender: str | None
    status_callback: str | None
    reply: int

    @property
    def at(self) -> int | None:
        """The date by which lists filter."""
        return self.sent_at


class Inbound(msgspec.Struct, frozen=True):
    """A row; times are unix milliseconds."""

    id: int
    sender: str
    text: str
    parts: int
    received_at: int
    msisdn: str | None
    iccid: str | None

    @property
    def at(self) -> int | None:
        """The date by which lists filter."""
        return self.received_at


class Wanted(msgspec.Struct, frozen=True):
    """A filter with its words understood; None does not restrict. Dates are unix milliseconds."""

    to: str | None = None
    sender: str | None = None
    since: int | None = None
    before: int | None = None
    """Exclusive."""

    def fits(self, message: Outbound | Inbound) -> bool:
        """Whether a message is wanted."""
        if isinstance(message, Outbound):
            to_fits = self.to in {None, message.recipient}
            from_fits = self.sender is None or self.sender in {message.msisdn, message.sender}
        else:
            to_fits, from_fits = self.to in {None, message.msisdn}, self.sender in {None, message.sender}
        if not (to_fits and from_fits):
            return False
        if self.since is None and self.before is None:
            return True
        at = message.at
        return at is not None and (self.since or 0) <= at < (TOP if self.before is None else self.before)


class Place(msgspec.Struct, frozen=True):
    """Where a page begins: below a row, or (``upwards``) above one."""

    row: int = TOP
    upwards: bool = False

    @property
    def token(self) -> str:
        """The page token of it."""
        return f"P{'B' if self.upwards else 'A'}{self.row:016x}"


def read_token(token: str) -> Place | None:
    """Return what a page token says, or None when it is none."""
    found = _TOKEN.fullmatch(token)
    return None if found is None else Place(int(found["row"], 16), found["way"] == "B")


class Picked(msgspec.Struct, frozen=True):
    """A page, newest first, and where the pages before and after it begin; None: there is none."""

    messages: tuple[Outbound | Inbound, ...]
    following: Place | None
    previous: Place | None


_Walk: TypeAlias = Generator[Outbound | Inbound, None, None]


def one(conn: sqlite3.Connection, user_id: int, kind: Kind, row_id: int) -> Outbound | Inbound | None:
    """Return a user's message, or None when there is none to be seen."""
    if kind is Kind.OUTBOUND:
        row = conn.execute(f"{_outbound_sql()} AND m.id = ?", (user_id, row_id)).fetchone()
        return None if row is None else _outbound(row)
    row = conn.execute(f"{_inbound_sql()} AND i.id = ?", (user_id, row_id)).fetchone()
    return None if row is None else Inbound(*row)


def pick(conn: sqlite3.Connection, user_id: int, wanted: Wanted, place: Place, limit: int) -> Picked:
    """Return a page. One of rare messages can be short and still have a next."""
    found: list[Outbound | Inbound] = []
    begin = _begin(conn, wanted.before) if place == Place() and wanted.before is not None else place
    more, last = False, begin.row
    walk = _walk(conn, user_id, wanted, begin)
    for message in islice(walk, max(WALK_LIMIT, limit + 1)):
        if wanted.fits(message):
            if len(found) == limit:
                more = True
                break
            found.append(message)
        last = message.id
    else:
        more = next(walk, None) is not None
    walk.close()
    if place.upwards:
        found.reverse()
        return Picked(
            tuple(found), Place(found[-1].id if found else place.row + 1), Place(last, True) if more else None
        )
    before = Place(found[0].id if found else place.row - 1, True) if place.row != TOP else None
    return Picked(tuple(found), Place(last) if more else None, before)


def _begin(conn: sqlite3.Connection, before: int) -> Place:
    """Return where a list begins that ends before a date (unix ms): what is above came later."""
    low = first_accepted_at(conn, before)
    row = conn.execute("SELECT min(id) FROM messages WHERE id >= ?", (low,)).fetchone()
    return Place() if row[0] is None else Place(int(row[0]))


def _walk(conn: sqlite3.Connection, user_id: int, wanted: Wanted, place: Place) -> _Walk:
    """Yield messages of both tables from a place on, lazily, down the narrowest index of each."""
    out_where, out_values, out_index = _narrowed("m.recipient", wanted.to, "messages_recipient", "messages_user")
    in_where, in_values, in_index = _narrowed("i.sender", wanted.sender, "inbox_sender", "inbox_user")
    side, order = (">", "ASC") if place.upwards else ("<", "DESC")
    out_sql = f"{_outbound_sql(out_index)}{out_where} AND m.id {side} ? ORDER BY m.id {order}"
    in_sql = f"{_inbound_sql(in_index)}{in_where} AND i.id {side} ? ORDER BY i.id {order}"
    outbound = conn.execute(out_sql, (user_id, *out_values, place.row))
    inbound = conn.execute(in_sql, (user_id, *in_values, place.row))
    try:
        rows: tuple[Iterator[Outbound | Inbound], ...] = (map(_outbound, outbound), (Inbound(*row) for row in inbound))
        yield from heapq.merge(*rows, key=lambda message: message.id, reverse=not place.upwards)
    finally:
        outbound.close()
        inbound.close()


def _outbound_sql(index: str = "") -> str:
    return _OUTBOUND.format(hint=f" INDEXED BY {index}" if index else "", hidden=int(MessageFlags.HIDDEN))


def _inbound_sql(index: str = "") -> str:
    return _INBOUND.format(hint=f" INDEXED BY {index}" if index else "", hidden=int(InboxHiding.DELETED))


def _narrowed(column: str, value: str | None, index: str, usual: str) -> tuple[str, tuple[str, ...], str]:
    return ("", (), usual) if value is None else (f" AND {column} = ?", (value,), index)


def _outbound(row: tuple[object, ...]) -> Outbound:
    values = list(row)
    values[4] = MessageState(row[4])  # type: ignore[arg-type]
    return Outbound(*values)  # type: ignore[arg-type]
