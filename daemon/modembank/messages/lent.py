"""Messages that are only lent to this box: until when they may begin, how they stand, and taking them back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from modembank.bus import Bus
from modembank.clock import Clock
from modembank.events import MessageStateChanged
from modembank.messages.model import MessageState
from modembank.messages.outbox.aggregate import MAY_BE_SENT
from modembank.messages.outbox.changes import Changes
from modembank.messages.outbox.deadlines import Deadlines
from modembank.messages.outbox.journal import attempts_of, may_cancel


class Standing(msgspec.Struct, frozen=True):
    """How a message stands, with what the journal says of it."""

    state: MessageState
    tried: bool
    """It was handed to a modem."""
    out: bool
    """A part of it is on its way, or may be."""


class Lending:
    """What whoever lends messages to this box does with them, inside writes of its own."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        """Events are published on ``bus`` when ``tell`` is called."""
        self._bus = bus
        self.deadlines = Deadlines(clock)
        """Those that the outbox asks; the process gives the outbox's."""

    def standing(self, conn: sqlite3.Connection, message_id: int) -> Standing | None:
        """Return how a message stands, None when there is none."""
        row = conn.execute("SELECT state FROM messages WHERE id = ?", (message_id,)).fetchone()
        if row is None:
            return None
        attempts = attempts_of(conn, message_id)
        out = any(attempt.outcome is None or attempt.outcome in MAY_BE_SENT for attempt in attempts)
        return Standing(MessageState(row[0]), bool(attempts), out)

    def take_back(
        self, conn: sqlite3.Connection, message_id: int, cause: str, now: int
    ) -> list[MessageStateChanged] | None:
        """Cancel a message that was never handed to a modem; None when it was, or has ended.

        The events are to be given to ``tell`` after the commit.
        """
        changes = Changes(conn, now)
        row = changes.read(message_id)
        if row is None or row.state >= MessageState.SENT or not may_cancel(conn, message_id):
            return None
        row.cause = cause
        changes.save(row, MessageState.CANCELLED)
        return changes.finish()

    def tell(self, events: Iterable[MessageStateChanged]) -> None:
        """Publish what was taken back, on the event loop after the commit."""
        for event in events:
            self._bus.publish(event)
