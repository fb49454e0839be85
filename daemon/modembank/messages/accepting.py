"""Accepting: all messages of a request become durable in one transaction, or none does."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from modembank.bus import Bus
from modembank.events import MessagesReady, MessageStateChanged
from modembank.messages import idempotency
from modembank.messages.admission import Admitted
from modembank.messages.idempotency import Answer
from modembank.messages.model import MessageState, QueuedMessage
from modembank.messages.outbox import add_counts
from modembank.messages.requests import IdempotencyKey, IdempotencyMismatch
from modembank.messages.routes import intern_route
from modembank.messages.stored import encoding_code
from modembank.metrics import Metrics
from modembank.store import Store, Urgency

Lend = Callable[[Iterable[QueuedMessage]], None]
MOST_LENT = 512
"""Messages of one request whose content is lent to whoever sends; the rest is read from the store."""
MOST_ROUTES = 1_000
"""Routes whose row ids are kept in memory."""
_INSERT = (
    "INSERT INTO messages (id, batch_id, user_id, recipient, text, encoding, segments, flags, route_id, rank, state,"
    " ready, not_before, expires_at, window, on_unknown, reference, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Submission:
    """One checked request on its way into the store; ``now`` is unix milliseconds."""

    user_id: int
    admitted: Admitted
    key: IdempotencyKey | None
    now: int

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
        )


@dataclass(frozen=True, slots=True)
class _Written:
    answer: Answer
    route_id: int | None
    """None: the key was known, and nothing was written."""


class Accepting:
    """Writes submissions, and tells of their messages when they are durable."""

    def __init__(self, store: Store, bus: Bus, metrics: Metrics) -> None:
        """Use these; set ``lend`` when somebody sends in this process."""
        self._store = store
        self._bus = bus
        self._metrics = metrics
        self.lend: Lend | None = None
        """Takes the content of ready messages before they are announced, so that nobody has to read them back."""
        self._routes: dict[str, int] = {}

    async def accept(self, submission: Submission) -> tuple[Answer, bool]:
        """Return the answer, and whether it is an earlier one, when it is durable.

        Raises IdempotencyMismatch, StoreFull, StoreError. What is submitted is accepted and announced even when the
        caller goes away meanwhile.
        """
        future = self._store.submit(lambda conn: self._write(conn, submission), Urgency.NOW, reserve=False)
        future.add_done_callback(lambda done: self._accepted(submission, done))
        written = await asyncio.shield(future)
        return written.answer, written.route_id is None

    async def earlier(self, user_id: int, key: IdempotencyKey | None, now: int) -> Answer | None:
        """Return the answer that the very same request already got, or None."""
        if key is None:
            return None
        try:
            return await self._store.read(lambda conn: idempotency.recall(conn, user_id, key, now))
        except IdempotencyMismatch:
            return None

    def _write(self, conn: sqlite3.Connection, submission: Submission) -> _Written:
        """Runs on the writer's thread: the key is looked up and taken in the transaction that accepts."""
        key, now = submission.key, submission.now
        if key is not None:
            known = idempotency.recall(conn, submission.user_id, key, now)
            if known is not None:
                return _Written(known, None)
        route = submission.admitted.route
        route_id = self._routes.get(route) or intern_route(conn, route)
        count = len(submission.admitted.recipients)
        batch = self._store.ids.take() if submission.admitted.many else None
        answer = submission.answer(self._store.ids.take(count), batch)
        conn.executemany(_INSERT, _rows(submission, answer, route_id))
        add_counts(conn, Counter({submission.state: count}))
        if key is not None:
            idempotency.remember(conn, submission.user_id, key, answer, now)
        return _Written(answer, route_id)

    def _accepted(self, submission: Submission, done: asyncio.Future[_Written]) -> None:
        """Runs on the event loop after the commit, whether or not the caller still waits."""
        if done.cancelled() or done.exception() is not None:
            return
        answer, route_id = done.result().answer, done.result().route_id
        if route_id is None:
            return
        if len(self._routes) >= MOST_ROUTES:
            self._routes.clear()
        self._routes[submission.admitted.route] = route_id
        self._metrics.accepted.inc(len(answer.to))
        for message in range(answer.first, answer.first + len(answer.to)):
            self._bus.publish(MessageStateChanged(submission.now, message, submission.user_id, submission.state))
        if submission.state is MessageState.QUEUED:
            self._announce(submission, answer, route_id)

    def _announce(self, submission: Submission, answer: Answer, route_id: int) -> None:
        if self.lend is not None:
            self.lend(_queued(submission, answer, route_id))
        rank, last = submission.admitted.rank, answer.first + len(answer.to)
        entries = tuple((route_id, rank, message) for message in range(answer.first, last))
        self._bus.publish(MessagesReady(submission.now, entries))


def _rows(submission: Submission, answer: Answer, route_id: int) -> Iterator[tuple[object, ...]]:
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
    )
    for message, recipient in enumerate(admitted.recipients, answer.first):
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
        )
        for message, recipient in enumerate(answer.to[:MOST_LENT], answer.first)
    ]
