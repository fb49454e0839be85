"""Rows of commands: what was ordered, how far it is, and what is due to be sent again."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from modembank_fleet.wire import ENDED

WAITING, SENT = "waiting", "sent"
"""States before a box has said anything: not yet with the broker; handed to it."""
NO_ANSWER = "no_answer"
"""Code of a command that the box said nothing about in its time; what it says later wins."""
_RESTARTS_WITHIN_MS = 7 * 86_400_000
_RANK = {WAITING: 0, SENT: 1, "accepted": 2, "running": 3} | dict.fromkeys(ENDED, 4)
_COLUMNS = (
    "c.n, c.id, b.site, b.box, c.verb, c.args, c.epoch, c.actor, c.issued_at, c.ttl_s, c.state, c.code, c.percent,"
    " c.data, c.sends, c.sent_at, c.accepted_at, c.running_at, c.ended_at"
)
_FROM = "FROM commands c JOIN boxes b ON b.id = c.box_id"


class CommandRow(NamedTuple):
    """A command as it is stored."""

    n: int
    id: str
    site: str
    box: str
    verb: str
    args: str
    epoch: str
    actor: str
    issued_at: int
    ttl_s: int
    state: str
    code: str
    percent: int | None
    data: str
    sends: int
    sent_at: int | None
    accepted_at: int | None
    running_at: int | None
    ended_at: int | None


class NewCommand(NamedTuple):
    """A command as it is ordered."""

    id: str
    box_id: int
    verb: str
    args: str
    epoch: str
    actor: str
    issued_at: int
    ttl_s: int


def add(conn: sqlite3.Connection, new: NewCommand) -> None:
    """Store a command that is due at once."""
    conn.execute(
        "INSERT INTO commands (id, box_id, verb, args, epoch, actor, issued_at, ttl_s, state, resend_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*new, WAITING, new.issued_at),
    )


def get(conn: sqlite3.Connection, command_id: str) -> CommandRow | None:
    """Return one command."""
    row = conn.execute(f"SELECT {_COLUMNS} {_FROM} WHERE c.id = ?", (command_id,)).fetchone()
    return None if row is None else CommandRow(*row)


def page(conn: sqlite3.Connection, box_id: int | None, before: int | None, limit: int) -> list[CommandRow]:
    """Return commands, newest first: of one box, or of all."""
    rows = conn.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE (c.box_id = ?1 OR ?1 IS NULL) AND (c.n < ?2 OR ?2 IS NULL)"
        " ORDER BY c.n DESC LIMIT ?3",
        (box_id, before, limit),
    )
    return [CommandRow(*row) for row in rows]


def due(conn: sqlite3.Connection, now_ms: int, limit: int) -> list[CommandRow]:
    """Return the commands that are to be sent now, oldest first, whether their time is up or not."""
    rows = conn.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE c.resend_at <= ? ORDER BY c.resend_at, c.n LIMIT ?",
        (now_ms, limit),
    )
    return [CommandRow(*row) for row in rows]


def next_due(conn: sqlite3.Connection) -> int | None:
    """Return when the next is due."""
    at: int | None = conn.execute("SELECT min(resend_at) FROM commands WHERE resend_at IS NOT NULL").fetchone()[0]
    return at


def note_sent(conn: sqlite3.Connection, command_id: str, now_ms: int, again_at: int) -> None:
    """The broker has it; unless the box answers, it is due again."""
    conn.execute(
        f"""UPDATE commands SET state = CASE state WHEN '{WAITING}' THEN '{SENT}' ELSE state END, sends = sends + 1,
            sent_at = coalesce(sent_at, ?2), resend_at = CASE WHEN resend_at IS NULL THEN NULL ELSE ?3 END
            WHERE id = ?1""",  # noqa: S608 - our own words
        (command_id, now_ms, again_at),
    )


def put_off(conn: sqlite3.Connection, command_id: str, again_at: int) -> None:
    """It could not be sent: try again then."""
    conn.execute("UPDATE commands SET resend_at = ? WHERE id = ? AND resend_at IS NOT NULL", (again_at, command_id))


def make_due(conn: sqlite3.Connection, box_id: int, now_ms: int) -> int:
    """A box is back: what it has not answered is due at once. Returns how many."""
    return conn.execute(
        "UPDATE commands SET resend_at = ? WHERE box_id = ? AND resend_at IS NOT NULL", (now_ms, box_id)
    ).rowcount


def cancel(conn: sqlite3.Connection, command_id: str, now_ms: int) -> bool:
    """Take back what no box has been sent; return whether it was."""
    changed = conn.execute(
        "UPDATE commands SET state = 'cancelled', resend_at = NULL, ended_at = ? WHERE id = ? AND state = ?",
        (now_ms, command_id, WAITING),
    )
    return changed.rowcount > 0


def cancel_all(conn: sqlite3.Connection, site: str, box: str, now_ms: int, code: str) -> None:
    """End every command of a box that has not ended, and send none of them again."""
    conn.execute(
        "UPDATE commands SET state = CASE WHEN sends = 0 THEN 'cancelled' ELSE 'unknown' END, code = ?3,"
        " resend_at = NULL, ended_at = ?4"
        " WHERE ended_at IS NULL AND box_id = (SELECT id FROM boxes WHERE site = ?1 AND box = ?2)",
        (site, box, code, now_ms),
    )


def end_unanswered(conn: sqlite3.Connection, command_id: str, now_ms: int) -> None:
    """Its time is up: expired if it never left, else nobody knows."""
    conn.execute(
        f"""UPDATE commands SET state = CASE WHEN sends = 0 THEN 'expired' ELSE 'unknown' END, code = '{NO_ANSWER}',
            resend_at = NULL, ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL""",  # noqa: S608 - our own word
        (command_id, now_ms),
    )


def unanswered_since(conn: sqlite3.Connection, now_ms: int, grace_ms: int, limit: int) -> list[str]:
    """Return commands whose time is up: that never left, or, so long after it, that the box has not ended.

    A box that is at another version of its software may have to wait for the hours in which it may restart.
    """
    rows = conn.execute(
        "SELECT id FROM commands WHERE ended_at IS NULL AND issued_at + ttl_s * 1000 + CASE WHEN sends = 0 THEN 0"
        " WHEN running_at IS NOT NULL AND verb IN ('sw.update', 'sw.rollback') THEN ?4 ELSE ?2 END <= ?1 LIMIT ?3",
        (now_ms, grace_ms, limit, _RESTARTS_WITHIN_MS),
    )
    return [row[0] for row in rows]


class Told(NamedTuple):
    """What a box says of a command."""

    state: str
    code: str
    percent: int | None
    data: str


def note_result(conn: sqlite3.Connection, box_id: int, command_id: str, told: Told, now_ms: int) -> bool:
    """Let a result count: never backwards, and the first end is the end. Returns whether anything changed."""
    row = conn.execute("SELECT state, code FROM commands WHERE id = ? AND box_id = ?", (command_id, box_id)).fetchone()
    if row is None:
        return False
    state, code = row
    guessed = code == NO_ANSWER
    if not guessed and (_RANK[told.state] < _RANK[state] or state in ENDED):
        return False
    if guessed and told.state not in ENDED:
        return False
    ended = told.state in ENDED
    conn.execute(
        """UPDATE commands SET state = ?2, code = ?3, percent = coalesce(?4, percent), data = ?5, resend_at = NULL,
           accepted_at = coalesce(accepted_at, ?6), running_at = CASE WHEN ?2 = 'running' THEN coalesce(running_at, ?6)
           ELSE running_at END, ended_at = CASE WHEN ?7 = 1 THEN ?6 ELSE NULL END WHERE id = ?1""",
        (command_id, told.state, told.code, told.percent, told.data, now_ms, ended),
    )
    return True


def add_log(conn: sqlite3.Connection, box_id: int, command_id: str, n: int, lines: str) -> bool:
    """Keep a piece of a log, unless the box was not asked for it; return whether it was."""
    asked = conn.execute("SELECT 1 FROM commands WHERE id = ? AND box_id = ?", (command_id, box_id)).fetchone()
    if asked is not None:
        conn.execute("INSERT INTO log_chunks VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (command_id, n, lines))
    return asked is not None


def log_of(conn: sqlite3.Connection, command_id: str) -> list[str]:
    """Return the pieces of a log that have come, each a JSON array of lines."""
    rows = conn.execute("SELECT lines FROM log_chunks WHERE command = ? ORDER BY n", (command_id,))
    return [row[0] for row in rows]


def drop_old(conn: sqlite3.Connection, older_than: int, most: int) -> int:
    """Delete commands that ended before a time; return how many went."""
    return conn.execute(
        "DELETE FROM commands WHERE n IN (SELECT n FROM commands WHERE ended_at < ? ORDER BY n LIMIT ?)",
        (older_than, most),
    ).rowcount
