"""Rows of the pool: messages, whose they are, and their way."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple

from modembank_fleet.pool.assigning import ENDED, Assignment, Change, Message, Stage, State
from modembank_fleet.pool.words import Code, Dup
from modembank_hub.locking import for_update

KEY_LIFETIME_MS = 48 * 3_600_000
MOST_STEPS = 100
"""Of one message that are kept."""
_MESSAGE = (
    "n, id, user_id, actor, recipient, text, reference, dup, not_after, accepted_at, state, code, fence, maybe_dup,"
    " went_by, cancel, conflicts, ended_at FROM pool_messages"
)
_GIVEN = "message, fence, box_id, epoch, run, up, lease_s, dead_at, stage, code, went, life FROM pool_assignments"


class PoolRow(NamedTuple):
    """A message as it is stored; times are unix milliseconds."""

    n: int
    id: str
    user_id: int
    actor: str
    recipient: str
    text: str
    reference: str | None
    dup: str
    not_after: int
    accepted_at: int
    state: str
    code: str
    fence: int
    maybe_dup: int
    went_by: int
    cancel: int
    conflicts: int
    ended_at: int | None

    @property
    def message(self) -> Message:
        """What is decided by."""
        return Message(
            self.id, self.not_after / 1000, Dup(self.dup), State(self.state), Code(self.code), self.fence,
            bool(self.maybe_dup), self.went_by, bool(self.cancel), self.conflicts,
        )  # fmt: skip


class NewMessage(NamedTuple):
    """A message as it is accepted."""

    id: str
    user_id: int
    actor: str
    recipient: str
    text: str
    reference: str | None
    dup: str
    not_after: int
    accepted_at: int


class Step(NamedTuple):
    """A step of a message's way; ``box`` is ``site/name``, or None."""

    at: int
    what: str
    fence: int
    box: str | None
    code: str


class NewStep(NamedTuple):
    """A step as it is taken; ``box_id`` is the box's row."""

    at: int
    what: str
    fence: int = 0
    box_id: int | None = None
    code: str = ""


class Wanted(NamedTuple):
    """Which messages a list shows."""

    state: str | None = None
    user_id: int | None = None
    """None: of everybody."""


# -- messages


def add(conn: sqlite3.Connection, new: NewMessage) -> int:
    """Store a message; return its number."""
    added = conn.execute(
        "INSERT INTO pool_messages (id, user_id, actor, recipient, text, reference, dup, not_after, accepted_at, state)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued') RETURNING n",
        new,
    ).fetchone()
    add_step(conn, new.id, NewStep(new.accepted_at, State.QUEUED.value))
    return int(added[0])


def get(conn: sqlite3.Connection, message: str, *, hold: bool = False) -> PoolRow | None:
    """Return one message; ``hold`` it until the write ends: two boxes may speak of one at the same time."""
    row = conn.execute(f"SELECT {_MESSAGE} WHERE id = ?{for_update(conn) if hold else ''}", (message,)).fetchone()
    return None if row is None else PoolRow(*row)


def stretch(conn: sqlite3.Connection, first: int, count: int) -> list[PoolRow]:
    """Return messages from a number on."""
    rows = conn.execute(f"SELECT {_MESSAGE} WHERE n >= ? AND n < ? ORDER BY n", (first, first + count))
    return [PoolRow(*row) for row in rows]


def page(conn: sqlite3.Connection, wanted: Wanted, before: int | None, limit: int) -> list[PoolRow]:
    """Return messages, newest first."""
    where = ["n < :before"]
    if wanted.state is not None:
        where.append("state = :state")
    if wanted.user_id is not None:
        where.append("user_id = :user_id")
    given = wanted._asdict() | {"before": 2**62 if before is None else before, "limit": limit}
    rows = conn.execute(f"SELECT {_MESSAGE} WHERE {' AND '.join(where)} ORDER BY n DESC LIMIT :limit", given)
    return [PoolRow(*row) for row in rows]


