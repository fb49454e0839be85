"""The messages service: what every face calls to send, preview, look up, list and cancel."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import tzinfo

import msgspec
import structlog

from modembank.accounts.model import Actor, Scope
from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.errors import FieldProblem, Forbidden, InvalidRequest, NotFound
from modembank.events import MessageStateChanged
from modembank.ids import public_id, row_id
from modembank.messages import cancelling, conservation, idempotency, late, listing, redacting, settling
from modembank.messages.accepting import Accepting, Beside, Lend, Submission
from modembank.messages.admission import Admission, Admitted
from modembank.messages.backlog import Backlog, backlogs
from modembank.messages.late import LateGroup, UnknownFound
from modembank.messages.lent import Lending
from modembank.messages.members import BatchMember, members
from modembank.messages.model import MessageState
from modembank.messages.outbox.deadlines import Deadlines
from modembank.messages.requests import (
    AllProvidersDisabled,
    IdempotencyKey,
    MessageFilter,
    NoProviderAvailable,
    ProviderDisabled,
    SubmitRequest,
    UnknownProvider,
)
from modembank.messages.showing import MAY_BE_SENT, message_view, waiting_message
from modembank.messages.stored import read_stories
from modembank.messages.text import TextProblem, preview_text
from modembank.messages.views import BATCH_ID, MESSAGE_ID, Conservation, MessageView, Page, Preview, SubmitReceipt
from modembank.messages.waiting import WaitExplainer, WaitingMessage
from modembank.metrics import Metrics
from modembank.store import Store, StoreFull, Urgency
from modembank.tpdu import Encoding

MANY = 500
"""Recipients from which on a request is checked beside the event loop."""
_REFUSED = (InvalidRequest, UnknownProvider, ProviderDisabled, AllProvidersDisabled, NoProviderAvailable, StoreFull)
"""How a request is refused that may have been accepted before, when it was as good as it was."""
_log = structlog.get_logger()


class _Shown(msgspec.Struct, frozen=True):
    view: MessageView
    waiting: WaitingMessage | None
    user_id: int


class Messages:
    """Outbound messages, on behalf of an actor."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Clock,
        metrics: Metrics,
        admission: Admission,
        waiting: WaitExplainer,
        *,
        zone: tzinfo | None = None,
    ) -> None:
        """Use these; nothing is read until asked. ``zone`` is where days begin, the box's own when None."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._admission = admission
        self._waiting = waiting
        self._accepting = Accepting(store, bus, metrics, zone)
        self.lending = Lending(bus, clock)
        """For messages that are only lent to this box."""

    def lend_to(self, lend: Lend, deadlines: Deadlines | None = None) -> None:
        """Give the content of what is accepted to ``lend`` (``Outbox.offer``) before it is announced.

        ``deadlines`` are those that the outbox asks.
        """
        self._accepting.lend = lend
        self.lending.deadlines = deadlines or self.lending.deadlines

    async def submit(
        self,
        actor: Actor,
        request: SubmitRequest,
        idempotency: IdempotencyKey | None = None,
        *,
        beside: Beside | None = None,
    ) -> SubmitReceipt:
        """Accept a request durably, all of it or nothing; a dry run checks it and stores nothing.

        With ``partial`` the recipients that can get no message are left out and told of; the rest is all or nothing.
        ``beside`` writes what a caller keeps of new messages in the transaction that accepts them.
        Raises Forbidden, InvalidRequest, UnknownProvider, ProviderDisabled, AllProvidersDisabled, NoProviderAvailable,
        OptedOut, IdempotencyMismatch, QuotaExceeded, StoreFull, StoreError.
        """
        actor.require(Scope.MESSAGES_SEND)
        now = self._now()
        try:
            submission = Submission(actor.user_id, await self._admitted(request, now), idempotency, now, beside)
            if request.dry_run:
                return (await self._accepting.rehearse(submission)).receipt(dry_run=True)
            answer, replayed = await self._accepting.accept(submission)
        except _REFUSED:
            # Accepted before, it stays accepted, even if the same request would be refused by now.
            earlier = await self._accepting.earlier(actor.user_id, idempotency, now)
            if earlier is None:
                raise
            answer, replayed = earlier, True
        return answer.receipt(replayed=replayed)

    def preview(self, text: str, *, encoding: str = "auto") -> Preview:
        """Tell how a text would go out; raises InvalidRequest for one that cannot."""
        if encoding not in set(Encoding):
            raise InvalidRequest(FieldProblem("/encoding", f"must be one of {', '.join(Encoding)}"))
        try:
            return preview_text(text, Encoding(encoding))
        except TextProblem as error:
            raise InvalidRequest(FieldProblem("/text", str(error))) from error

    async def get(self, actor: Actor, message: str) -> MessageView:
        """Return one message by its public id; NotFound when there is none the actor may see."""
        actor.require(Scope.MESSAGES_READ)
        return await self._one(actor, message)

    async def list(
        self, actor: Actor, which: MessageFilter, *, cursor: str | None = None, limit: int = 50
    ) -> Page[MessageView]:
        """Return a page of messages, newest first; a page of rare ones can be short or empty and still have a next.

        Raises Forbidden, and InvalidRequest for a filter, cursor or limit (1 to 500) that is none.
        """
        actor.require(Scope.MESSAGES_READ)
        wanted = listing.select(which, self._admission, None if actor.is_admin else actor.user_id)

        def read(conn: sqlite3.Connection) -> tuple[list[_Shown], listing.Picked]:
            picked = listing.pick(conn, wanted, cursor, limit)
            return _shown(conn, picked.ids), picked

        shown, picked = await self._store.read(read)
        return Page(tuple(self._explained(each) for each in shown), picked.cursor, picked.unsearched)

    async def some(self, actor: Actor, ids: Sequence[int]) -> tuple[MessageView, ...]:
        """Return those of the messages (row ids) that exist and the actor may see, in the order asked for."""
        actor.require(Scope.MESSAGES_READ)
        shown = await self._store.read(lambda conn: _shown(conn, ids))
        return tuple(self._explained(each) for each in shown if actor.is_admin or each.user_id == actor.user_id)

    async def statuses(self, actor: Actor, ids: Sequence[int]) -> dict[str, str]:
        """Return the words for the states of those of the messages (row ids) that the actor may see, by public id."""
        actor.require(Scope.MESSAGES_READ)
        found = await self._store.read(lambda conn: read_stories(conn, ids))
        seen = [each.message for each in found.stories if actor.is_admin or each.message.user_id == actor.user_id]
        return {public_id(MESSAGE_ID, message.id): message.state.word for message in seen}

    async def batch(self, actor: Actor, batch: str) -> tuple[BatchMember, ...]:
        """Return all messages of a batch in a few words, in the order asked for; raises Forbidden, NotFound."""
        actor.require(Scope.MESSAGES_READ)
        wanted, whose = row_id(BATCH_ID, batch), None if actor.is_admin else actor.user_id
        found = () if wanted is None else await self._store.read(lambda conn: members(conn, wanted, whose))
        if not found:
            raise NotFound(what="batch", which=ascii(batch[:40]))
        return found

    async def remembered(self, actor: Actor, key: str) -> SubmitReceipt | None:
        """Return what the actor's request with an idempotency key was answered, while it is known; raises Forbidden."""
        actor.require(Scope.MESSAGES_READ)
        now = self._now()
        answer = await self._store.read(lambda conn: idempotency.find(conn, actor.user_id, key, now))
        return None if answer is None else answer.receipt(replayed=True)

    async def cancel(self, actor: Actor, message: str) -> MessageView:
        """Cancel a message that no attempt was made at; one that is cancelled already stays so.

        Raises Forbidden, NotFound, and Conflict with the reason.
        """
        actor.require(Scope.MESSAGES_SEND)
        message_id, now = _row_id(message), self._now()
        done = self._store.submit(lambda conn: cancelling.cancel(conn, message_id, actor, now), Urgency.NOW)
        done.add_done_callback(self._changed)
        await asyncio.shield(done)
        return await self._one(actor, message)

    async def redact(self, actor: Actor, message: str) -> MessageView:
        """Take the text of a message away that was sent or has ended; the rest stays to be seen.

        Raises Forbidden, NotFound, and Conflict while the text may still be sent.
        """
        await self._take_away(actor, message, redacting.redact)
        return await self._one(actor, message)

    async def delete(self, actor: Actor, message: str) -> None:
        """Let a message vanish that was sent or has ended: nobody sees it any more, and its text is gone.

        Raises as ``redact`` does.
        """
        await self._take_away(actor, message, redacting.delete)

    async def _take_away(
        self, actor: Actor, message: str, how: Callable[[sqlite3.Connection, int, Actor, int], None]
    ) -> None:
        actor.require(Scope.MESSAGES_SEND)
        message_id, now = _row_id(message), self._now()
        await self._store.write(lambda conn: how(conn, message_id, actor, now), Urgency.NOW)

    async def settle(self, actor: Actor, message: str, as_: str, note: str = "") -> MessageView:
        """Say what became of a message that may or may not have been sent: ``delivered`` or ``failed``.

        Raises Forbidden, NotFound, InvalidRequest, and Conflict unless it is UNKNOWN.
        """
        actor.require(Scope.MESSAGES_SEND)
        verdict = settling.verdict_of(actor, as_, note)
        message_id, now = _row_id(message), self._now()
        done = self._store.submit(lambda conn: settling.settle(conn, message_id, verdict, now), Urgency.NOW)
        done.add_done_callback(self._changed)
        await asyncio.shield(done)
        _log.info("message_settled", message=message, as_=as_, by=actor.name)
        return await self._one(actor, message)

    async def settle_all(self, actor: Actor, as_: str, older_than_s: int, note: str = "") -> int:
        """Settle every UNKNOWN message accepted longer ago, a bounded number in each write; return how many.

        Raises Forbidden for all but admins, and InvalidRequest.
        """
        if not actor.is_admin:
            raise Forbidden(why="only an admin settles the messages of all users")
        verdict, now = settling.verdict_of(actor, as_, note), self._now()
        before, settled, place = now - older_than_s * 1000, 0, 0
        while True:
            after = place
            events, following = await self._store.write(
                lambda conn, after=after: settling.settle_many(conn, verdict, before, after, now)  # type: ignore[misc]
            )
            for event in events:
                self._bus.publish(event)
            settled += len(events)
            if following is None:
                _log.info("messages_settled", count=settled, as_=as_, older_than_s=older_than_s, by=actor.name)
                return settled
            place = following

    async def counts(self) -> dict[str, int]:
        """Return how many messages are in each state, by its word."""
        return conservation.by_word(await self._store.fetch_all("SELECT state, n FROM state_counts"))

    async def backlogs(self) -> tuple[Backlog, ...]:
        """Return what may be sent now, by route."""
        return await self._store.read(backlogs)

    async def counters(self) -> Conservation:
        """Return what the counters say, now."""
        return await self._store.read(conservation.counters)

    async def recount(self) -> Conservation:
        """Compare the counters with the table, as of one commit; reads the whole table."""
        return await self._store.read(conservation.recount)

    async def late(self, before: int) -> tuple[LateGroup, ...]:
        """Return what has waited since before ``before`` (unix ms), by queue."""
        return await self._store.read(lambda conn: late.late_groups(conn, before))

    async def oldest_waiting(self) -> int | None:
        """Return since when (unix ms) the message waits that waits longest of those that may be sent; None: none."""
        return await self._store.read(late.oldest_waiting)

    async def long_unknown(self, before: int) -> UnknownFound | None:
        """Return the messages that are UNKNOWN since before ``before`` (unix ms), or None."""
        return await self._store.read(lambda conn: late.long_unknown(conn, before))

    async def forget_old_keys(self) -> int:
        """Delete idempotency keys past their lifetime, a bounded number in each write; return how many."""
        now, forgotten, last = self._now(), 0, idempotency.FORGET_LIMIT
        while last == idempotency.FORGET_LIMIT:
            last = await self._store.write(lambda conn: idempotency.forget(conn, now), Urgency.LAZY)
            forgotten += last
        return forgotten

    async def _admitted(self, request: SubmitRequest, now: int) -> Admitted:
        if len(request.recipients) < MANY:
            return self._admission.check(request, now)
        return await asyncio.to_thread(self._admission.check, request, now)

    async def _one(self, actor: Actor, message: str) -> MessageView:
        message_id = _row_id(message)
        shown = await self._store.read(lambda conn: _shown(conn, (message_id,)))
        if not shown or not (actor.is_admin or shown[0].user_id == actor.user_id):
            raise NotFound(what="message", which=message)
        return self._explained(shown[0])

    def _explained(self, shown: _Shown) -> MessageView:
        """Add what the message waits for; must run on the event loop."""
        if shown.waiting is None:
            return shown.view
        why = self._waiting.explain(shown.waiting)
        if why is None and shown.waiting.state is MessageState.UNKNOWN:
            why = MAY_BE_SENT
        return msgspec.structs.replace(shown.view, waiting_for=why)

    def _changed(self, done: asyncio.Future[tuple[MessageStateChanged, ...]]) -> None:
        if not done.cancelled() and done.exception() is None:
            for event in done.result():
                self._bus.publish(event)

    def _now(self) -> int:
        return to_ms(self._clock.now())


def _row_id(message: str) -> int:
    found = row_id(MESSAGE_ID, message)
    if found is None:
        raise NotFound(what="message", which=f"{message[:80]!a}")
    return found


def _shown(conn: sqlite3.Connection, ids: Iterable[int]) -> list[_Shown]:
    found = read_stories(conn, ids)
    return [
        _Shown(message_view(story, found.sims), waiting_message(story.message), story.message.user_id)
        for story in found.stories
    ]
