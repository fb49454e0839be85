"""Inbound messages that another system hands in: durable once, then like all that comes from the air."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec

from modembank.accounts.model import Actor, Scope
from modembank.clock import Clock, to_ms
from modembank.errors import FieldProblem, InvalidRequest
from modembank.ids import public_id
from modembank.messages import idempotency
from modembank.messages.idempotency import Answer
from modembank.messages.inbound_content import Content, clean_text
from modembank.messages.inbound_rows import Shown, show
from modembank.messages.numbers import MAX_INPUT
from modembank.messages.own_numbers import OwnNumbers
from modembank.messages.receiving import Receiving
from modembank.messages.requests import IdempotencyKey
from modembank.messages.views import INBOX_ID
from modembank.store import Store
from modembank.tpdu import ContentKind

MAX_TEXT = 39_015
"""Characters: what 255 segments hold (3GPP TS 23.040 9.2.3.24.1)."""
NO_SIM = 0
_RECEIVED = "received"


class HandedIn(msgspec.Struct, frozen=True):
    """What another system says came for the box; ``sent_at`` is unix milliseconds."""

    sender: str
    receiver: str
    text: str
    sent_at: int | None = None


class TakenIn(msgspec.Struct, frozen=True):
    """The inbound message it became, and whether it had been handed in before."""

    id: str
    replayed: bool


class Taking:
    """Takes inbound messages over, on behalf of an actor."""

    def __init__(
        self, store: Store, clock: Clock, receiving: Receiving, own: OwnNumbers, party: Callable[[str], str]
    ) -> None:
        """``party`` (``Admission.party``) knows whom somebody means."""
        self._store = store
        self._clock = clock
        self._receiving = receiving
        self.own = own
        self._party = party

    async def take(self, actor: Actor, handed: HandedIn, key: IdempotencyKey) -> TakenIn:
        """Store a message in the inbox, durably, once for each key.

        It belongs to the user who last wrote to its sender when an admin hands it in, and to the actor otherwise:
        nobody writes into the inbox of others. It is heard as an opt-out like any other; that a number wants messages
        again is believed only when an admin hands it in, who alone may undo an opt-out.

        Raises Forbidden, InvalidRequest, IdempotencyMismatch, StoreFull, StoreError.
        """
        actor.require(Scope.MESSAGES_SEND)
        _check(handed)
        sender, now = self._party(handed.sender.strip()), to_ms(self._clock.now())
        sim = self.own.sim_with(handed.receiver)
        sim_id = NO_SIM if sim is None else sim.id
        content = Content(ContentKind.TEXT, clean_text(handed.text), None, 1, (), handed.sent_at)
        owner = None if actor.is_admin else actor.user_id
        known: list[Answer] = []
        new_id = self._store.ids.take()

        def write(conn: sqlite3.Connection) -> Shown | None:
            earlier = idempotency.recall(conn, actor.user_id, key, now)
            if earlier is not None:
                known.append(earlier)
                return None
            answer = Answer(new_id, (), _RECEIVED, 1, "")
            idempotency.remember(conn, actor.user_id, key, answer, now)
            return show(conn, new_id, content, sim_id=sim_id, sender=sender, received_at=now, owner=owner)

        await self._receiving.take_in(write, now, may_opt_in=actor.is_admin, payer=owner)
        return TakenIn(public_id(INBOX_ID, known[0].first if known else new_id), bool(known))


def _check(handed: HandedIn) -> None:
    problems = []
    if not 1 <= len(handed.sender.strip()) <= MAX_INPUT or not handed.sender.isprintable():
        problems.append(FieldProblem("/sender", f"must be a number or a name of 1 to {MAX_INPUT} printable characters"))
    if len(handed.receiver) > MAX_INPUT:
        problems.append(FieldProblem("/receiver", f"must have at most {MAX_INPUT} characters"))
    if len(handed.text) > MAX_TEXT:
        problems.append(FieldProblem("/text", f"must have at most {MAX_TEXT} characters"))
    if problems:
        raise InvalidRequest(*problems)
