"""Changes of messages' states inside one transaction: the rows, the counters, and the events for after the commit."""

from __future__ import annotations

import sqlite3
from collections import Counter

import msgspec

from modembank import eventlog
from modembank.events import MessageStateChanged
from modembank.messages.model import TERMINAL, MessageFlags, MessageState, OnUnknown

ACCEPTED_EVER = 0
"""Beside the states, the counters have one more row: all messages ever accepted, counted only where they are accepted.
The sum of the others must equal it."""
_SELECT = (
    "SELECT id, user_id, recipient, segments, flags, state, ready, expires_at, on_unknown, tries, sim_id, sent_at,"
    " cause, batch_id FROM messages WHERE id = ?"
)


class MessageRow(msgspec.Struct):
    """The part of a message's row that sending changes; write it back with Changes.save."""

    id: int
    user_id: int
    recipient: str
    segments: int
    flags: int
    state: MessageState
    ready: int | None
    expires_at: int
    on_unknown: OnUnknown
    tries: int
    sim_id: int | None
    sent_at: int | None
    cause: str | None
    batch_id: int | None = None
    not_before: int | None = None
    """Written only when set."""


class Changes(msgspec.Struct):
    """Collects what one transaction changes; the counters are written once, by finish()."""

    conn: sqlite3.Connection
    now: int
    events: list[MessageStateChanged] = msgspec.field(default_factory=list)
    _counts: Counter[int] = msgspec.field(default_factory=Counter)
    _batches: Counter[tuple[int, int]] = msgspec.field(default_factory=Counter)

    def read(self, message_id: int) -> MessageRow | None:
        """Return a message's row, or None when there is none."""
        row = self.conn.execute(_SELECT, (message_id,)).fetchone()
        if row is None:
            return None
        values = list(row)
        values[5], values[8] = MessageState(values[5]), OnUnknown(values[8])
        return MessageRow(*values)

    def save(self, row: MessageRow, state: MessageState) -> None:
        """Write a row that moves to ``state`` (or stays); what was sent or ended is not ready any more."""
        if state >= MessageState.SENT:
            row.ready = None
        settled = self.now if state in TERMINAL else None
        self.conn.execute(
            "UPDATE messages SET state = ?, ready = ?, tries = ?, sim_id = ?, cause = ?, sent_at = ?,"
            " not_before = COALESCE(?, not_before), settled_at = COALESCE(settled_at, ?) WHERE id = ?",
            (state, row.ready, row.tries, row.sim_id, row.cause, row.sent_at, row.not_before, settled, row.id),
        )
        if state is not row.state:
            self._counts[row.state] -= 1
            self._counts[state] += 1
            if row.flags & MessageFlags.COUNTED and row.batch_id is not None:
                self._batches[row.batch_id, row.state] -= 1
                self._batches[row.batch_id, state] += 1
            self.events.append(MessageStateChanged(self.now, row.id, row.user_id, state, row.cause))
            row.state = state

    def finish(self) -> list[MessageStateChanged]:
        """Write the counters and return the events to publish after the commit."""
        add_counts(self.conn, self._counts)
        add_batch_counts(self.conn, self._batches)
        self._counts, self._batches = Counter(), Counter()
        eventlog.append(self.conn, [_entry(event) for event in self.events if event.state >= MessageState.SENT])
        return self.events


def _entry(event: MessageStateChanged) -> eventlog.Entry:
    """What happens before a message is sent is seen by looking at it: it would cost a row for each that is accepted."""
    return eventlog.Entry(event.at, f"message.{MessageState(event.state).word}", event.user, event.message)


def add_counts(conn: sqlite3.Connection, counts: Counter[int]) -> None:
    """Add to the counters of messages by state."""
    conn.executemany(
        "INSERT INTO state_counts (state, n) VALUES (?, ?) ON CONFLICT (state) DO UPDATE SET n = n + excluded.n",
        [(state, n) for state, n in counts.items() if n],
    )


def add_batch_counts(conn: sqlite3.Connection, counts: Counter[tuple[int, int]]) -> None:
    """Add to the counters of counted batches; the keys are (batch, state)."""
    conn.executemany(
        "INSERT INTO batch_counts (batch_id, state, n) VALUES (?, ?, ?)"
        " ON CONFLICT (batch_id, state) DO UPDATE SET n = n + excluded.n",
        [(batch, state, n) for (batch, state), n in counts.items() if n],
    )


def is_paused(conn: sqlite3.Connection, batch_id: int | None, message_id: int) -> bool:
    """Return whether a message waits until its batch goes on; the first ones of a batch may be free of that."""
    if batch_id is None:
        return False
    query = "SELECT 1 FROM paused_batches WHERE batch_id = ? AND going = 0 AND free_to < ?"
    found = conn.execute(query, (batch_id, message_id))
    return found.fetchone() is not None
