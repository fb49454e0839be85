"""The inbox: inbound messages, newest first."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import msgspec

from modembank.accounts.model import Actor, Scope
from modembank.clock import Clock, rfc3339, to_ms
from modembank.errors import FieldProblem, InvalidRequest, NotFound
from modembank.ids import public_id, row_id
from modembank.messages import redacting
from modembank.messages.cursors import cursor_after, position_of
from modembank.messages.numbers import BadNumber
from modembank.messages.search import INBOX as INBOX_TEXTS
from modembank.messages.search import Hunt, hunt, match_of, unsearched
from modembank.messages.views import INBOX_ID, InboxView, Page
from modembank.messages.walks import INBOX, INBOX_DELETED, INBOX_FROM, INBOX_OF_USER, walk_down
from modembank.store import Store

MOST_A_PAGE = 500
_FROM_THE_TOP = (1 << 63) - 1
_Row: TypeAlias = tuple[Any, ...]
_SHOWN = f"i.hidden IS NOT {INBOX_DELETED}"
_SELECT = (
    "SELECT i.id, i.sender, s.msisdn, i.kind, i.text, i.octets, i.parts, i.missing, s.iccid, i.sent_at, i.received_at,"
    " i.hidden, p.name, p.channel"
    " FROM inbox i LEFT JOIN sims s ON s.id = i.sim_id LEFT JOIN providers p ON p.id = -i.sim_id"
)


class Numbers(Protocol):
    """Who knows how numbers are written; Admission is one."""

    def recipient(self, written: str) -> str:
        """Return a number in the form messages are stored with; raises BadNumber."""


class Inbox:
    """Inbound messages, on behalf of an actor.

    A message belongs to the user who had last written to its sender when it came: a sender sees its own. Admins see
    all, also what came from numbers that nobody had written to.
    """

    def __init__(self, store: Store, numbers: Numbers, clock: Clock) -> None:
        """Read from ``store``; ``numbers`` understands what a filter asks for."""
        self._store = store
        self._numbers = numbers
        self._clock = clock

    async def list(
        self,
        actor: Actor,
        *,
        sender: str | None = None,
        words: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[InboxView]:
        """Return a page, newest first; ``sender`` is a number in any usual form, or a sender name exactly.

        ``words`` are what the text must have (``search.match_of``). Raises Forbidden, InvalidRequest for words that
        cannot be looked for, a limit, or a cursor that is none of this list.
        """
        actor.require(Scope.MESSAGES_READ)
        if not 1 <= limit <= MOST_A_PAGE:
            raise InvalidRequest(FieldProblem("/limit", f"must be 1 to {MOST_A_PAGE}"))
        senders = None if sender is None else self._written(sender)
        match = None if words is None else match_of(words)
        about = msgspec.json.encode(("inbox", senders) if match is None else ("inbox", senders, match))
        before = _FROM_THE_TOP if cursor is None else position_of(cursor, about)
        wanted = _Wanted(None if actor.is_admin else actor.user_id, senders, match)
        rows, floor, behind = await self._store.read(lambda conn: _page(conn, wanted, before, limit + 1))
        if len(rows) > limit:
            floor = rows[limit - 1][0]
        return Page(tuple(_view(row) for row in rows[:limit]), cursor_after(floor, about) if floor else None, behind)

    async def get(self, actor: Actor, message: str) -> InboxView:
        """Return one message by its public id (``inb_…``). Raises Forbidden, NotFound."""
        actor.require(Scope.MESSAGES_READ)
        wanted = row_id(INBOX_ID, message)
        found = () if wanted is None else await self.some(actor, (wanted,))
        if not found:
            raise NotFound(what="inbound message", which=ascii(message[:40]))
        return found[0]

    async def some(self, actor: Actor, ids: Sequence[int]) -> tuple[InboxView, ...]:
        """Return those of the messages (row ids) that exist and the actor may see, in the order asked for."""
        actor.require(Scope.MESSAGES_READ)
        whose = _Wanted(None if actor.is_admin else actor.user_id)
        return tuple(_view(row) for row in await self._store.read(lambda conn: _rows(conn, whose, ids)))

    async def redact(self, actor: Actor, message: str) -> InboxView:
        """Take the content of a message away, also what comes of it later; the rest stays to be seen.

        Raises Forbidden, NotFound.
        """
        await self._take_away(actor, message, redacting.redact_inbound)
        return await self.get(actor, message)

    async def delete(self, actor: Actor, message: str) -> None:
        """Let a message vanish: nobody sees it any more, and its content is gone. Raises Forbidden, NotFound."""
        await self._take_away(actor, message, redacting.delete_inbound)

    async def _take_away(
        self, actor: Actor, message: str, how: Callable[[sqlite3.Connection, int, Actor, int], None]
    ) -> None:
        actor.require(Scope.MESSAGES_SEND)
        wanted, now = row_id(INBOX_ID, message), to_ms(self._clock.now())
        if wanted is None:
            raise NotFound(what="inbound message", which=ascii(message[:40]))
        await self._store.write(lambda conn: how(conn, wanted, actor, now))

    def _written(self, sender: str) -> tuple[str, ...]:
        """Return the forms in which a sender may be stored: networks also name senders by national numbers or names."""
        try:
            normal = self._numbers.recipient(sender)
        except BadNumber:
            return (sender,)
        return tuple(dict.fromkeys((normal, sender)))


class _Wanted(msgspec.Struct, frozen=True):
    """Whose messages (None: everybody's), from whom (None: anybody), and an FTS5 expression for their texts."""

    user_id: int | None
    senders: tuple[str, ...] | None = None
    match: str | None = None

    @property
    def fits(self) -> tuple[str, tuple[int, ...]]:
        """An SQL expression of which rows may be seen, and its values."""
        return (_SHOWN, ()) if self.user_id is None else (f"{_SHOWN} AND i.user_id = ?", (self.user_id,))


def _rows(conn: sqlite3.Connection, wanted: _Wanted, ids: Sequence[int]) -> list[_Row]:
    fits, values = wanted.fits
    found = (conn.execute(f"{_SELECT} WHERE i.id = ? AND {fits}", (row, *values)).fetchone() for row in ids)
    return [row for row in found if row is not None]


def _page(conn: sqlite3.Connection, wanted: _Wanted, before: int, most: int) -> tuple[list[_Row], int, int]:
    """Return rows newest first, the row down to which all was looked at (0: to the end), and how many were left out."""
    user_id = wanted.user_id
    if wanted.match is not None:
        found, floor = hunt(conn, _hunt(wanted, wanted.match), before, most)
        return _rows(conn, wanted, found), floor, unsearched(conn, INBOX_TEXTS)
    if wanted.senders is not None:
        # One walk down the index for each form: rows of both together would have to be sorted, all of them.
        walks = [walk_down(conn, INBOX_FROM, (sender,), before, most, user_id) for sender in wanted.senders]
    elif user_id is None:
        walks = [walk_down(conn, INBOX, (), before, most)]
    else:
        walks = [walk_down(conn, INBOX_OF_USER, (user_id,), before, most)]
    floor = max(walk.floor for walk in walks)
    ids = sorted((row for walk in walks for row in walk.ids if row >= floor), reverse=True)[:most]
    return _rows(conn, wanted, ids), floor, 0


def _hunt(wanted: _Wanted, match: str) -> Hunt:
    terms, values = [f"hidden IS NOT {INBOX_DELETED}"], list[object]()
    if wanted.user_id is not None:
        terms.append("user_id = ?")
        values.append(wanted.user_id)
    if wanted.senders is not None:
        terms.append(f"sender IN ({', '.join('?' * len(wanted.senders))})")
        values += wanted.senders
    return Hunt(INBOX_TEXTS, match, " AND ".join(terms), tuple(values), wanted.user_id)


def _view(row: _Row) -> InboxView:
    inbox_id, sender, msisdn, kind, text, octets, parts, missing, iccid, sent_at, received_at, hidden, *way = row
    return InboxView(
        id=public_id(INBOX_ID, inbox_id),
        from_=sender,
        to=msisdn,
        kind=kind,
        text=text,
        octets=None if octets is None else octets.hex(),
        parts=parts,
        missing=msgspec.json.decode(missing, type=tuple[int, ...]),
        sim=iccid,
        provider=way[0],
        channel=way[1] or "sms",
        sent_at=None if sent_at is None else rfc3339(sent_at),
        received_at=rfc3339(received_at),
        redacted=hidden is not None,
    )
