"""Telling of alerts: one carrier for each channel gathers what is new into a letter, and brings it until it is taken.

A letter is made in the same transaction as the note of what it tells, so that a restart tells nothing twice and loses
nothing. There is at most one at a time for a channel: what happens while it is not taken goes into the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog

from modembank.bus import Bus
from modembank.clock import Clock, rfc3339, to_ms
from modembank.couriers import Crew
from modembank.outgoing import Poster, circuit
from modembank.outgoing.circuit import Verdict
from modembank.store import Store
from modembank.webhooks.delivering import deliver
from modembank_hub.alerting import rows
from modembank_hub.alerting import rows_of_channels as channels
from modembank_hub.alerting.mail import Letter, Mailer
from modembank_hub.alerting.rows import AlertRow
from modembank_hub.alerting.rows_of_channels import MAIL, Channel, LetterRow
from modembank_hub.alerting.wording import letter_of, subject_line, text_of
from modembank_hub.config import IdentityConfig
from modembank_hub.events import AlertsChanged
from modembank_hub.metrics import HubMetrics

GATHER_MS = 30_000
"""How long what is new waits for more of it: an outage of a site is one letter."""
BETWEEN_MS = 300_000
"""Between two letters to one channel."""
MOST_RETRY_S = 900.0
_LOOK_S = 10.0
_log = structlog.get_logger()


class Means(msgspec.Struct, frozen=True):
    """What every carrier works with."""

    store: Store
    clock: Clock
    bus: Bus
    metrics: HubMetrics
    mailer: Mailer
    hub: IdentityConfig
    poster: Poster = msgspec.field(default_factory=Poster)

    @property
    def now_ms(self) -> int:
        """The wall clock, unix milliseconds."""
        return to_ms(self.clock.now())


class Delivery(msgspec.Struct, frozen=True):
    """How a try ended."""

    error: str | None
    """None: it was taken."""
    status: int | None = None
    """What a webhook answered."""
    asked_s: float | None = None
    """For how long it asks to be left alone."""
    gone: bool = False
    """It wants nothing any more."""


class Tellers:
    """The carriers of all channels that are active."""

    def __init__(self, means: Means) -> None:
        """Tell nobody before ``start``."""
        self.means = means
        self._crew = Crew()
        self._anew = asyncio.Event()
        means.bus.subscribe(AlertsChanged, lambda _: self._look())

    async def start(self) -> None:
        """Begin to tell."""
        self._crew.open()
        for channel in await self.means.store.read(channels.listed):
            self.launch(channel)

    def look_anew(self) -> None:
        """Another process of the hub may have made a channel, or let one go on."""
        self._anew.set()

    async def keep_up(self) -> None:
        """Begin to tell channels that another process made, for ever; raises StoreError."""
        while True:
            await self._anew.wait()
            self._anew.clear()
            await self.start()

    async def stop(self) -> None:
        """Tell no more; what is under way is told again after the next start, with the same id, if it is not taken."""
        await self._crew.close()

    def launch(self, channel: Channel) -> None:
        """Begin to tell a channel, or let it look at once."""
        if channel.runs:
            self._crew.send(_task_of(channel.id), lambda: Carrier(channel.id, self.means))

    async def halt(self, channel_id: int) -> None:
        """Tell a channel no more, and return when that is so."""
        await self._crew.halt(_task_of(channel_id))

    def _look(self) -> None:
        for name in self._crew.names():
            self._crew.poke(name)


class Carrier:
    """Brings one channel its letters."""

    def __init__(self, channel_id: int, means: Means) -> None:
        """Of this channel."""
        self._id = channel_id
        self._means = means
        self._store = means.store
        self._woken = asyncio.Event()
        self._leaves = False

    async def run(self) -> None:
        """Go on where the last run was; ends when the channel is stopped. Raises StoreError."""
        while not self._leaves:
            self._woken.clear()
            wait_s = await self._turn()
            if wait_s is None:
                return
            if wait_s > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(wait_s, _LOOK_S)):
                        await self._woken.wait()

    def poke(self) -> None:
        """Look at once."""
        self._woken.set()

    def leave(self) -> None:
        """End soon."""
        self._leaves = True
        self._woken.set()

    async def _turn(self) -> float | None:
        """Do what is due; return after how many seconds something may be due again, None: never."""
        now = self._means.now_ms

        def read(conn: sqlite3.Connection) -> tuple[Channel | None, LetterRow | None, float]:
            channel = channels.get(conn, self._id)
            if channel is None or not channel.runs:
                return None, None, 0.0
            letter = channels.next_letter(conn, self._id)
            return channel, letter, 0.0 if letter else due_in_s(conn, channel, now)

        channel, letter, wait_s = await self._store.read(read)
        if channel is None:
            return None
        if letter is None:
            if wait_s <= 0:
                await self._store.write(lambda conn: gather(conn, self._id, now))
            return wait_s
        if letter.next_at > now:
            return (letter.next_at - now) / 1000
        await self._carry(channel, letter)
        return 0.0

    async def _carry(self, channel: Channel, letter: LetterRow) -> None:
        outcome = await bring(self._means, channel, json.loads(letter.body), letter.made_at)
        now = self._means.now_ms
        self._means.metrics.letters.labels(channel.means, "refused" if outcome.error else "taken").inc()

        def note(conn: sqlite3.Connection) -> None:
            if outcome.error is None:
                channels.note_taken(conn, letter, now)
            elif outcome.gone:
                channels.change(conn, channel.id, {"stopped_why": outcome.error[:400]})
                channels.give_up(conn, channel.id, outcome.error[:400], now)
            else:
                wait_s = min(MOST_RETRY_S, circuit.retry_wait_s(letter.tries + 1))
                next_at = now + round(1000 * max(wait_s, outcome.asked_s or 0.0))
                channels.note_refused(conn, letter, outcome.error, next_at, now)

        await self._store.write(note)
        if outcome.error is not None:
            _log.warning("alert_letter_refused", channel=channel.name, error=outcome.error, tries=letter.tries + 1)
        self._means.bus.publish(AlertsChanged(now))


def due_in_s(conn: sqlite3.Connection, channel: Channel, now: int) -> float:
    """Return after how many seconds a letter is to be made, of what is new by now; 0: now."""
    opened, ended = news(conn, channel, now)
    changes = [row.opened_at for row in opened] + [row.ended_at or now for row in ended]
    if not changes:
        return _LOOK_S
    due = max(min(changes) + GATHER_MS, (channel.made_at or 0) + BETWEEN_MS)
    return max(0.0, (min(due, now + BETWEEN_MS) - now) / 1000)  # a clock that was set back holds up nothing


def gather(conn: sqlite3.Connection, channel_id: int, now: int) -> LetterRow | None:
    """Make a letter of what is new for a channel; None: nothing is any more, or one lies there."""
    channel = channels.get(conn, channel_id)
    if channel is None or not channel.runs or channels.next_letter(conn, channel_id) is not None:
        return None
    opened, ended = news(conn, channel, now)
    if not (opened or ended):
        return None
    body = letter_of(f"ltr_{secrets.token_hex(12)}", opened, ended)
    return channels.add_letter(conn, channel, body, [*opened, *ended], now)


def news(conn: sqlite3.Connection, channel: Channel, now: int) -> tuple[list[AlertRow], list[AlertRow]]:
    """Return what a channel is to be told: what opened and is not silenced, and what is over."""
    found = channels.untold(conn, channel, now)
    if not found:
        return [], []
    silenced, places = rows.silenced_now(conn, now), rows.places(conn)
    mine = [row for row in found if places.cover(channel.place, row.about)]
    opened = [row for row in mine if row.ended_at is None and silenced.of(row) is None]
    return opened, [row for row in mine if row.ended_at is not None]


async def bring(means: Means, channel: Channel, body: Mapping[str, Any], made_at: int) -> Delivery:
    """Try once to bring a letter; never raises for what the other side does."""
    if channel.means == MAIL:
        subject, text = subject_line(body, means.hub.id), text_of(body, means.hub.id, means.hub.url)
        return await hand_over(means, channel, str(body["id"]), subject, text)
    told = {name: value for name, value in body.items() if name != "id"}
    return await post(means, channel, str(body["id"]), "alerts.changed", told, made_at)


async def post(means: Means, channel: Channel, letter: str, what: str, told: Mapping[str, Any], at: int) -> Delivery:
    """Post to a channel that is a webhook, signed, as the box's webhooks are."""
    event = {
        "id": letter,
        "type": what,
        "timestamp": rfc3339(at),
        "data": {"hub": means.hub.id, "channel": channel.name, **told},
    }
    outcome = await deliver(means.poster, channel, event, means.clock.now())
    gone = outcome.verdict is Verdict.GONE
    return Delivery(outcome.error, outcome.status, outcome.asked_s(means.clock.now()), gone)


async def hand_over(means: Means, channel: Channel, letter: str, subject: str, text: str) -> Delivery:
    """Send a mail to a channel's recipients."""
    to: Sequence[str] = channel.recipients
    return Delivery(await means.mailer.send(Letter(letter, to, subject, text, means.clock.now())))


def _task_of(channel_id: int) -> str:
    return f"alerts.channel[{channel_id}]"
