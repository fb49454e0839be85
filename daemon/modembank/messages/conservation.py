"""The law of conservation: accepted = terminal + open, in counters and in rows, and nothing open is stranded.

Functions over one connection, so that whoever holds a database file can ask: the daemon, a backup, a proof.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from modembank.ids import public_id
from modembank.messages.model import JournalKind, MessageState
from modembank.messages.outbox import ACCEPTED_EVER
from modembank.messages.views import MESSAGE_ID, Conservation

MOST_STRANDED = 1_000
"""Stranded messages that are looked for: one would be too many."""
# One pass without sorting, which GROUP BY would do: twice as fast on a large table.
_BY_STATE = ", ".join(f"count(*) FILTER (WHERE state = {int(state)})" for state in MessageState)
_LEFT_PAUSED = "ready = 4 AND NOT EXISTS (SELECT 1 FROM paused_batches p WHERE p.batch_id = m.batch_id)"
_SUSPECTS = "count(*) FILTER (WHERE state < ? AND ready IS NULL)"
_COUNT = f"SELECT count(*), {_SUSPECTS}, {_BY_STATE} FROM messages"  # noqa: S608 - constants
_STRANDED = (
    "SELECT id FROM messages m WHERE state < ? AND ready IS NULL"
    " AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.message_id = m.id AND a.outcome IS NULL)"
    " AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.message_id = m.id AND j.kind = ?) ORDER BY id LIMIT ?"
)
# A batch is paused until the last of its messages was let go: one that still waits then is forgotten.
_FORGOTTEN = f"SELECT id FROM messages m WHERE {_LEFT_PAUSED} ORDER BY id LIMIT ?"  # noqa: S608 - constants


def counters(conn: sqlite3.Connection) -> Conservation:
    """Return what the counters say, without a look at the table: a few rows, cheap enough for every minute."""
    accepted, recorded = _recorded(conn)
    return Conservation(accepted, recorded)


def recount(conn: sqlite3.Connection) -> Conservation:
    """Return the counters and a count of the table; reads all of it, so that both must be of one commit."""
    accepted, recorded = _recorded(conn)
    rows, suspects, *by_state = conn.execute(_COUNT, (MessageState.SENT,)).fetchone()
    counted = {state.word: n for state, n in zip(MessageState, by_state, strict=True)}
    stranded = [*(_stranded(conn) if suspects else ()), *_forgotten(conn)]
    return Conservation(accepted, recorded, counted, rows, tuple(stranded))


def by_word(counts: Iterable[tuple[int, int]]) -> dict[str, int]:
    """Return counters by the words of all states, in the order of the life cycle."""
    known = dict(counts)
    return {state.word: known.get(state, 0) for state in MessageState}


def _recorded(conn: sqlite3.Connection) -> tuple[int, dict[str, int]]:
    known = dict(conn.execute("SELECT state, n FROM state_counts").fetchall())
    return known.get(ACCEPTED_EVER, 0), by_word(known.items())


def _stranded(conn: sqlite3.Connection) -> list[str]:
    """Return open messages that nothing will ever hand out: neither ready, waiting, nor held, nor in flight."""
    rows = conn.execute(_STRANDED, (MessageState.SENT, JournalKind.INTENT, MOST_STRANDED))
    return [public_id(MESSAGE_ID, row[0]) for row in rows]


def _forgotten(conn: sqlite3.Connection) -> list[str]:
    """Return messages that wait for a batch that is not paused."""
    rows = conn.execute(_FORGOTTEN, (MOST_STRANDED,))
    return [public_id(MESSAGE_ID, row[0]) for row in rows]
