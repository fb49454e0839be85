"""Rows of providers and rules; functions run inside one read or write."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from modembank.providers.rules import Rule
from modembank.providers.sharing import Sharing

_COLUMNS = "id, name, kind, channel, settings, sharing, enabled, why, created_at, changed_at, removed_at"


class ProviderRow(msgspec.Struct, frozen=True):
    """One provider as stored; times are unix milliseconds."""

    id: int
    name: str
    kind: str
    channel: str
    settings: dict[str, Any]
    sharing: Sharing
    enabled: bool
    why: str | None
    created_at: int
    changed_at: int
    removed_at: int | None = None


def all_rows(conn: sqlite3.Connection) -> list[ProviderRow]:
    """Return all providers, also those that were removed, in the order in which they were made."""
    return [_row(row) for row in conn.execute(f"SELECT {_COLUMNS} FROM providers ORDER BY id")]  # noqa: S608


def insert(conn: sqlite3.Connection, row: ProviderRow) -> int:
    """Store a new provider; return its id, which is never given twice."""
    found = conn.execute("SELECT COALESCE(max(id), 0) + 1 FROM providers").fetchone()[0]
    conn.execute(f"INSERT INTO providers ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (found, *_values(row)))  # noqa: S608
    return int(found)


def update(conn: sqlite3.Connection, row: ProviderRow) -> None:
    """Store a provider that was changed."""
    conn.execute(
        "UPDATE providers SET (name, kind, channel, settings, sharing, enabled, why, created_at, changed_at,"
        " removed_at) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?",
        (*_values(row), row.id),
    )


def read_rules(conn: sqlite3.Connection) -> tuple[Rule, ...]:
    """Return the routing rules in order."""
    rows = conn.execute("SELECT rule FROM routing_rules ORDER BY place")
    return tuple(msgspec.json.decode(row[0], type=Rule) for row in rows)


def write_rules(conn: sqlite3.Connection, rules: Sequence[Rule]) -> None:
    """Put rules in the place of those that were."""
    conn.execute("DELETE FROM routing_rules")
    conn.executemany(
        "INSERT INTO routing_rules (place, rule) VALUES (?, ?)",
        [(place, msgspec.json.encode(rule).decode()) for place, rule in enumerate(rules)],
    )


def user_names(conn: sqlite3.Connection) -> dict[int, str]:
    """Return what users are called, for the rules that name some."""
    return dict(conn.execute("SELECT id, name FROM users").fetchall())


def key(conn: sqlite3.Connection) -> str:
    """Return what begins the idempotency keys of this box, drawn once.

    A backup has it too: what is sent again after a restore has the key of before, and a provider that knows it sends
    nothing twice.
    """
    conn.execute("INSERT OR IGNORE INTO box (name, value) VALUES ('provider_key', ?)", (secrets.token_hex(8),))
    return str(conn.execute("SELECT value FROM box WHERE name = 'provider_key'").fetchone()[0])


def _row(row: tuple[Any, ...]) -> ProviderRow:
    values = list(row)
    values[4], values[5] = msgspec.json.decode(row[4]), msgspec.json.decode(row[5], type=Sharing)
    values[6] = bool(row[6])
    return ProviderRow(*values)


def _values(row: ProviderRow) -> tuple[object, ...]:
    settings, sharing = (msgspec.json.encode(each).decode() for each in (row.settings, row.sharing))
    return (
        row.name, row.kind, row.channel, settings, sharing, int(row.enabled), row.why, row.created_at, row.changed_at,
        row.removed_at,
    )  # fmt: skip
