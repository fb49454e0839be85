"""How many messages came to a bad end, by the day they were accepted on or by SIM: along the index of problems."""

from __future__ import annotations

import sqlite3
from collections import Counter
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
_BY_SIM = (
    "SELECT sim_id, count(*) FROM (SELECT sim_id FROM messages INDEXED BY messages_problem"
    " WHERE state BETWEEN 60 AND 79 AND state = ? AND id >= ? ORDER BY id DESC LIMIT ?) GROUP BY sim_id"
)
MOST_BY_SIM = 10_000
"""Of one state; beyond that counts by SIM are those of the newest alone."""


def bad_ends_by_sim(conn: sqlite3.Connection, since: int) -> dict[int | None, int]:
    """Return the messages accepted since a moment (unix ms) that are in such a state now, by the SIM that tried last.

    None: no SIM ever did.
    """
    first, found = first_accepted_at(conn, since), Counter[int | None]()
    for state in BAD_ENDS:
        found.update(dict(conn.execute(_BY_SIM, (state, first, MOST_BY_SIM))))
    return dict(found)


def bad_ends(conn: sqlite3.Connection, moments: Sequence[int]) -> dict[MessageState, tuple[int, ...]]:
    """Return the messages in each such state now, accepted between each moment (unix ms, growing) and the next.

    Costs as much as there are problems, not as there are messages. Deleted messages count.
    """
    places = [first_accepted_at(conn, moment) for moment in moments]
    return {
        state: tuple(conn.execute(_COUNT, (state, low, high)).fetchone()[0] for low, high in pairwise(places))
        for state in BAD_ENDS
    }
