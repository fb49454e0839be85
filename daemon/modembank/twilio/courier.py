"""The courier of one account: walks the event log, posts what happened to messages, and has replies sent.

Its place in the log moves on over events that were taken, or that are kept to be tried again; it is written after the
posts, so that after a crash the same may be told again and nothing is left out. What is told of one message is told in
order. An endpoint that fails is left alone, longer each time, without holding up others.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from modembank.clock import Clock, to_ms
from modembank.errors import ModembankError
from modembank.eventlog import EVENT_ID, EventLog, Follower, Logged, read_after
from modembank.ids import public_id
from modembank.outgoing import Poster
from modembank.outgoing.circuit import Circuit, Verdict, judge, retry_after_s, retry_wait_s
from modembank.store import Store, StoreError, Urgency
from modembank.twilio import listing, rows
from modembank.twilio.listing import Inbound, Outbound
from modembank.twilio.model import Account, Retry
from modembank.twilio.posting import Outcome, callback_form, inbound_form, post
from modembank.twilio.sending import NewMessage
from modembank.twilio.sids import Kind
from modembank.twilio.talking import Talk
from modembank.twilio.twiml import BadTwiml, read_answer
from modembank.twilio.words import STATE_OF_EVENT

RECEIVED = "message.received"
IN_FLIGHT = 4
ROUND = 32
SCAN = 1_000
"""Entries of the log that one look goes through."""
MOST_WAITING = 2_000
"""Events that wait to be tried again; with more, the log is read on only when there are fewer."""
GIVE_UP_S = 86_400.0
LOOK_S = 5.0
"""Without being woken."""
GATHER_S = 0.05
"""After being woken: what happens together is told together."""
MOST_URLS = 1_000
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Post:
    """One event to be told to one address."""

    event_id: int
    url: str
    message: Outbound | Inbound
    form: dict[str, str]
    retry: Retry | None


@dataclass(slots=True)
class _Endpoint:
    """How an address does."""

    circuit: Circuit = field(default_factory=Circuit)
    rests_until: int = 0
    """Unix ms."""


@dataclass(slots=True)
class _Due:
    """What there is to tell."""

    place: int
    """Of the log, up to which it was looked through."""
    posts: list[_Post] = field(default_factory=list)
    vanished: list[int] = field(default_factory=list)
    """Events that waited, and of which there is nothing to tell any more."""
    more: bool = False


@dataclass(slots=True)
class _Done:
    """What one round changed."""

    place: int
    kept: list[Retry] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    last: tuple[int, int | None, str | None] | None = None


class Courier:
    """Runs until its account is deleted."""

    def __init__(self, sid: str, store: Store, events: EventLog, poster: Poster, clock: Clock, talk: Talk) -> None:
        """Prepare; ``run`` goes on where the last run was."""
        self._sid = sid
        self._store = store
        self._events = events
        self._poster = poster
        self._clock = clock
        self._talk = talk
        self._waiting: dict[int, Retry] = {}
        self._subjects: dict[int, int] = {}
        """Of events that wait: what each is about."""
        self._endpoints: dict[str, _Endpoint] = {}
        self._place = 0
        self._leaving = False
        self._follower: Follower | None = None
        self._log = _log.bind(account=sid)

    def poke(self) -> None:
        """Look at the account again at once, and try its endpoints again: it was changed."""
        self._endpoints.clear()
        for event_id, retry in self._waiting.items():
            self._waiting[event_id] = Retry(event_id, retry.first_at, retry.tries, 0)
        if self._follower is not None:
            self._follower.wake()

    def leave(self) -> None:
        """End soon: what is being posted is finished, if it takes not too long."""
        self._leaving = True
        if self._follower is not None:
            self._follower.wake()

    async def run(self) -> None:
        """Tell everything, for ever."""
        account = await self._account()
        if account is None:
            return
        self._place = account.place
        await self._store.read(self._remember)
        with self._events.follow() as follower:
            self._follower = follower
            try:
                while await self._step(follower):
                    pass
            finally:
                self._follower = None

    def _remember(self, conn: sqlite3.Connection) -> None:
        """Take up what waits since the last run."""
        self._waiting = {retry.event_id: retry for retry in rows.retries(conn, self._sid)}
        entries = (next(iter(read_after(conn, event_id - 1, 1)), None) for event_id in self._waiting)
        self._subjects = {logged.id: logged.entry.subject or 0 for logged in entries if logged is not None}

    async def _step(self, follower: Follower) -> bool:
        """Do one round, or rest while there is nothing to do; return whether to go on."""
        follower.looks()
        account = await self._account()
        if account is None or self._leaving or follower.ended:
            return False
        if not account.active:
            await follower.wait(LOOK_S)
            await asyncio.sleep(GATHER_S)
            return True
        due = await self._due(account)
        done = _Done(place=due.place)
        for event_id in due.vanished:
            self._forget(event_id, done)
        await self._post_all(account, due.posts, done)
        if due.posts or done.dropped or due.place - self._place >= SCAN:
            await self._save(done)
        self._place = due.place
        if not due.posts and not due.more:
            await follower.wait(self._rest_s())
            await asyncio.sleep(GATHER_S)
        return True

    async def _account(self) -> Account | None:
        return await self._store.read(lambda conn: rows.get(conn, self._sid))

    # -- what there is to tell

    async def _due(self, account: Account) -> _Due:
        """Return what to tell now, in order: what waited long enough, and what is new."""
        again, room = self._due_again(self._now()), MOST_WAITING - len(self._waiting)

        def read(conn: sqlite3.Connection) -> _Due:
            due = _Due(place=self._place)
            for retry in again:
                logged = next(iter(read_after(conn, retry.event_id - 1, 1)), None)
                same = logged is not None and logged.id == retry.event_id
                found = _post_of(conn, account, logged, retry) if same and logged is not None else None
                if found is None:
                    due.vanished.append(retry.event_id)
                else:
                    due.posts.append(found)
            entries = read_after(conn, due.place, SCAN) if room > 0 else []
            most = len(due.posts) + min(ROUND, room)
            for logged in entries:
                found = _post_of(conn, account, logged, None)
                if found is not None:
                    if len(due.posts) >= most:
                        break
                    due.posts.append(found)
                due.place = logged.id
            due.more = bool(entries) and (len(entries) == SCAN or due.place < entries[-1].id)
            return due

        return await self._store.read(read)

    def _firsts(self) -> list[Retry]:
        """Return of each message the oldest event that waits: the others wait behind it."""
        firsts: dict[int, Retry] = {}
        for event_id in sorted(self._waiting):
            firsts.setdefault(self._subjects.get(event_id, -event_id), self._waiting[event_id])
        return list(firsts.values())

    def _due_again(self, now: int) -> list[Retry]:
        return [retry for retry in self._firsts() if retry.next_at <= now][:ROUND]

    # -- telling

    async def _post_all(self, account: Account, posts: Sequence[_Post], done: _Done) -> None:
        """Tell what is told of one message in order, and of several at once."""
        waiting = set(self._subjects.values())
        chains: dict[int, list[_Post]] = {}
        for one in posts:
            if one.retry is None and one.message.id in waiting:
                self._wait_behind(one, done)
            else:
                chains.setdefault(one.message.id, []).append(one)
        at_once = asyncio.Semaphore(IN_FLIGHT)

        async def tell(chain: list[_Post]) -> None:
            async with at_once:
                stopped = False
                for one in chain:
                    if stopped or self._leaving:
                        self._wait_behind(one, done)
                    else:
                        stopped = not await self._tell(account, one, done)

        await asyncio.gather(*(tell(chain) for chain in chains.values()))

    def _wait_behind(self, one: _Post, done: _Done) -> None:
        now = self._now()
        self._keep(one, one.retry or Retry(one.event_id, now, 0, now), done)

    async def _tell(self, account: Account, one: _Post, done: _Done) -> bool:
        """Post one event unless its endpoint rests; return whether the next of its message may be told."""
        now, endpoint = self._now(), self._endpoint(one.url)
        retry = one.retry or Retry(one.event_id, now, 0, now)
        if endpoint.rests_until > now:
            self._keep(one, Retry(retry.event_id, retry.first_at, retry.tries, endpoint.rests_until), done)
            return False
        outcome = await post(self._poster, account, one.url, one.form)
        verdict = Verdict.LATER if outcome.status is None else judge(outcome.status)
        error = outcome.error
        if verdict is Verdict.TAKEN and isinstance(one.message, Inbound):
            error, verdict = await self._reply(account, one, one.message, outcome)
        done.last = (self._now(), outcome.status, error)
        if error is not None:
            self._log.info("twilio_post", told=public_id(EVENT_ID, one.event_id), status=outcome.status, error=error)
        if verdict is Verdict.TAKEN or verdict is Verdict.GONE:
            endpoint.circuit.took()
            self._forget(one.event_id, done)
            return True
        return self._try_later(one, retry, self._wait_s(endpoint, verdict, outcome), done)

    def _wait_s(self, endpoint: _Endpoint, verdict: Verdict, outcome: Outcome) -> float:
        """Return when to try again; an endpoint that takes nothing now rests as a whole."""
        if verdict is Verdict.REFUSED:
            return 0.0
        endpoint.circuit.failed()
        headers = {} if outcome.answer is None else outcome.answer.headers
        wait_s = endpoint.circuit.wait_s(retry_after_s(headers, self._clock.now()))
        endpoint.rests_until = self._now() + round(wait_s * 1000)
        return wait_s

    def _try_later(self, one: _Post, retry: Retry, wait_s: float, done: _Done) -> bool:
        """Keep an event that was not taken, for a day; return whether it was given up."""
        now, tries = self._now(), retry.tries + 1
        if now - retry.first_at >= GIVE_UP_S * 1000:
            self._log.warning("twilio_event_given_up", told=public_id(EVENT_ID, one.event_id), tries=tries)
            self._forget(one.event_id, done)
            return True
        next_at = now + round((wait_s or retry_wait_s(tries)) * 1000)
        self._keep(one, Retry(one.event_id, retry.first_at, tries, next_at), done)
        return False

    async def _reply(
        self, account: Account, one: _Post, message: Inbound, outcome: Outcome
    ) -> tuple[str | None, Verdict]:
        """Have the replies sent that an endpoint answers, each once however often it is asked.

        What can never be sent is told as the account's error; where the box itself cannot accept now, the endpoint is
        asked again.
        """
        answer = outcome.answer
        assert answer is not None
        if answer.cut:
            return "the answer is longer than the box reads", Verdict.TAKEN
        try:
            replies = read_answer(answer.headers.get("content-type", ""), answer.body)
        except BadTwiml as error:
            return str(error), Verdict.TAKEN
        refused = None
        for place, reply in enumerate(replies):
            wanted = NewMessage(
                to=reply.to or message.sender,
                body=reply.body,
                sender=reply.sender,
                status_callback=reply.status_callback,
                reply=True,
            )
            key = f"twilio-reply-{public_id(EVENT_ID, one.event_id)}-{place}"
            try:
                await self._talk.answer(account.actor(), account, message, wanted, key)
            except StoreError as error:
                return f"reply {place + 1} could not be accepted now: {error}", Verdict.LATER
            except ModembankError as error:
                refused = refused or f"reply {place + 1} was refused: {error}"
        return refused, Verdict.TAKEN

    # -- what waits

    def _keep(self, one: _Post, retry: Retry, done: _Done) -> None:
        self._waiting[one.event_id] = retry
        self._subjects[one.event_id] = one.message.id
        done.kept.append(retry)

    def _forget(self, event_id: int, done: _Done) -> None:
        self._subjects.pop(event_id, None)
        if self._waiting.pop(event_id, None) is not None:
            done.dropped.append(event_id)

    async def _save(self, done: _Done) -> None:
        """Write what a round changed: all of it or nothing."""

        def write(conn: sqlite3.Connection) -> None:
            rows.put_retries(conn, self._sid, done.kept)
            rows.drop_retries(conn, self._sid, done.dropped)
            rows.note(conn, self._sid, done.place, done.last)

        await self._store.write(write, Urgency.SOON)

    def _endpoint(self, url: str) -> _Endpoint:
        if len(self._endpoints) >= MOST_URLS and url not in self._endpoints:
            self._endpoints.clear()  # messages name addresses: nobody may fill the memory with them
        return self._endpoints.setdefault(url, _Endpoint())

    def _rest_s(self) -> float:
        next_at = min((retry.next_at for retry in self._firsts()), default=None)
        return LOOK_S if next_at is None else min(LOOK_S, max(0.0, (next_at - self._now()) / 1000))

    def _now(self) -> int:
        return to_ms(self._clock.now())


def _post_of(conn: sqlite3.Connection, account: Account, logged: Logged, retry: Retry | None) -> _Post | None:
    """Return what an entry of the log is worth to an account, or None."""
    entry = logged.entry
    if entry.user_id != account.user_id or entry.subject is None:
        return None
    if entry.kind == RECEIVED and account.sms_url is not None:
        came = listing.one(conn, account.user_id, Kind.INBOUND, entry.subject)
        if isinstance(came, Inbound):
            return _Post(logged.id, account.sms_url, came, inbound_form(account, came), retry)
        return None
    state = STATE_OF_EVENT.get(entry.kind)
    if state is None:
        return None
    went = listing.one(conn, account.user_id, Kind.OUTBOUND, entry.subject)
    if not isinstance(went, Outbound):
        return None
    url = went.status_callback or account.status_callback
    return None if url is None else _Post(logged.id, url, went, callback_form(account, went, state), retry)
