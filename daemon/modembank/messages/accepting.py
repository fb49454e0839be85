"""Accepting: all messages of a request become durable in one transaction, or none does."""

from __future__ import annotations

import functools
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from itertools import chain, islice
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from modembank import optouts
from modembank.accounts.quotas import QuotaExceeded, Spending
from modembank.bus import Bus
from modembank.errors import InvalidRequest, ModembankError
from modembank.events import MessagesReady, MessageStateChanged
from modembank.messages import idempotency
from modembank.messages.admission import Admitted
from modembank.messages.gathering import Gathering
from modembank.messages.idempotency import Answer
from modembank.messages.model import MessageState, QueuedMessage
from modembank.messages.outbox import ACCEPTED_EVER, add_counts
from modembank.messages.requests import IdempotencyKey, IdempotencyMismatch
from modembank.messages.routes import intern_route
from modembank.messages.sifting import sift
from modembank.messages.stored import encoding_code
from modembank.metrics import Metrics
from modembank.store import Store

_Row: TypeAlias = tuple[object, ...]
Lend = Callable[[Iterable[QueuedMessage]], None]
Beside: TypeAlias = Callable[[sqlite3.Connection, int], None]
"""Writes what else is kept of a submission, in its transaction; given the first message's row id; never raises."""
MOST_LENT = 512
"""Messages of one request whose content is lent to whoever sends; the rest is read from the store."""
MOST_ROUTES = 1_000
"""Routes whose row ids are kept in memory."""
_INSERT = (
    # FAIL spares SQLite a journal of the statement: one that fails is undone with the whole write anyway.
    "INSERT OR FAIL INTO messages (id, batch_id, user_id, recipient, text, encoding, segments, flags, route_id, rank,"
    " state, ready, not_before, expires_at, window, on_unknown, reference, created_at, subject) VALUES "
)
_ROW = f"({', '.join('?' * 19)})"
_ROWS_AT_ONCE = 32
"""Rows in one statement: each statement gives the interpreter away and must wait to have it back."""


class Submission(msgspec.Struct, frozen=True):
    """One checked request on its way into the store; ``now`` is unix milliseconds."""

    user_id: int
    admitted: Admitted
    key: IdempotencyKey | None
    now: int
    beside: Beside | None = None

    @property
    def segments(self) -> int:
        """What it takes of a quota."""
        return self.admitted.segments * len(self.admitted.recipients)

    @property
    def state(self) -> MessageState:
        """The state in which its messages begin."""
        return MessageState.QUEUED if self.admitted.not_before is None else MessageState.SCHEDULED

    def answer(self, first: int = 0, batch: int | None = None) -> Answer:
        """Return what it is answered when its messages have the ids from ``first`` on."""
        admitted = self.admitted
        return Answer(
            first=first,
            to=admitted.recipients,
            status=self.state.word,
            segments=admitted.segments,
            encoding=admitted.encoding.value,
            batch=batch,
            notes=admitted.notes,
            refused=admitted.refused,
            places=admitted.places if admitted.refused else (),
        )


class Written(msgspec.Struct, frozen=True):
    """What was written of a submission."""

    answer: Answer
    route_id: int | None
    """None: the key was known, and nothing was written."""


