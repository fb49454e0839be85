"""The SQL of accounts and of what they have been told; every function runs inside one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from modembank.accounts import Role
from modembank.couriers import Retry
from modembank.twilio.model import Account, Done, Waiting

_SELECT = (
    "SELECT t.sid, t.user_id, u.name, u.role, u.active, t.auth_token, t.sms_url, t.status_callback, t.allow_private,"
    " t.place, t.failing_since, t.given_up, t.given_up_at,"
    " (SELECT count(*) FROM twilio_retries r WHERE r.sid = t.sid), t.last_at, t.last_status, t.last_error,"
    " t.created_at FROM twilio_accounts t JOIN users u ON u.id = t.user_id"
)
_CHANGEABLE = frozenset({"auth_token", "sms_url", "status_callback", "allow_private"})


class Extra(msgspec.Struct, frozen=True):
    """What the dialect keeps of an outbound message."""

    status_callback: str | None
    sender: str | None
    reply: bool = False


def insert(conn: sqlite3.Connection, sid: str, user_id: int, now: int, columns: Mapping[str, Any]) -> None:
    """Add an account that is told what comes from now on."""
    latest = conn.execute("SELECT COALESCE(max(id), 0) FROM event_log").fetchone()[0]
    conn.execute(
        "INSERT INTO twilio_accounts (sid, user_id, auth_token, sms_url, status_callback, allow_private, place,"
        " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            sid,
            user_id,
            columns["auth_token"],
            columns["sms_url"],
            columns["status_callback"],
            columns["allow_private"],
            latest,
            now,
        ),
    )


def get(conn: sqlite3.Connection, sid: str) -> Account | None:
    """Return one."""
    row = conn.execute(f"{_SELECT} WHERE t.sid = ?", (sid,)).fetchone()
    return None if row is None else _account(row)


def of_user(conn: sqlite3.Connection, user_id: int) -> Account | None:
    """Return a user's."""
    row = conn.execute(f"{_SELECT} WHERE t.user_id = ?", (user_id,)).fetchone()
    return None if row is None else _account(row)


def listed(conn: sqlite3.Connection) -> list[Account]:
    """Return all, by age."""
    return [_account(row) for row in conn.execute(f"{_SELECT} ORDER BY t.created_at, t.sid")]


def change(conn: sqlite3.Connection, sid: str, columns: Mapping[str, Any]) -> None:
    """Write some columns."""
    unknown = set(columns) - _CHANGEABLE
    if unknown:
        raise ValueError(unknown)
    sets = ", ".join(f"{name} = ?" for name in columns)
    conn.execute(f"UPDATE twilio_accounts SET {sets} WHERE sid = ?", (*columns.values(), sid))  # noqa: S608 - names


def delete(conn: sqlite3.Connection, sid: str) -> None:
    """Delete one with all that waits for it."""
    conn.execute("DELETE FROM twilio_accounts WHERE sid = ?", (sid,))


def note(conn: sqlite3.Connection, sid: str, done: Done, old: int, now: int) -> None:
    """Write what a round came to; ``old`` more events were given up with it."""
    conn.execute("UPDATE twilio_accounts SET place = ? WHERE sid = ?", (done.place, sid))
    if done.last is not None:
        conn.execute(
            "UPDATE twilio_accounts SET last_at = ?, last_status = ?, last_error = ? WHERE sid = ?", (*done.last, sid)
        )
    if done.given_up + old:
        conn.execute(
            "UPDATE twilio_accounts SET given_up = given_up + ?, given_up_at = ? WHERE sid = ?",
            (done.given_up + old, now, sid),
        )


def note_failing(conn: sqlite3.Connection, sid: str, since: int | None) -> None:
    """Write that an endpoint of an account fails, since when at the earliest (unix ms), or that none does (None)."""
    conn.execute(
        "UPDATE twilio_accounts SET failing_since = iif(?1 IS NULL, NULL, COALESCE(failing_since, ?1)) WHERE sid = ?2",
        (since, sid),
    )


def put_waiting(conn: sqlite3.Connection, sid: str, waiting: Iterable[Waiting]) -> None:
    """Keep events that were not taken; for an account that was deleted meanwhile, nothing."""
    conn.executemany(
        "INSERT INTO twilio_retries (sid, event_id, subject, url, first_at, tries, next_at)"
        " SELECT sid, ?, ?, ?, ?, ?, ? FROM twilio_accounts WHERE sid = ?"
        " ON CONFLICT (sid, event_id) DO UPDATE SET url = excluded.url, tries = excluded.tries,"
        " next_at = excluded.next_at",
        [
            (one.retry.event_id, one.subject, one.url, one.retry.first_at, one.retry.tries, one.retry.next_at, sid)
            for one in waiting
        ],
    )


