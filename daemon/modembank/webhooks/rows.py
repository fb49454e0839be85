"""The SQL of webhooks; every function runs inside one transaction of the connection it is given."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from modembank.couriers import Retry
from modembank.webhooks.model import Secret, Webhook

_SELECT = (
    "SELECT w.id, w.user_id, u.name, w.url, w.events, w.secrets, w.label, w.all_users, w.allow_private, w.active,"
    " w.stopped_why, w.place, w.failing_since, w.failures, w.next_try_at, w.delivered, w.given_up, w.given_up_at,"
    " w.last_status, w.last_error, w.last_at, w.created_at, u.active, u.role = 'admin',"
    " (SELECT count(*) FROM webhook_retries r WHERE r.webhook_id = w.id)"
    " FROM webhooks w JOIN users u ON u.id = w.user_id"
)
_BOOLS = (7, 8, 9, 22, 23)
_CHANGEABLE = frozenset(
    {"url", "events", "secrets", "label", "all_users", "allow_private", "active", "stopped_why", "place"}
    | {"failing_since", "failures", "next_try_at", "last_status", "last_error", "last_at"}
)


def insert(conn: sqlite3.Connection, user_id: int, now: int, place: int, columns: Mapping[str, Any]) -> int:
    """Add a webhook that is told what comes after ``place``; return its id."""
    row = {**columns, "user_id": user_id, "created_at": now, "place": place}
    marks = ", ".join("?" * len(row))
    sql = f"INSERT INTO webhooks ({', '.join(row)}) VALUES ({marks})"  # noqa: S608 - names of columns
    added = conn.execute(sql, tuple(row.values()))
    return int(added.lastrowid or 0)


def count(conn: sqlite3.Connection, user_id: int | None = None) -> int:
    """Return how many webhooks there are, of one user or in all."""
    found = conn.execute("SELECT count(*) FROM webhooks WHERE ?1 IS NULL OR user_id = ?1", (user_id,))
    return int(found.fetchone()[0])


def get(conn: sqlite3.Connection, webhook_id: int) -> Webhook | None:
    """Return one."""
    row = conn.execute(f"{_SELECT} WHERE w.id = ?", (webhook_id,)).fetchone()
    return None if row is None else _webhook(row)


def listed(conn: sqlite3.Connection, user_id: int | None) -> list[Webhook]:
    """Return those of a user, or all, by age."""
    if user_id is None:
        return [_webhook(row) for row in conn.execute(f"{_SELECT} ORDER BY w.id")]
    return [_webhook(row) for row in conn.execute(f"{_SELECT} WHERE w.user_id = ? ORDER BY w.id", (user_id,))]


def change(conn: sqlite3.Connection, webhook_id: int, columns: Mapping[str, Any]) -> bool:
    """Write some columns; return whether it is there."""
    unknown = set(columns) - _CHANGEABLE
    if unknown:
        raise ValueError(unknown)
    sets = ", ".join(f"{name} = ?" for name in columns)
    sql = f"UPDATE webhooks SET {sets} WHERE id = ?"  # noqa: S608 - names of columns, checked above
    return bool(conn.execute(sql, (*columns.values(), webhook_id)).rowcount)


def delete(conn: sqlite3.Connection, webhook_id: int) -> None:
    """Delete one with all that waits for it."""
    conn.execute("DELETE FROM webhooks WHERE id = ?", (webhook_id,))


def move(conn: sqlite3.Connection, webhook_id: int, before: int, place: int) -> bool:
    """Write how far it has been told and return whether; one that somebody has moved meanwhile stays where it is."""
    changed = conn.execute("UPDATE webhooks SET place = ? WHERE id = ? AND place = ?", (place, webhook_id, before))
    return bool(changed.rowcount)


def add_counts(conn: sqlite3.Connection, webhook_id: int, delivered: int, given_up: int, now: int) -> None:
    """Count what became of events."""
    conn.execute(
        "UPDATE webhooks SET delivered = delivered + ?1, given_up = given_up + ?2,"
        " given_up_at = iif(?2 > 0, ?3, given_up_at) WHERE id = ?4",
        (delivered, given_up, now, webhook_id),
    )


def put_retry(conn: sqlite3.Connection, webhook_id: int, retry: Retry, error: str) -> None:
    """Keep an event that was refused; for a webhook that was deleted meanwhile, nothing."""
    conn.execute(
        "INSERT INTO webhook_retries (webhook_id, event_id, first_at, tries, next_at, last_error)"
        " SELECT id, ?, ?, ?, ?, ? FROM webhooks WHERE id = ?"
        " ON CONFLICT (webhook_id, event_id) DO UPDATE SET tries = excluded.tries, next_at = excluded.next_at,"
        " last_error = excluded.last_error",
        (retry.event_id, retry.first_at, retry.tries, retry.next_at, error, webhook_id),
    )


def drop_retry(conn: sqlite3.Connection, webhook_id: int, event_id: int) -> None:
    """Forget an event that was taken, given up, or is gone."""
    conn.execute("DELETE FROM webhook_retries WHERE webhook_id = ? AND event_id = ?", (webhook_id, event_id))


def drop_old_retries(conn: sqlite3.Connection, webhook_id: int, first_before: int) -> int:
    """Forget what has waited since before a time (unix ms); return how many events."""
    sql = "DELETE FROM webhook_retries WHERE webhook_id = ? AND first_at < ?"
    return conn.execute(sql, (webhook_id, first_before)).rowcount


def retries(conn: sqlite3.Connection, webhook_id: int) -> list[Retry]:
    """Return what waits to be tried again, the next one first."""
    rows = conn.execute(
        "SELECT event_id, first_at, tries, next_at FROM webhook_retries WHERE webhook_id = ?"
        " ORDER BY next_at, event_id",
        (webhook_id,),
    )
    return [Retry(*row) for row in rows]


def needed_after(conn: sqlite3.Connection) -> int | None:
    """Return after which event some active webhook still has something to hear; None: there is none."""
    row = conn.execute(
        "SELECT min(place) FROM (SELECT place FROM webhooks WHERE active = 1 UNION ALL"
        " SELECT event_id - 1 FROM webhook_retries)"
    ).fetchone()
    return None if row[0] is None else int(row[0])


def secrets_text(secrets: Sequence[Secret]) -> str:
    """Return secrets as they are stored."""
    return msgspec.json.encode(list(secrets)).decode()


def events_text(events: Sequence[str]) -> str:
    """Return patterns as they are stored."""
    return msgspec.json.encode(list(events)).decode()


def _webhook(row: tuple[Any, ...]) -> Webhook:
    values = list(row)
    values[4] = msgspec.json.decode(row[4], type=tuple[str, ...])
    values[5] = msgspec.json.decode(row[5], type=tuple[Secret, ...])
    for place in _BOOLS:
        values[place] = bool(row[place])
    return Webhook(*values)