class Accepting:
    """Writes submissions, those that come together in one write, and tells of their messages when they are durable."""

    def __init__(self, store: Store, bus: Bus, metrics: Metrics, zone: tzinfo | None = None) -> None:
        """Use these; ``zone`` is where days begin, the box's own when None. Set ``lend`` when somebody sends here."""
        self._store = store
        self._bus = bus
        self._metrics = metrics
        self._zone = zone
        self.lend: Lend | None = None
        """Takes the content of ready messages before they are announced, so that nobody has to read them back."""
        self._routes: dict[str, int] = {}
        self._gathering = Gathering(store, self._write, self._written)

    async def accept(self, submission: Submission) -> tuple[Answer, bool]:
        """Return the answer, and whether it is an earlier one, when it is durable.

        Raises IdempotencyMismatch, OptedOut, InvalidRequest, QuotaExceeded, StoreFull, StoreError. What is submitted
        is accepted and announced even when the caller goes away meanwhile.
        """
        written = await self._gathering.put(submission)
        return written.answer, written.route_id is None

    async def rehearse(self, submission: Submission) -> Answer:
        """Return what it would be answered now; raises as ``accept`` does, and stores nothing."""

        def look(conn: sqlite3.Connection) -> Submission:
            sifted = _sifted(submission, optouts.among(conn, submission.admitted.recipients))
            Spending(conn, self._zone).spend(sifted.user_id, sifted.segments, sifted.now)
            return sifted

        return (await self._store.read(look)).answer()

    def accept_within(self, conn: sqlite3.Connection, submission: Submission, payer: int | None = None) -> Written:
        """Write a submission of the box's own inside a transaction; ``announce`` what is returned after its commit.

        Neither keys nor opt-outs are looked at, and quotas only where a user pays; raises QuotaExceeded then, and has
        changed nothing.
        """
        if payer is not None:
            spending = Spending(conn, self._zone)
            spending.spend(payer, submission.segments, submission.now)
            spending.finish()
        admitted = submission.admitted
        answer = submission.answer(self._store.ids.take(len(admitted.recipients)))
        route_id = intern_route(conn, admitted.route)
        insert_rows(conn, _rows(submission, answer, route_id))
        add_counts(conn, Counter({submission.state: len(answer.to), ACCEPTED_EVER: len(answer.to)}))
        return Written(answer, route_id)

    def announce(self, submission: Submission, written: Written) -> None:
        """Tell of what was written by ``accept_within``, on the event loop after the commit."""
        self._written([(submission, written)])

    async def earlier(self, user_id: int, key: IdempotencyKey | None, now: int) -> Answer | None:
        """Return the answer that the very same request already got, or None."""
        if key is None:
            return None
        try:
            return await self._store.read(lambda conn: idempotency.recall(conn, user_id, key, now))
        except IdempotencyMismatch:
            return None

    def _write(self, conn: sqlite3.Connection, submissions: Sequence[Submission]) -> list[Written | ModembankError]:
        """Runs on the writer's thread: keys, opt-outs and quotas are looked at in the transaction that accepts."""
        results: list[Written | ModembankError] = []
        rows: list[Iterator[_Row]] = []
        counts: Counter[int] = Counter()
        out = optouts.among(conn, chain.from_iterable(each.admitted.recipients for each in submissions))
        spending = Spending(conn, self._zone)
        for submission in submissions:
            try:
                result = self._decide(conn, submission, out, spending)
            except (IdempotencyMismatch, InvalidRequest, QuotaExceeded) as error:
                results.append(error)
                continue
            results.append(result)
            if result.route_id is not None:
                rows.append(_rows(submission, result.answer, result.route_id))
                counts[submission.state] += len(result.answer.to)
                counts[ACCEPTED_EVER] += len(result.answer.to)
        insert_rows(conn, chain.from_iterable(rows))
        add_counts(conn, counts)
        spending.finish()
        for submission, decided in zip(submissions, results, strict=True):
            if submission.beside is not None and isinstance(decided, Written) and decided.route_id is not None:
                submission.beside(conn, decided.answer.first)
        return results

    def _decide(
        self, conn: sqlite3.Connection, submission: Submission, out: Mapping[str, int], spending: Spending
    ) -> Written:
        """Find the earlier answer, or give ids and route to a new one, take its key, and spend of the quota.

        Raises IdempotencyMismatch, OptedOut, InvalidRequest, QuotaExceeded, and then has changed nothing.
        """
        key, now = submission.key, submission.now
        if key is not None:
            known = idempotency.recall(conn, submission.user_id, key, now)
            if known is not None:
                return Written(known, None)
        if out:
            submission = _sifted(submission, out)
        spending.spend(submission.user_id, submission.segments, now)
        route = submission.admitted.route
        route_id = self._routes.get(route) or intern_route(conn, route)
        batch = self._store.ids.take() if submission.admitted.many else None
        answer = submission.answer(self._store.ids.take(len(submission.admitted.recipients)), batch)
        if key is not None:
            idempotency.remember(conn, submission.user_id, key, answer, now)
        return Written(answer, route_id)

    def _written(self, group: Sequence[tuple[Submission, Written]]) -> None:
        """Runs on the event loop after the commit, whether or not the callers still wait."""
        ready: list[QueuedMessage] = []
        entries: list[tuple[int, int, int]] = []
        for submission, written in group:
            answer, route_id = written.answer, written.route_id
            if route_id is None:
                continue
            self._remember_route(submission.admitted.route, route_id)
            messages = range(answer.first, answer.first + len(answer.to))
            for message in messages:
                self._bus.publish(MessageStateChanged(submission.now, message, submission.user_id, submission.state))
            self._metrics.accepted.inc(len(messages))
            if submission.state is MessageState.QUEUED:
                ready += _queued(submission, answer, route_id)
                entries += [(route_id, submission.admitted.rank, message) for message in messages]
        if entries:
            if self.lend is not None:
                self.lend(ready)
            self._bus.publish(MessagesReady(group[-1][0].now, tuple(entries)))

    def _remember_route(self, route: str, route_id: int) -> None:
        if len(self._routes) >= MOST_ROUTES:
            self._routes.clear()
        self._routes[route] = route_id


def _sifted(submission: Submission, out: Mapping[str, int]) -> Submission:
    admitted = sift(submission.admitted, out)
    return submission if admitted is submission.admitted else replace(submission, admitted=admitted)


def insert_rows(conn: sqlite3.Connection, rows: Iterator[_Row]) -> None:
    """Insert rows of messages, their values in the order of _INSERT."""
    while some := tuple(islice(rows, _ROWS_AT_ONCE)):
        conn.execute(_insertion(len(some)), tuple(chain.from_iterable(some)))


@functools.cache  # _ROWS_AT_ONCE keys
def _insertion(rows: int) -> str:
    return _INSERT + ", ".join([_ROW] * rows)


def _rows(submission: Submission, answer: Answer, route_id: int) -> Iterator[_Row]:
    admitted = submission.admitted
    before = answer.batch, submission.user_id
    after = (
        admitted.text,
        encoding_code(admitted.encoding),
        admitted.segments,
        int(admitted.flags),
        route_id,
        admitted.rank,
        int(submission.state),
        1 if admitted.not_before is None else 2,
        admitted.not_before,
        admitted.expires_at,
        admitted.window,
        int(admitted.on_unknown),
        admitted.reference,
        submission.now,
        admitted.subject,
    )
    for message, recipient in enumerate(answer.to, answer.first):
        yield (message, *before, recipient, *after)


def _queued(submission: Submission, answer: Answer, route_id: int) -> list[QueuedMessage]:
    admitted = submission.admitted
    return [
        QueuedMessage(
            id=message,
            user_id=submission.user_id,
            recipient=recipient,
            text=admitted.text,
            segments=admitted.segments,
            flags=admitted.flags,
            route_id=route_id,
            rank=admitted.rank,
            expires_at=admitted.expires_at,
            window=admitted.window,
            on_unknown=admitted.on_unknown,
            tries=0,
            sim_id=None,
            subject=admitted.subject,
        )
        for message, recipient in enumerate(answer.to[:MOST_LENT], answer.first)
    ]