def totals(conn: sqlite3.Connection) -> dict[str, int]:
    """Return how many messages are in each state."""
    counted = dict(conn.execute("SELECT state, count(*) FROM pool_messages GROUP BY state").fetchall())
    return {state.value: counted.get(state.value, 0) for state in State}


def marked(conn: sqlite3.Connection) -> tuple[int, int]:
    """Return how many messages may have been sent twice, and how many were measured to be."""
    query = "SELECT coalesce(sum(maybe_dup), 0), count(CASE WHEN conflicts > 0 THEN 1 END) FROM pool_messages"
    row: tuple[int, int] = conn.execute(query).fetchone()
    return row


def want_back(conn: sqlite3.Connection, message: str) -> None:
    """Note that somebody wants it back."""
    conn.execute("UPDATE pool_messages SET cancel = 1 WHERE id = ?", (message,))


def queued(conn: sqlite3.Connection, limit: int) -> list[PoolRow]:
    """Return what waits for a box, the oldest first."""
    rows = conn.execute(f"SELECT {_MESSAGE} WHERE state = 'queued' AND cancel = 0 ORDER BY n LIMIT ?", (limit,))
    return [PoolRow(*row) for row in rows]


def overdue(conn: sqlite3.Connection, now_ms: int, limit: int) -> list[PoolRow]:
    """Return what waits for a box although its time is over."""
    rows = conn.execute(f"SELECT {_MESSAGE} WHERE state = 'queued' AND not_after <= ? LIMIT ?", (now_ms, limit))
    return [PoolRow(*row) for row in rows]


def drop_old(conn: sqlite3.Connection, before: int, most: int) -> int:
    """Delete messages that ended before (unix ms), with their ways, and keys that old; return how many messages."""
    conn.execute("DELETE FROM pool_keys WHERE created_at < ?", (before,))
    return conn.execute(
        "DELETE FROM pool_messages WHERE n IN"
        " (SELECT n FROM pool_messages WHERE ended_at < ? ORDER BY ended_at LIMIT ?)",
        (before, most),
    ).rowcount


# -- assignments


def given(conn: sqlite3.Connection, message: str, fence: int) -> Assignment | None:
    """Return one assignment."""
    row = conn.execute(f"SELECT {_GIVEN} WHERE message = ? AND fence = ?", (message, fence)).fetchone()
    return None if row is None else _assignment(row)


def refused_by(conn: sqlite3.Connection, message: str) -> set[int]:
    """Return the boxes that could never send a message."""
    rows = conn.execute(
        "SELECT box_id FROM pool_assignments WHERE message = ? AND code = ?", (message, Code.INVALID.value)
    )
    return {row[0] for row in rows}


def open_ones(conn: sqlite3.Connection) -> list[tuple[Assignment, str]]:
    """Return the assignments that are not over, each with the start of the hub that its time is of."""
    rows = conn.execute(f"SELECT {_GIVEN} WHERE stage <> 'over' ORDER BY message, fence")
    return [(_assignment(row), row[11]) for row in rows]


def put(conn: sqlite3.Connection, one: Assignment, life: str) -> None:
    """Keep an assignment as it is now."""
    conn.execute(
        "INSERT INTO pool_assignments"
        " (message, fence, box_id, epoch, run, up, lease_s, dead_at, stage, code, went, life)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (message, fence) DO UPDATE SET"
        " dead_at = excluded.dead_at, life = excluded.life, stage = excluded.stage, code = excluded.code,"
        " went = excluded.went",
        (
            one.message, one.fence, one.box, one.epoch, one.run, one.up, one.lease_s, one.dead_at, one.stage.value,
            one.code.value, one.went, life,
        ),
    )  # fmt: skip


def mark(conn: sqlite3.Connection, one: Assignment) -> None:
    """Keep how an assignment stands; its time stays."""
    conn.execute(
        "UPDATE pool_assignments SET stage = ?, code = ?, went = ? WHERE message = ? AND fence = ?",
        (one.stage.value, one.code.value, one.went, one.message, one.fence),
    )


