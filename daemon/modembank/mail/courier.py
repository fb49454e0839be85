"""The courier of one address: walks the event log in order, and tells each inbound message that is for it by a mail.

Its place is written after the mails: after a crash the same may come again, under the same Message-ID, and none is
left out. A mail that is refused for itself is set aside and tried again for days; a server that takes nothing is left
alone, longer each time, and told all of it later.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog

from modembank.clock import Clock, to_ms
from modembank.couriers import Retry
from modembank.eventlog import KEEP_S, EventLog, Follower, Told, Viewer, read_after
from modembank.ids import mask_number
from modembank.mail import notes
from modembank.mail.model import MOST_ASIDE, RECEIVED, Note, Post, is_for, shown
from modembank.modem.outcome import AttemptOutcome
from modembank.outgoing.circuit import Circuit, Verdict
from modembank.providers.model import Result
from modembank.store import Store, StoreError, Urgency

ROUND = 16
LOOK_S = 5.0
"""Without being woken."""
BEHIND = 500
"""Events that are not for it may be read again after a crash: the note is not written for each."""
_VIEWER = Viewer(frozenset({RECEIVED}), None)
_log = structlog.get_logger()

Send = Callable[[Post, Told, str], Awaitable[Result]]
"""Mails one message; given the label of its SIM."""


class Ground(msgspec.Struct, frozen=True):
    """What couriers stand on."""

    store: Store
    events: EventLog
    clock: Clock
    label_of: Callable[[str | None], str]
    """From an ICCID to the label of the SIM."""
    send: Send
    counted: Callable[[str], None]
    """Told the result of each mail."""


def judged(result: Result) -> Verdict:
    """Return what became of a mail. Unknown ones are told again: at least once, and known by their id."""
    if result.outcome is AttemptOutcome.ACCEPTED:
        return Verdict.TAKEN
    of_the_mail = result.evidence.get("stage") in {"data", "end"} and int(result.evidence.get("code", 0)) >= 500
    if result.outcome is AttemptOutcome.REJECTED and of_the_mail:
        return Verdict.REFUSED
    return Verdict.LATER


class Courier:
    """Runs until it is to leave."""

    def __init__(self, post: Post, ground: Ground) -> None:
        """Prepare; ``run`` goes on where the last run was."""
        self._post = post
        self._ground = ground
        self._circuit = Circuit()
        self._poked = asyncio.Event()
        self._leaving = False
        self._follower: Follower | None = None
        self._dirty = False
        self._stored = 0
        self.note = Note(0)
        self._log = _log.bind(forward=post.forward.name, server=post.server.name)

    def poke(self) -> None:
        """Try at once, also while the server is left alone."""
        self._poked.set()
        if self._follower is not None:
            self._follower.wake()

    def leave(self) -> None:
        """End soon: the mail that is being handed over is finished, if it takes not too long."""
        self._leaving = True
        self.poke()

    async def run(self) -> None:
        """Tell the address everything that is for it."""
        ground = self._ground
        kept = await ground.store.read(lambda conn: notes.read(conn, self._post.name))
        self.note = Note(0) if kept is None else kept
        self._stored = self.note.place
        self._circuit.failures = self.note.failures
        self._circuit.open = self.note.failing_since is not None  # then the first mail is a probe, at once
        with ground.events.follow() as follower:
            self._follower = follower
            try:
                while not self._leaving:
                    await self._step(follower)
            finally:
                self._follower = None
                with contextlib.suppress(StoreError):  # told again after a restart, at worst
                    await self._save(Urgency.SOON)

    async def _step(self, follower: Follower) -> None:
        follower.looks()
        self._poked.clear()
        found, upto, due = await self._due()
        told = await self._tell_all(found, due)
        if told == len(found) + len(due) and upto > self.note.place:
            self.note.place = upto
            self._dirty = self._dirty or upto - self._stored > BEHIND
        await self._save(Urgency.LAZY)
        if self._circuit.open and not self._leaving:
            await self._give_up_old()
            await self._leave_alone()
        elif not found and not due:
            next_s = min((retry.next_at - self._now() for retry in self.note.aside), default=LOOK_S * 1000) / 1000
            await follower.wait(min(LOOK_S, max(next_s, 0.1)))

    # -- what there is to tell

    async def _due(self) -> tuple[Sequence[Told], int, Sequence[tuple[Retry, Told]]]:
        """Return new messages in order and the event up to which these are all, and those whose turn it is again."""
        events, note, now = self._ground.events, self.note, self._now()
        waiting = [retry for retry in note.aside if retry.next_at <= now][:ROUND]

        def read(conn: sqlite3.Connection) -> tuple[Sequence[Told], int, Sequence[tuple[Retry, Told]]]:
            page = events.told(conn, note.place, _VIEWER, ROUND)
            again = [(retry, told) for retry in waiting for told in self._one(conn, retry.event_id)]
            return page.events, page.upto, again

        found, upto, again = await self._ground.store.read(read)
        there = {retry.event_id for retry, _ in again}
        for retry in waiting:
            if retry.event_id not in there:
                self._forget(retry)
        return found, upto, again

    def _one(self, conn: sqlite3.Connection, event_id: int) -> Sequence[Told]:
        found = [logged for logged in read_after(conn, event_id - 1, 1) if logged.id == event_id]
        return self._ground.events.tell(conn, found)

    # -- telling

    async def _tell_all(self, found: Sequence[Told], again: Sequence[tuple[Retry, Told]]) -> int:
        """Tell in order until the server takes no more; return how many are settled."""
        settled = 0
        for told in found:
            if not await self._tell(told, None):
                return settled
            self.note.place, self._dirty = told.row, True
            settled += 1
        for retry, told in again:
            if not await self._tell(told, retry):
                return settled
            settled += 1
        return settled

    async def _tell(self, told: Told, retry: Retry | None) -> bool:
        """Tell of one message; return whether it is settled, or set aside."""
        if self._leaving:
            return False
        if not self._is_for_us(told):
            if retry is not None:
                self._forget(retry)
            return True
        result = await self._ground.send(self._post, told, self._ground.label_of(told.data.get("sim")))
        verdict = judged(result)
        if verdict is Verdict.REFUSED and retry is None and len(self.note.aside) >= MOST_ASIDE:
            verdict = Verdict.LATER
        self._ground.counted(verdict.value)
        self._dirty = True
        if verdict is Verdict.TAKEN:
            self._took(told, retry)
            return True
        self.note.last_error = result.cause.text[:300] if result.cause is not None else ""
        if verdict is Verdict.LATER:
            self._circuit.failed()
            return False
        self._refused(told, retry)
        return True

    def _is_for_us(self, told: Told) -> bool:
        iccid = told.data.get("sim")
        return shown(told.data) and is_for(self._post, iccid, self._ground.label_of(iccid))

    def _took(self, told: Told, retry: Retry | None) -> None:
        if retry is not None:
            self._forget(retry)
        note = self.note
        note.delivered += 1
        if self._circuit.took():
            self._log.info("mail_forward_works_again")
        note.failing_since = note.next_try_at = None
        note.failures = 0
        self._log.info("mail_forwarded", event_id=told.id, sender=mask_number(str(told.data["from"])))

    def _refused(self, told: Told, retry: Retry | None) -> None:
        """Set a message aside that the server refuses for itself, or give it up when it was for days."""
        now = self._now()
        kept = (retry or Retry(told.row, now)).again(now)
        if retry is not None:
            self._forget(retry)
        if kept.is_over(now):
            self._give_up(1)
            self._log.warning("mail_given_up", event_id=told.id, tries=kept.tries, error=self.note.last_error)
        else:
            self.note.aside.append(kept)
            self._log.info("mail_refused", event_id=told.id, tries=kept.tries, error=self.note.last_error)

    # -- a server that takes nothing

    async def _leave_alone(self) -> None:
        """Rest, longer each time, until a person says to try again."""
        wait_s, note = self._circuit.wait_s(None), self.note
        if note.failing_since is None:
            note.failing_since = self._now()
            self._log.warning("mail_forward_failing", error=note.last_error, next_try_s=round(wait_s))
        note.failures = self._circuit.failures
        note.next_try_at = self._now() + round(wait_s * 1000)
        self._dirty = True
        await self._save(Urgency.LAZY)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._poked.wait()

    async def _give_up_old(self) -> None:
        """Pass over what has waited for as long as events are kept, and count it."""
        oldest, events = self._now() - round(KEEP_S * 1000), self._ground.events
        lost = [retry for retry in self.note.aside if retry.first_at < oldest]
        for retry in lost:
            self._forget(retry)
        count = len(lost)
        while True:
            place = self.note.place
            page = await self._ground.store.read(lambda conn, after=place: events.told(conn, after, _VIEWER, ROUND))  # type: ignore[misc]
            old = [told for told in page.events if told.at < oldest]
            count += sum(self._is_for_us(told) for told in old)
            if old:
                self.note.place, self._dirty = old[-1].row, True
            if len(old) < len(page.events) or not page.more:
                break
            self.note.place = max(self.note.place, page.upto)
        if count:
            self._give_up(count)
            self._log.warning("mail_given_up", messages=count)

    def _give_up(self, count: int) -> None:
        self.note.given_up += count
        self.note.given_up_at = self._now()
        self._dirty = True
        for _ in range(count):
            self._ground.counted("given_up")

    # -- the note

    def _forget(self, retry: Retry) -> None:
        self.note.aside = [kept for kept in self.note.aside if kept.event_id != retry.event_id]
        self._dirty = True

    async def _save(self, urgency: Urgency) -> None:
        if not self._dirty:
            return
        self._dirty, self._stored = False, self.note.place
        note = msgspec.structs.replace(self.note, aside=list(self.note.aside))
        await self._ground.store.write(lambda conn: notes.write(conn, self._post.name, note), urgency)

    def _now(self) -> int:
        return to_ms(self._ground.clock.now())
