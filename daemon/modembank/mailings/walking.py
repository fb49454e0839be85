"""Carrying out what is wished for a mailing's messages: they pause, go on or are cancelled, in bounded steps.

Each step and the place where the next one begins are one transaction, so that a crash half-way is made good.
"""

from __future__ import annotations

import asyncio
import sqlite3

import msgspec

from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.events import MessagesReady, MessagesSetAside
from modembank.failpoints import Failpoint, reach
from modembank.mailings import rows
from modembank.mailings.model import Wish
from modembank.mailings.rows import Mailing
from modembank.messages import batches
from modembank.messages.batches import Step
from modembank.store import Store

_START = 0


class Walking:
    """Takes steps until every message of a mailing is where it is wished to be."""

    def __init__(self, store: Store, bus: Bus, clock: Clock) -> None:
        """Use these."""
        self._store = store
        self._bus = bus
        self._clock = clock

    async def carry_out(self, mailing_id: int) -> None:
        """Take steps to the end; what is wished may change meanwhile, and counts at once."""
        going = True
        while going:
            now = to_ms(self._clock.now())
            step = await self._store.write(lambda conn: _step(conn, mailing_id, to_ms(self._clock.now())))
            for event in step.events:
                self._bus.publish(event)
            if step.set_aside:
                self._bus.publish(MessagesSetAside(now, step.set_aside))
            if step.entries:
                self._bus.publish(MessagesReady(now, step.entries))
            going = step.after is not None
            await asyncio.sleep(0)
        self._bus.publish(MessagesReady(to_ms(self._clock.now()), ()))


def wish(conn: sqlite3.Connection, mailing: Mailing, wanted: Wish) -> None:
    """Note what is wished, inside the write of whoever wishes it; steps are to follow."""
    mailing.wish, mailing.walk = wanted, _START
    if wanted is Wish.GO:
        batches.let_go(conn, mailing.id)
    elif wanted is Wish.CANARY and mailing.canary is not None:
        batches.pause(conn, mailing.id, free_to=mailing.canary.last or 0)
    else:
        batches.pause(conn, mailing.id)


def go_on(conn: sqlite3.Connection, mailing: Mailing, now: int) -> None:
    """Let the rest of a mailing go whose canary has flown; its validity counts from now."""
    if mailing.canary is not None:
        mailing.canary = msgspec.structs.replace(mailing.canary, continued_at=now, stopped=None)
    mailing.expires_at = max(now, mailing.terms.not_before or 0) + mailing.valid_for_s * 1000
    wish(conn, mailing, Wish.GO)
    rows.tell(conn, mailing, "continued", now)


def _step(conn: sqlite3.Connection, mailing_id: int, now: int) -> Step:
    mailing = rows.read(conn, mailing_id)
    if mailing is None or mailing.walk is None:
        return Step(None)
    step = _taken(conn, mailing, now)
    mailing.walk = step.after
    if step.after is None and mailing.wish is Wish.GO:
        batches.forget_pause(conn, mailing.id)
    if step.after is None and mailing.wish is Wish.CANCEL:
        batches.forget_pause(conn, mailing.id)
        mailing.finished_at = now
        rows.tell(conn, mailing, "cancelled", now)
    rows.save(conn, mailing, now)
    reach(Failpoint.MAILING_STEP)
    return step


def _taken(conn: sqlite3.Connection, mailing: Mailing, now: int) -> Step:
    place = mailing.walk or _START
    if mailing.wish is Wish.GO:
        return batches.resume_step(conn, mailing.id, place, mailing.expires_at, now)
    if mailing.wish is Wish.CANARY:
        last = None if mailing.canary is None else mailing.canary.last
        return batches.resume_step(conn, mailing.id, place, mailing.expires_at, now, up_to=last or 0)
    if mailing.wish is Wish.CANCEL:
        return batches.cancel_step(conn, mailing.id, place, mailing.cause or "cancelled: with its mailing", now)
    return batches.pause_step(conn, mailing.id, place)
