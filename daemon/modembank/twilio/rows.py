"""The SQL of accounts and of what they have been told; every function runs inside one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from modembank.accounts import Role
from modembank.twilio.model import Account, Retry

_SELECT = (
    "SELECT t.sid, t.user_id, u.name, u.role, u.active, t.auth_token, t.sms_url, t.status_callback, t.allow_private,"
    " t.place, (SELECT count(*) FROM twilio_retries r WHERE r.sid = t.sid), t.last_at, t.last_status, t.last_error,"
    " t.created_at FROM twilio_accounts t JOIN users u ON u.id = t.user_id"
)
_CHANGEABLE = frozenset({"auth_token", "sms_url", "status_callback", "allow_private"})


@dataclass(frozen=True, slots=True)
class Extra:
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


def user_id_of(conn: sqlite3.Connection, name: str) -> int | None:
    """Return the row id of the user of that name."""
    row = conn.execute("SELECT id FROM users WHERE name = ?", (name,)).fetchone()
    return None if row is None else int(row[0])


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


def note(conn: sqlite3.Connection, sid: str, place: int, last: tuple[int, int | None, str | None] | None) -> None:
    """Write how far an account has been told, and how the last post ended (unix ms, status, error)."""
    conn.execute("UPDATE twilio_accounts SET place = ? WHERE sid = ?", (place, sid))
    if last is not None:
        conn.execute(
            "UPDATE twilio_accounts SET last_at = ?, last_status = ?, last_error = ? WHERE sid = ?", (*last, sid)
        )


def put_retries(conn: sqlite3.Connection, sid: str, retries: Iterable[Retry]) -> None:
    """Keep events that were not taken; for an account that was deleted meanwhile, nothing."""
    conn.executemany(
        "INSERT INTO twilio_retries (sid, event_id, first_at, tries, next_at)"
        " SELECT sid, ?, ?, ?, ? FROM twilio_accounts WHERE sid = ?"
        " ON CONFLICT (sid, event_id) DO UPDATE SET tries = excluded.tries, next_at = excluded.next_at",
        [(retry.event_id, retry.first_at, retry.tries, retry.next_at, sid) for retry in retries],
    )


def drop_retries(conn: sqlite3.Connection, sid: str, event_ids: Iterable[int]) -> None:
    """Forget events that were taken, given up, or are gone."""
    conn.executemany(
        "DELETE FROM twilio_retries WHERE sid = ? AND event_id = ?", [(sid, event_id) for event_id in event_ids]
    )


def retries(conn: sqlite3.Connection, sid: str) -> list[Retry]:
    """Return what waits to be tried again, oldest event first."""
    rows = conn.execute(
        "SELECT event_id, first_at, tries, next_at FROM twilio_retries WHERE sid = ? ORDER BY event_id", (sid,)
    )
    return [Retry(*row) for row in rows]


def needed_after(conn: sqlite3.Connection) -> int | None:
    """Return after which event some account still has something to hear; None: there is none."""
    row = conn.execute(
        "SELECT min(place) FROM (SELECT place FROM twilio_accounts UNION ALL SELECT event_id - 1 FROM twilio_retries)"
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
