"""The inbox: inbound messages, newest first."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from modembank.accounts.model import Actor, Scope
from modembank.clock import Clock, rfc3339, to_ms
from modembank.errors import FieldProblem, InvalidRequest, NotFound
from modembank.ids import public_id, row_id
from modembank.messages import redacting
from modembank.messages.cursors import cursor_after, position_of
from modembank.messages.model import InboxHiding
from modembank.messages.numbers import BadNumber
from modembank.messages.views import INBOX_ID, InboxView, Page
from modembank.store import Store

MOST_A_PAGE = 500
_FROM_THE_TOP = (1 << 63) - 1
_SELECT = (
    "SELECT i.id, i.sender, s.msisdn, i.kind, i.text, i.octets, i.parts, i.missing, s.iccid, i.sent_at, i.received_at,"
    " i.hidden"
    " FROM inbox i LEFT JOIN sims s ON s.id = i.sim_id"
)

_SHOWN = f"i.hidden IS NOT {int(InboxHiding.DELETED)}"


class Numbers(Protocol):
    """Who knows how numbers are written; Admission is one."""

    def recipient(self, written: str) -> str:
        """Return a number in the form messages are stored with; raises BadNumber."""


class Inbox:
    """Inbound messages, on behalf of an actor.

    A SIM belongs to the box and not to a user: every key with the scope messages:read sees every inbound message,
    whatever the role of its user.
    """

    def __init__(self, store: Store, numbers: Numbers, clock: Clock) -> None:
        """Read from ``store``; ``numbers`` understands what a filter asks for."""
        self._store = store
        self._numbers = numbers
        self._clock = clock

    async def list(
        self, actor: Actor, *, sender: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[InboxView]:
        """Return a page, newest first; ``sender`` is a number in any usual form, or a sender name exactly.

        Raises Forbidden, InvalidRequest for a limit or a cursor that is none of this list.
        """
        actor.require(Scope.MESSAGES_READ)
        if not 1 <= limit <= MOST_A_PAGE:
            raise InvalidRequest(FieldProblem("/limit", f"must be 1 to {MOST_A_PAGE}"))
        senders = None if sender is None else self._written(sender)
        about = msgspec.json.encode(("inbox", senders))
        before = _FROM_THE_TOP if cursor is None else position_of(cursor, about)
        rows = await self._store.read(lambda conn: _page(conn, senders, before, limit + 1))
        goes_on = cursor_after(rows[limit - 1][0], about) if len(rows) > limit else None
        return Page(tuple(_view(row) for row in rows[:limit]), goes_on)

    async def get(self, actor: Actor, message: str) -> InboxView:
        """Return one message by its public id (``inb_…``). Raises Forbidden, NotFound."""
        actor.require(Scope.MESSAGES_READ)
        wanted = row_id(INBOX_ID, message)
        row = (
            None if wanted is None else await self._store.fetch_one(f"{_SELECT} WHERE i.id = ? AND {_SHOWN}", (wanted,))
        )
        if row is None:
            raise NotFound(what="inbound message", which=ascii(message[:40]))
        return _view(row)

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


def _page(conn: sqlite3.Connection, senders: tuple[str, ...] | None, before: int, most: int) -> list[tuple[Any, ...]]:
    if senders is None:
        return conn.execute(
            f"{_SELECT} WHERE i.id < ? AND {_SHOWN} ORDER BY i.id DESC LIMIT ?", (before, most)
        ).fetchall()
    # One walk down the index for each form: rows of both together would have to be sorted, all of them.
    where = f"WHERE i.sender = ? AND i.id < ? AND {_SHOWN} ORDER BY i.id DESC LIMIT ?"
    walks = [conn.execute(f"{_SELECT} {where}", (sender, before, most)).fetchall() for sender in senders]
    return list(heapq.merge(*walks, key=lambda row: row[0], reverse=True))[:most]


def _view(row: tuple[Any, ...]) -> InboxView:
    inbox_id, sender, msisdn, kind, text, octets, parts, missing, iccid, sent_at, received_at, hidden = row
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
        sent_at=None if sent_at is None else rfc3339(sent_at),
        received_at=rfc3339(received_at),
        redacted=hidden is not None,
    )
