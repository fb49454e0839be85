"""How many messages came to a bad end, by the day on which they were accepted: counted along the index of problems."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import pairwise

from modembank.messages.chronology import first_accepted_at
from modembank.messages.model import MessageState

BAD_ENDS = (MessageState.UNDELIVERED, MessageState.FAILED, MessageState.EXPIRED, MessageState.UNKNOWN)
_COUNT = (
    # SQLite takes a partial index only when it sees its very condition, else it would read the whole table.
    "SELECT count(*) FROM messages INDEXED BY messages_problem"
    " WHERE state BETWEEN 60 AND 79 AND state = ? AND id >= ? AND id < ?"
)


def bad_ends(conn: sqlite3.Connection, moments: Sequence[int]) -> dict[MessageState, tuple[int, ...]]:
    """Return the messages in each such state now, accepted between each moment (unix ms, growing) and the next.

    Costs as much as there are problems, not as there are messages. Deleted messages count.
    """
    places = [first_accepted_at(conn, moment) for moment in moments]
    return {
        state: tuple(conn.execute(_COUNT, (state, low, high)).fetchone()[0] for low, high in pairwise(places))
        for state in BAD_ENDS
    }
