"""How many messages of a stretch came to a bad end, in all or by SIM: counted along the index of problems."""

from __future__ import annotations

import sqlite3
from collections import Counter

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


def bad_ends(conn: sqlite3.Connection, first: int, behind: int) -> dict[MessageState, int]:
    """Return how many messages are in each such state now, of those with ids from ``first`` to below ``behind``.

    Costs as much as there are problems, not as there are messages. Deleted messages count.
    """
    return {state: conn.execute(_COUNT, (state, first, behind)).fetchone()[0] for state in BAD_ENDS}
