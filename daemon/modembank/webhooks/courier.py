"""The courier of one webhook: walks the event log in order, posts, and knows when to rest.

Its place in the log moves on over events that were taken, or that are kept to be tried again. It is written after the
posts: after a crash the same events may come again, with the same ids, and none is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Sequence

import msgspec
import structlog

from modembank.couriers import Means, Retry, in_lanes
from modembank.eventlog import BY_NAME, KEEP_S, Follower, Told, Viewer, chosen, read_after
from modembank.ids import public_id
from modembank.outgoing import Outcome
from modembank.outgoing.circuit import Circuit, Verdict
from modembank.store import Urgency
from modembank.webhooks import rows
from modembank.webhooks.delivering import deliver
from modembank.webhooks.model import MOST_RETRIES, WEBHOOK_ID, Webhook
from modembank.webhooks.progress import Progress

IN_FLIGHT = 4
"""Posts to one endpoint at once; those of one message follow one another."""
ROUND = 16
PROBES_OF_ONE = 4
"""Probes that one event may be; then it is set aside, for it may be what the endpoint stumbles over."""
SCAN = 1_000
"""Entries of the log that are given up in one step."""
LOOK_S = 5.0
"""Without being woken."""
REST_S = 30.0
"""While its user is not active."""
_log = structlog.get_logger()


class _Post(msgspec.Struct, frozen=True):
    """One event to be posted: new, or one that was refused before."""

    told: Told
    retry: Retry | None = None


class _Round(msgspec.Struct):
    """What came of some posts."""

    outcomes: dict[int, tuple[Outcome, Verdict]] = msgspec.field(default_factory=dict)
    halted: bool = False
    asked_s: float | None = None
    """By Retry-After."""
    gone: bool = False


class Courier:
    """Runs until its webhook is deleted, or was stopped."""

    def __init__(self, webhook_id: int, means: Means) -> None:
        """Prepare; ``run`` goes on where the last run was."""
        self._id = webhook_id
        self._means = means
        self._store = means.store
        self._circuit = Circuit()
        self._probed = (0, 0)
        """Which event was the probe last, and how often."""
        self._progress = Progress(means.store, webhook_id)
        self._poked = asyncio.Event()
        self._leaving = False
        self._follower: Follower | None = None
        self._log = _log.bind(webhook=public_id(WEBHOOK_ID, webhook_id))

    def poke(self) -> None:
        """Look again at once, also while the endpoint is left alone: its row has changed, or a person says so."""
        self._poked.set()
        if self._follower is not None:
            self._follower.wake()

    def leave(self) -> None:
        """End soon: what is being posted is finished, if it takes not too long."""
        self._leaving = True
        self.poke()

    async def run(self) -> None:
        """Tell its endpoint everything, for ever."""
        webhook = await self._read()
        if webhook is None:
            return
        self._progress.begin(webhook)
        self._circuit.failures = webhook.failures
        self._circuit.open = webhook.failing_since is not None  # then the first post is a probe, at once
        with self._means.events.follow() as follower:
            self._follower = follower
            try:
                while await self._step(follower):
                    pass
            finally:
                self._follower = None
                await self._progress.save()

    async def _step(self, follower: Follower) -> bool:
        """Do one round and rest as long as there is nothing to do; return whether to go on."""
        if self._leaving:
            return False
        follower.looks()
        self._poked.clear()
        webhook = await self._read()
        if webhook is None or not webhook.active:
            return False
        if not webhook.owner_active:
            await follower.wait(REST_S)
            return True
        posts, more, due_s = await self._due(webhook)
        if not posts:
            if not more:
                await follower.wait(min(LOOK_S, due_s))
            return True
        done = await self._post_all(webhook, posts[:1] if self._circuit.open else posts)
        await self._settle(posts, done)
        if done.gone:
            await self._stop_for_good()
            return False
        if self._circuit.open and not self._leaving:
            await self._give_up_old(webhook)
            await self._leave_alone(done.asked_s)
        return True

    async def _read(self) -> Webhook | None:
        return await self._store.read(lambda conn: rows.get(conn, self._id))

    # -- what there is to post

    async def _due(self, webhook: Webhook) -> tuple[list[_Post], bool, float]:
        """Return posts in order, whether more may be there, and in how many seconds the next retry is due."""
        progress, viewer, now = self._progress, _viewer(webhook), self._means.now_ms

        def read(conn: sqlite3.Connection) -> tuple[list[_Post], list[int], int, bool, float]:
            waiting = rows.retries(conn, self._id) if webhook.retries else []
            due = [retry for retry in waiting if retry.next_at <= now][:ROUND]
            again, vanished = self._tell_again(conn, due, viewer)
            page = self._means.events.told(conn, progress.place, viewer, ROUND + len(progress.ahead))
            new = [_Post(told) for told in page.events if told.row not in progress.ahead][:ROUND]
            next_s = min((max(retry.next_at - now, 0) / 1000 for retry in waiting if retry not in due), default=LOOK_S)
            upto = page.upto if not page.events else progress.place
            return [*new, *again], vanished, upto, page.more, next_s

        posts, vanished, upto, more, next_s = await self._store.read(read)
        for event_id in vanished:
            await self._forget(event_id)
        if upto > progress.place:  # nothing in between is for it
            progress.place = upto
            progress.save_soon()
        return posts, more, next_s

    def _tell_again(
        self, conn: sqlite3.Connection, due: Sequence[Retry], viewer: Viewer
    ) -> tuple[list[_Post], list[int]]:
        """Return events that were refused, and the ids of those that are not in the log any more, or not for it."""
        found, vanished = [], []
        for retry in due:
            entry = next(iter(read_after(conn, retry.event_id - 1, 1)), None)
            if entry is None or entry.id != retry.event_id or not viewer.hears(entry.entry.kind, entry.entry.user_id):
                vanished.append(retry.event_id)
            else:
                found.append(_Post(self._means.events.tell(conn, [entry])[0], retry))
        return found, vanished

    # -- posting

    async def _post_all(self, webhook: Webhook, posts: Sequence[_Post]) -> _Round:
        """Post, a few at once, those of one subject in order; start no more when the endpoint takes nothing."""
        done = _Round()

        async def tell(post: _Post) -> None:
            if not (done.halted or self._leaving):
                await self._post(webhook, post, done)

        await in_lanes(posts, lambda post: (BY_NAME[post.told.kind].noun, post.told.subject), tell, IN_FLIGHT)
        return done

    async def _post(self, webhook: Webhook, post: _Post, done: _Round) -> None:
        outcome = await deliver(self._means.poster, webhook, post.told.public(), self._means.clock.now())
        verdict = self._judge(webhook, post, outcome)
        done.outcomes[post.told.row] = outcome, verdict
        if verdict is Verdict.TAKEN:
            if self._circuit.took():
                self._log.info("webhook_works_again")
        elif verdict is Verdict.REFUSED:
            full = post.retry is None and webhook.retries + len(done.outcomes) > MOST_RETRIES
            if full:
                self._circuit.failed()
            if post.retry is None or self._circuit.open:  # one alone, tried again and again, tells nothing of others
                self._circuit.refused()
            done.halted = self._circuit.open or done.halted
        else:
            self._circuit.failed()
            done.halted = True
            done.gone = done.gone or verdict is Verdict.GONE
            asked_s = outcome.asked_s(self._means.clock.now())
            done.asked_s = max((s for s in (asked_s, done.asked_s) if s is not None), default=None)

    def _judge(self, webhook: Webhook, post: _Post, outcome: Outcome) -> Verdict:
        """Return what an outcome means. A fault of an endpoint that fails anyway tells nothing of one event."""
        verdict = outcome.verdict
        if verdict is not Verdict.REFUSED or not self._circuit.open or (outcome.status or 0) < 500:
            return verdict
        last, times = self._probed
        self._probed = (post.told.row, times + 1 if last == post.told.row else 1)
        stumbles = self._probed[1] >= PROBES_OF_ONE and webhook.retries < MOST_RETRIES
        return Verdict.REFUSED if stumbles else Verdict.LATER

    # -- what came of it

    async def _settle(self, posts: Sequence[_Post], done: _Round) -> None:
        """Move the place over what is settled, and keep what was refused."""
        now, progress = self._means.now_ms, self._progress
        for post in posts:
            if post.told.row not in done.outcomes:
                continue
            outcome, verdict = done.outcomes[post.told.row]
            result = "given_up" if await self._given_up(post, outcome, verdict) else verdict.value
            self._means.metrics.webhook_deliveries.labels(result).inc()
            progress.note(outcome, now, given_up=result == "given_up")
            if post.retry is None and verdict in {Verdict.TAKEN, Verdict.REFUSED}:
                progress.ahead.add(post.told.row)
        for post in posts:
            if post.retry is None:
                if post.told.row not in progress.ahead:
                    break
                progress.ahead.discard(post.told.row)
                progress.place = post.told.row
        progress.failures = self._circuit.failures
        if not self._circuit.open:
            progress.failing_since = progress.next_try_at = None
        progress.save_soon()

    async def _given_up(self, post: _Post, outcome: Outcome, verdict: Verdict) -> bool:
        """Write that an event is to be tried again, or not any more; return whether it was given up."""
        event_id, retry, now = post.told.row, post.retry, self._means.now_ms
        if verdict is Verdict.TAKEN and retry is not None:
            await self._forget(event_id)
        if verdict is not Verdict.REFUSED:
            return False
        kept = (retry or Retry(event_id, now)).again(now)
        if kept.is_over(now):
            await self._forget(event_id)
            self._log.warning("webhook_event_given_up", told=post.told.id, tries=kept.tries, error=outcome.error)
            return True
        error = outcome.error or ""
        await self._store.write(lambda conn: rows.put_retry(conn, self._id, kept, error), Urgency.SOON)
        return False

    async def _give_up_old(self, webhook: Webhook) -> None:
        """Pass over what an endpoint that fails has not taken for as long as events are kept, and count it."""
        viewer, progress, now = _viewer(webhook), self._progress, self._means.now_ms
        oldest, lost, ended = now - round(KEEP_S * 1000), 0, False

        def read(conn: sqlite3.Connection) -> tuple[int, int, bool]:
            upto, missed = progress.place, 0
            for event_id, entry in read_after(conn, upto, SCAN):
                if entry.at >= oldest:
                    return upto, missed, True
                missed += viewer.hears(entry.kind, entry.user_id) and event_id not in progress.ahead
                upto = event_id
            return upto, missed, upto == progress.place

        while not ended:
            progress.place, missed, ended = await self._store.read(read)
            lost += missed
        lost += await self._store.write(lambda conn: rows.drop_old_retries(conn, self._id, oldest), Urgency.LAZY)
        if lost:
            progress.give_up(lost, now)
            progress.save_soon()
            self._means.metrics.webhook_deliveries.labels("given_up").inc(lost)
            self._log.warning("webhook_events_given_up", events=lost)

    async def _forget(self, event_id: int) -> None:
        await self._store.write(lambda conn: rows.drop_retry(conn, self._id, event_id), Urgency.LAZY)

    async def _leave_alone(self, asked_s: float | None) -> None:
        """Rest, as the endpoint wishes or longer each time, until a person says to try again."""
        wait_s, progress = self._circuit.wait_s(asked_s), self._progress
        if progress.failing_since is None:
            progress.failing_since = self._means.now_ms
            self._log.warning("webhook_failing", next_try_s=round(wait_s))
        progress.failures = self._circuit.failures
        progress.next_try_at = self._means.now_ms + round(wait_s * 1000)
        progress.save_soon()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._poked.wait()

    async def _stop_for_good(self) -> None:
        stopped = {"active": 0, "stopped_why": "the endpoint answered 410 Gone"}
        await self._progress.save()
        await self._store.write(lambda conn: rows.change(conn, self._id, stopped))
        self._log.warning("webhook_stopped", why=stopped["stopped_why"])


def _viewer(webhook: Webhook) -> Viewer:
    """Return what it hears: its user's own, and for an admin's the box's, or everybody's when that was asked for."""
    kinds = chosen(webhook.events)
    if not webhook.owner_is_admin:
        kinds = frozenset(name for name in kinds if not BY_NAME[name].of_the_box)
    return Viewer(kinds, None if webhook.all_users and webhook.owner_is_admin else webhook.user_id)
