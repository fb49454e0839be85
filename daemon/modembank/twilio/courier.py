"""The courier of one account: walks the event log, posts what happened to messages, and has replies sent.

Its place in the log moves on over events that were taken, or that are kept to be tried again; it is written after the
posts, so that after a crash the same may be told again and nothing is left out. What is told of one message is told in
order. An endpoint that fails is left alone, longer each time, without holding up others: what is for it waits in the
store, however much that is, for three days.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence

import msgspec
import structlog
from msgspec.structs import replace

from modembank.couriers import Means, Retry, in_lanes
from modembank.errors import ModembankError
from modembank.eventlog import EVENT_ID, Follower, Logged, read_after
from modembank.ids import public_id
from modembank.outgoing import Outcome, circuit
from modembank.outgoing.circuit import Verdict
from modembank.store import StoreError, Urgency
from modembank.twilio import listing, rows
from modembank.twilio.endpoints import Endpoints
from modembank.twilio.listing import Inbound, Outbound
from modembank.twilio.model import Account, Done, Waiting
from modembank.twilio.posting import callback_form, inbound_form, post
from modembank.twilio.sending import NewMessage
from modembank.twilio.sids import Kind
from modembank.twilio.talking import Talk
from modembank.twilio.twiml import BadTwiml, read_answer
from modembank.twilio.words import STATE_OF_EVENT

RECEIVED = "message.received"
IN_FLIGHT = 4
ROUND = 32
"""Events tried again in a round, and as many new ones."""
SCAN = 1_000
"""Entries of the log that one look goes through, and old events that one write gives up."""
LOOK_S = 5.0
"""Without being woken."""
GATHER_S = 0.05
"""After being woken: what happens together is told together."""
_log = structlog.get_logger()


class _Post(msgspec.Struct, frozen=True):
    """One event to be told to one address."""

    url: str
    message: Outbound | Inbound
    form: dict[str, str]
    retry: Retry
    waited: bool

    @property
    def event(self) -> str:
        """The event's public id."""
        return public_id(EVENT_ID, self.retry.event_id)

    def kept(self, retry: Retry | None = None) -> Waiting:
        """Return it as it waits."""
        return Waiting(self.message.id, self.url, retry or self.retry)


class _Due(msgspec.Struct):
    """What there is to tell."""

    place: int
    """Of the log, up to which it was looked through."""
    posts: list[_Post] = msgspec.field(default_factory=list)
    behind: list[_Post] = msgspec.field(default_factory=list)
    """New ones whose turn has not come: their endpoint rests, or an earlier event of their message waits."""
    gone: list[int] = msgspec.field(default_factory=list)
    """Events that waited, and of which there is nothing to tell any more."""
    lost: int = 0
    """Of those, how many are not in the log any more."""
    more: bool = False
    next_at: int | None = None