def put_down(conn: sqlite3.Connection, before: Message, change: Change, now_ms: int, word: str = "") -> None:
    """Keep what was decided, and the step that it is: a box's ``word``, or the new state."""
    after, one = change.message, change.assignment
    if one is not None:
        mark(conn, one)
    if after != before:
        ended = now_ms if after.state in ENDED else None
        conn.execute(
            "UPDATE pool_messages SET state = ?, code = ?, fence = ?, maybe_dup = ?, went_by = ?, conflicts = ?,"
            " ended_at = CASE WHEN CAST(?7 AS BIGINT) IS NULL THEN NULL ELSE coalesce(ended_at, ?7) END WHERE id = ?8",
            (
                after.state.value, after.code.value, after.fence, after.maybe_dup, after.went_by, after.conflicts,
                ended, after.id,
            ),
        )  # fmt: skip
    fence, box = (one.fence, one.box) if one is not None else (after.fence, None)
    if word:
        code = one.code if one is not None and not after.code else after.code
        add_step(conn, after.id, NewStep(now_ms, word, fence, box, code.value))
    if after.state is not before.state and after.state.value != word:
        step = NewStep(now_ms, after.state.value, after.fence, None if word else box, after.code.value)
        add_step(conn, after.id, step)


def _assignment(row: Any) -> Assignment:
    message, fence, box, epoch, run, up, lease_s, dead_at, stage, code, went = row[:11]
    return Assignment(
        message, fence, box, epoch, run, up, lease_s, dead_at, Stage(stage), Code(code), bool(went)
    )  # fmt: skip


# -- steps and keys


def add_step(conn: sqlite3.Connection, message: str, step: NewStep) -> None:
    """Add a step to a message's way; of one that goes round and round the oldest but the first give way."""
    conn.execute(
        "INSERT INTO pool_steps (message, n, at, what, fence, box_id, code) SELECT ?1, coalesce(max(n), 0) + 1, ?2, ?3,"
        " ?4, CAST(?5 AS BIGINT), ?6 FROM pool_steps WHERE message = ?1",
        (message, *step),
    )
    conn.execute(
        "DELETE FROM pool_steps WHERE message = ?1 AND n > 1"
        " AND n <= (SELECT max(n) FROM pool_steps WHERE message = ?1) - ?2",
        (message, MOST_STEPS),
    )


def steps(conn: sqlite3.Connection, message: str) -> Iterator[Step]:
    """Return a message's way, the oldest step first."""
    rows = conn.execute(
        "SELECT s.at, s.what, s.fence, b.site || '/' || b.box, s.code FROM pool_steps s"
        " LEFT JOIN boxes b ON b.id = s.box_id WHERE s.message = ? ORDER BY s.n",
        (message,),
    )
    return (Step(*row) for row in rows.fetchall())


def known_key(conn: sqlite3.Connection, user_id: int, key: str, now_ms: int) -> tuple[bytes, int, int] | None:
    """Return digest, first message and count of an earlier request."""
    row: tuple[bytes, int, int] | None = conn.execute(
        "SELECT digest, first, count FROM pool_keys WHERE user_id = ? AND key = ? AND created_at > ?",
        (user_id, key, now_ms - KEY_LIFETIME_MS),
    ).fetchone()
    return row


def keep_key(
    conn: sqlite3.Connection, user_id: int, key: str, digest: bytes, made: tuple[int, int], now_ms: int
) -> None:
    """Remember a request by its key."""
    conn.execute(
        "INSERT INTO pool_keys (user_id, key, digest, first, count, created_at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (user_id, key) DO UPDATE SET digest = excluded.digest, first = excluded.first,"
        " count = excluded.count, created_at = excluded.created_at",
        (user_id, key, digest, *made, now_ms),
    )
