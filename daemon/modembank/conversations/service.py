"""The conversations service: lists, threads, answers, and what was read; on behalf of an actor."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Protocol

import msgspec

from modembank import optouts
from modembank.accounts.model import Actor, Scope
from modembank.audit import Readings
from modembank.clock import rfc3339
from modembank.conversations import rows
from modembank.conversations.rows import Place, Row
from modembank.conversations.views import ConversationView, ReadView, Said, Thread
from modembank.errors import FieldProblem, InvalidRequest, NotFound
from modembank.ids import public_id, row_id
from modembank.messages import IdempotencyKey, Inbox, Messages, Page, SubmitReceipt, SubmitRequest
from modembank.messages.cursors import cursor_after, position_of
from modembank.messages.numbers import MAX_INPUT, BadNumber
from modembank.messages.own_numbers import OwnNumbers
from modembank.messages.views import INBOX_ID, MESSAGE_ID
from modembank.store import Store

MOST_A_PAGE = 200


class Numbers(Protocol):
    """Who knows how numbers are written; Admission is one."""

    def recipient(self, written: str) -> str:
        """Return a number in the form messages are stored with; raises BadNumber."""

    def party(self, written: str) -> str:
        """Return a number in that form, or a name as it is."""


class Conversations:
    """What was said with numbers.

    A conversation belongs to the user whose messages the number answered; a sender sees its own. Admins see all: one
    for each user that a number answers, and all that was said with it in one thread.
    """

    def __init__(
        self, store: Store, messages: Messages, inbox: Inbox, numbers: Numbers, own: OwnNumbers, readings: Readings
    ) -> None:
        """Use these; nothing is read until asked. ``readings`` takes down when an admin reads what others wrote."""
        self._store = store
        self._messages = messages
        self._inbox = inbox
        self._numbers = numbers
        self._own = own
        self._readings = readings

    async def list(self, actor: Actor, *, cursor: str | None = None, limit: int = 50) -> Page[ConversationView]:
        """Return a page, the newest inbound message first. Raises Forbidden, InvalidRequest."""
        actor.require(Scope.MESSAGES_READ)
        whose, about = _whose(actor), msgspec.json.encode(("conversations", _whose(actor)))
        _check_limit(limit)
        before = None if cursor is None else position_of(cursor, about)

        def read(conn: sqlite3.Connection) -> tuple[list[Row], dict[str, int]]:
            found = rows.page(conn, whose, before, limit + 1)
            return found, optouts.among(conn, [row.number for row in found])

        found, out = await self._store.read(read)
        shown = found[:limit]
        sent = [row.last_sent for row in shown if row.last_sent is not None]
        statuses = await self._messages.statuses(actor, sent)
        goes_on = cursor_after(shown[-1].last_inbox, about) if len(found) > limit else None
        return Page(tuple(_view(row, statuses, out) for row in shown), goes_on)

    async def thread(self, actor: Actor, number: str, *, cursor: str | None = None, limit: int = 50) -> Thread:
        """Return what was said with a number, newest first; a page can be short and have a next.

        A number with which nothing was said has an empty thread. Raises Forbidden, NotFound for what is no number
        and no name, InvalidRequest.
        """
        actor.require(Scope.MESSAGES_READ)
        whose, wanted = _whose(actor), self._number(number)
        _check_limit(limit)
        about = msgspec.json.encode(("thread", whose, wanted))
        before = None if cursor is None else position_of(cursor, about)

        def read(conn: sqlite3.Connection) -> tuple[list[Place], int, bool, bool]:
            places, floor = rows.thread(conn, wanted, whose, before, limit + 1)
            strange = whose is None and rows.is_of_others(conn, places, actor.user_id)
            return places, floor, optouts.is_out(conn, wanted), strange

        places, floor, out, strange = await self._store.read(read)
        if strange:
            await self._readings.note(actor, "conversation.read", wanted)
        shown = places[:limit]
        if len(places) > limit:
            floor = shown[-1].id
        items = await self._said(actor, shown)
        return Thread(wanted, out, items, cursor_after(floor, about) if floor else None)

    async def reply(
        self, actor: Actor, number: str, text: str, idempotency: IdempotencyKey | None = None
    ) -> SubmitReceipt:
        """Write to a number through the SIM or the provider that received the last of it, on the same channel.

        When that one is gone, whoever carries the channel may.
        Raises what ``Messages.submit`` raises, and NotFound.
        """
        actor.require(Scope.MESSAGES_SEND)
        wanted, whose = self._number(number), _whose(actor)
        way = await self._store.read(lambda conn: rows.last_way(conn, wanted, whose))
        if way is not None and way.sim_id < 0:
            through = None if way.provider is None else (way.provider,)
            request = SubmitRequest(to=wanted, text=text, channel=way.channel, providers=through)
            return await self._messages.submit(actor, request, idempotency)
        try:
            self._numbers.recipient(wanted)
        except BadNumber as error:
            raise InvalidRequest(FieldProblem("/number", str(error))) from error
        sim = None if way is None else self._own.present(way.sim_id)
        request = SubmitRequest(to=wanted, text=text, sim=None if sim is None else sim.iccid)
        return await self._messages.submit(actor, request, idempotency)

    async def read(self, actor: Actor, number: str, up_to: str | None = None) -> ReadView:
        """Mark what came from a number as read, up to one message (``inb_…``) or all; an admin does so for all users.

        Raises Forbidden, InvalidRequest, NotFound for what is no number and no name.
        """
        actor.require(Scope.MESSAGES_READ)
        wanted, whose = self._number(number), _whose(actor)
        last = None if up_to is None else row_id(INBOX_ID, up_to)
        if up_to is not None and last is None:
            raise InvalidRequest(FieldProblem("/up_to", "is no id of an inbound message"))
        return ReadView(wanted, await self._store.write(lambda conn: rows.mark_read(conn, wanted, whose, last)))

    async def _said(self, actor: Actor, places: Sequence[Place]) -> tuple[Said, ...]:
        """Return the views of what is at these places and was not deleted meanwhile, in their order."""
        came = await self._inbox.some(actor, [place.id for place in places if place.inbound])
        went = await self._messages.some(actor, [place.id for place in places if not place.inbound])
        views: dict[str, Said] = {view.id: view for view in came}
        views |= {view.id: view for view in went}
        found = (views.get(public_id(INBOX_ID if place.inbound else MESSAGE_ID, place.id)) for place in places)
        return tuple(view for view in found if view is not None)

    def _number(self, written: str) -> str:
        """Return a number or a sender's name as conversations have it; raises NotFound for what is none."""
        if not 1 <= len(written.strip()) <= MAX_INPUT:
            raise NotFound(what="conversation with", which=ascii(written[:40]))
        return self._numbers.party(written)


def _whose(actor: Actor) -> int | None:
    return None if actor.is_admin else actor.user_id


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= MOST_A_PAGE:
        raise InvalidRequest(FieldProblem("/limit", f"must be 1 to {MOST_A_PAGE}"))


def _view(row: Row, statuses: dict[str, str], out: dict[str, int]) -> ConversationView:
    sent = None if row.last_sent is None else public_id(MESSAGE_ID, row.last_sent)
    status = None if sent is None else statuses.get(sent)
    return ConversationView(
        number=row.number,
        user=row.user,
        last_id=public_id(INBOX_ID, row.last_inbox),
        last_text=row.text,
        last_kind=row.kind,
        last_at=rfc3339(row.received_at),
        unread=row.unread,
        opted_out=row.number in out,
        last_sent_id=sent if status else None,
        last_sent_status=status,
    )