def drop_waiting(conn: sqlite3.Connection, sid: str, event_ids: Iterable[int]) -> None:
    """Forget events that were taken, given up, or are gone."""
    conn.executemany(
        "DELETE FROM twilio_retries WHERE sid = ? AND event_id = ?", [(sid, event_id) for event_id in event_ids]
    )


def drop_old(conn: sqlite3.Connection, sid: str, urls: Collection[str], first_before: int, most: int) -> int:
    """Forget the oldest events, at most ``most``, that have waited for these endpoints since before a time (unix ms).

    Return how many.
    """
    marks = ", ".join("?" * len(urls))
    oldest = (
        f"SELECT event_id, first_at FROM twilio_retries WHERE sid = ? AND url IN ({marks}) ORDER BY event_id LIMIT ?"  # noqa: S608 - marks
    )
    found = conn.execute(oldest, (sid, *urls, most)).fetchall()
    old = [event_id for event_id, first_at in found if first_at <= first_before]
    drop_waiting(conn, sid, old)
    return len(old)


def due(conn: sqlite3.Connection, sid: str, now: int, resting: Collection[str], most: int) -> list[Retry]:
    """Return what is to be tried again: of each message its oldest event alone, and nothing at endpoints that rest."""
    marks = ", ".join("?" * len(resting))
    sql = (
        "SELECT event_id, first_at, tries, next_at FROM twilio_retries r WHERE sid = ? AND next_at <= ?"  # noqa: S608 - marks
        f" AND url NOT IN ({marks}) AND NOT EXISTS (SELECT 1 FROM twilio_retries e WHERE e.sid = r.sid"
        " AND e.subject = r.subject AND e.event_id < r.event_id) ORDER BY next_at, event_id LIMIT ?"
    )
    return [Retry(*row) for row in conn.execute(sql, (sid, now, *resting, most))]


def next_due(conn: sqlite3.Connection, sid: str, now: int) -> int | None:
    """Return the first moment after ``now`` (unix ms) at which something is to be tried again."""
    row = conn.execute("SELECT min(next_at) FROM twilio_retries WHERE sid = ? AND next_at > ?", (sid, now)).fetchone()
    return None if row[0] is None else int(row[0])


def wake(conn: sqlite3.Connection, sid: str) -> None:
    """Let all that waits be tried at once."""
    conn.execute("UPDATE twilio_retries SET next_at = 0 WHERE sid = ? AND next_at > 0", (sid,))


def waits(conn: sqlite3.Connection, sid: str, subject: int) -> bool:
    """Whether anything waits that is to be told of a message."""
    sql = "SELECT 1 FROM twilio_retries WHERE sid = ? AND subject = ? LIMIT 1"
    return conn.execute(sql, (sid, subject)).fetchone() is not None


def is_waited_for(conn: sqlite3.Connection, sid: str, url: str) -> bool:
    """Whether anything waits that is to be told at an address."""
    sql = "SELECT 1 FROM twilio_retries WHERE sid = ? AND url = ? LIMIT 1"
    return conn.execute(sql, (sid, url)).fetchone() is not None


def failed_at(conn: sqlite3.Connection, sid: str) -> list[str]:
    """Return the addresses at which something that waits was tried in vain."""
    sql = "SELECT DISTINCT url FROM twilio_retries WHERE sid = ? AND tries > 0"
    return [row[0] for row in conn.execute(sql, (sid,))]


def needed_after(conn: sqlite3.Connection) -> int | None:
    """Return after which event some account still has something to hear; None: there is none."""
    row = conn.execute(
        "SELECT min(place) FROM (SELECT place FROM twilio_accounts"
        " UNION ALL SELECT min(event_id) - 1 FROM twilio_retries)"
    ).fetchone()
    return None if row[0] is None else int(row[0])


def put_extra(conn: sqlite3.Connection, message_id: int, extra: Extra) -> None:
    """Keep what the dialect knows of a message, in the write that accepts it."""
    conn.execute(
        "INSERT OR REPLACE INTO twilio_messages (message_id, status_callback, sender, reply) VALUES (?, ?, ?, ?)",
        (message_id, extra.status_callback, extra.sender, int(extra.reply)),
    )


def _account(row: tuple[Any, ...]) -> Account:
    values = list(row)
    values[3], values[4], values[8] = Role(row[3]), bool(row[4]), bool(row[8])
    return Account(*values)