class Courier:
    """Runs until its account is deleted."""

    def __init__(self, sid: str, means: Means, talk: Talk) -> None:
        """Prepare; ``run`` goes on where the last run was."""
        self._sid = sid
        self._means = means
        self._store = means.store
        self._talk = talk
        self._endpoints = Endpoints()
        self._place = 0
        self._poked = False
        self._leaving = False
        self._follower: Follower | None = None
        self._log = _log.bind(account=sid)

    def poke(self) -> None:
        """Look at the account again at once, and try its endpoints again: it was changed, or a person says so."""
        self._poked = True
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
        self._place, self._endpoints = account.place, Endpoints()
        if account.failing_since is not None:
            self._endpoints.fail(await self._store.read(lambda conn: rows.failed_at(conn, self._sid)))
        with self._means.events.follow() as follower:
            self._follower = follower
            try:
                while await self._step(follower):
                    pass
            finally:
                self._follower = None

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
        if self._poked:
            self._poked = False
            self._endpoints.wake()
            await self._store.write(lambda conn: rows.wake(conn, self._sid), Urgency.SOON)
        due = await self._due(account)
        done = Done(due.place, kept=[one.kept() for one in due.behind], dropped=list(due.gone), given_up=due.lost)
        await in_lanes(due.posts, lambda one: one.message.id, lambda one: self._tell(account, one, done), IN_FLIGHT)
        turned = bool(self._endpoints.failing()) != (account.failing_since is not None)
        if due.posts or done.kept or done.dropped or turned or due.place - self._place >= SCAN:
            await self._save(done)
        self._place = due.place
        if not due.posts and not due.more:
            rest_s = LOOK_S if due.next_at is None else min(LOOK_S, (due.next_at - self._means.now_ms) / 1000)
            await follower.wait(max(0.0, rest_s))
            await asyncio.sleep(GATHER_S)
        return True

    async def _account(self) -> Account | None:
        return await self._store.read(lambda conn: rows.get(conn, self._sid))

    # -- what there is to tell

    async def _due(self, account: Account) -> _Due:
        """Return what to tell now: what waited long enough, and what is new."""
        now, place = self._means.now_ms, self._place
        resting, woken = self._endpoints.resting(now), self._endpoints.next_at(now)

        def read(conn: sqlite3.Connection) -> _Due:
            due = _Due(place)
            again = rows.due(conn, self._sid, now, resting, ROUND)
            for retry in again:
                entry = next(iter(read_after(conn, retry.event_id - 1, 1)), None)
                there = entry is not None and entry.id == retry.event_id
                found = _post_of(conn, account, entry, retry) if there and entry is not None else None
                if found is None:
                    due.gone.append(retry.event_id)
                    due.lost += not there
                else:
                    due.posts.append(found)
            _look_on(conn, account, due, resting, now)
            due.more = due.more or len(again) == ROUND
            soonest = [moment for moment in (rows.next_due(conn, self._sid, now), woken) if moment is not None]
            due.next_at = min(soonest, default=None)
            return due

        return await self._store.read(read)

    # -- telling

    async def _tell(self, account: Account, one: _Post, done: Done) -> None:
        """Post one event, unless its turn has not come: then it waits."""
        endpoint = self._endpoints.at(one.url)
        if self._leaving or one.message.id in done.stuck or not endpoint.admits(self._means.now_ms):
            done.stuck.add(one.message.id)
            if not one.waited:
                done.kept.append(one.kept())
            return
        outcome = await post(self._means.poster, account, one.url, one.form)
        verdict, error = outcome.verdict, outcome.error
        if verdict is Verdict.TAKEN and isinstance(one.message, Inbound):
            error, verdict = await self._reply(account, one, one.message, outcome)
        now = self._means.now_ms
        done.last = (now, outcome.status, error)
        if error is not None:
            self._log.info("twilio_post", told=one.event, status=outcome.status, error=error)
        endpoint.note(outcome, first=one.retry.tries == 0, now=self._means.clock.now())
        if verdict is Verdict.TAKEN or verdict is Verdict.GONE:
            self._count(verdict.value)
            done.dropped.append(one.retry.event_id)
            return
        self._try_later(one, verdict, done, fails=endpoint.circuit.open)

    def _try_later(self, one: _Post, verdict: Verdict, done: Done, *, fails: bool) -> None:
        """Keep an event that was not taken, or give it up when that has been so for days.

        Where the endpoint ``fails``, it is due as soon as that has rested, behind those that were not tried yet.
        """
        now = self._means.now_ms
        retry = one.retry.again(now)
        if fails:
            retry = replace(retry, next_at=now)
        if retry.is_over(now):
            self._log.warning("twilio_event_given_up", told=one.event, tries=retry.tries)
            self._count("given_up")
            done.dropped.append(retry.event_id)
            done.given_up += 1
            return
        self._count(verdict.value)
        done.stuck.add(one.message.id)
        done.kept.append(one.kept(retry))

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
            key = f"twilio-reply-{one.event}-{place}"
            try:
                await self._talk.answer(account.actor(), account, message, wanted, key)
            except StoreError as error:
                return f"reply {place + 1} could not be accepted now: {error}", Verdict.LATER
            except ModembankError as error:
                refused = refused or f"reply {place + 1} was refused: {error}"
        return refused, Verdict.TAKEN

    def _count(self, result: str, events: int = 1) -> None:
        self._means.metrics.twilio_posts.labels(result).inc(events)

    # -- what came of it

    async def _save(self, done: Done) -> None:
        """Write what a round came to: all of it or nothing."""
        now, failing = self._means.now_ms, self._endpoints.failing()
        over = now - round(circuit.RETRY_FOR_S * 1000)

        def write(conn: sqlite3.Connection) -> tuple[int, set[str]]:
            rows.put_waiting(conn, self._sid, done.kept)
            rows.drop_waiting(conn, self._sid, done.dropped)
            old = rows.drop_old(conn, self._sid, failing, over, SCAN) if failing else 0
            rows.note(conn, self._sid, done, old, now)
            idle = {url for url in failing if not rows.is_waited_for(conn, self._sid, url)}
            rows.note_failing(conn, self._sid, now if failing - idle else None)
            return old, idle

        old, idle = await self._store.write(write, Urgency.SOON)
        self._endpoints.forget(idle)  # nothing is to be told there any more
        if old:
            self._count("given_up", old)
            self._log.warning("twilio_events_given_up", events=old)


def _look_on(conn: sqlite3.Connection, account: Account, due: _Due, resting: Sequence[str], now: int) -> None:
    """Add what is new in the log, a round of it at most."""
    entries, most = read_after(conn, due.place, SCAN), len(due.posts) + ROUND
    for logged in entries:
        found = _post_of(conn, account, logged, Retry(logged.id, now), waited=False)
        if found is not None:
            behind = found.url in resting or rows.waits(conn, account.sid, found.message.id)
            if not behind and len(due.posts) >= most:
                break
            (due.behind if behind else due.posts).append(found)
        due.place = logged.id
    due.more = bool(entries) and (len(entries) == SCAN or due.place < entries[-1].id)


def _post_of(
    conn: sqlite3.Connection, account: Account, logged: Logged, retry: Retry, *, waited: bool = True
) -> _Post | None:
    """Return what an entry of the log is worth to an account, or None."""
    entry = logged.entry
    if entry.user_id != account.user_id or entry.subject is None:
        return None
    if entry.kind == RECEIVED and account.sms_url is not None:
        came = listing.one(conn, account.user_id, Kind.INBOUND, entry.subject)
        if isinstance(came, Inbound):
            return _Post(account.sms_url, came, inbound_form(account, came), retry, waited)
        return None
    state = STATE_OF_EVENT.get(entry.kind)
    if state is None:
        return None
    went = listing.one(conn, account.user_id, Kind.OUTBOUND, entry.subject)
    if not isinstance(went, Outbound):
        return None
    url = went.status_callback or account.status_callback
    return None if url is None else _Post(url, went, callback_form(account, went, state), retry, waited)
