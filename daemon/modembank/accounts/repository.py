"""The SQL of users and API keys; every function runs inside one transaction of the connection it is given."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from modembank.accounts.model import ApiKey, Role, Scope, User

_SCOPES = {scope.value: scope for scope in Scope}
_USER = "SELECT id, name, role, active, created_at FROM users"
_KEY = """SELECT k.public_id, u.name, k.label, k.scopes, k.created_at, k.expires_at, k.revoked_at
          FROM api_keys k JOIN users u ON u.id = k.user_id"""


@dataclass(frozen=True, slots=True)
class Credential:
    """All that authentication needs of one key and its user."""

    digest: bytes = field(repr=False)
    user_id: int
    user_name: str
    role: Role
    active: bool
    scopes: frozenset[Scope]
    expires_at: int | None
    revoked_at: int | None


def insert_user(conn: sqlite3.Connection, name: str, role: Role, now_ms: int) -> User | None:
    """Add a user; None when the name is taken (in whatever case)."""
    row = conn.execute(
        "INSERT INTO users (name, role, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
        (name, role.value, now_ms),
    ).fetchone()
    return None if row is None else User(row[0], name, role, True, now_ms)


def user_named(conn: sqlite3.Connection, name: str) -> User | None:
    """Return the user of that name, in whatever case it is written."""
    row = conn.execute(f"{_USER} WHERE name = ?", (name,)).fetchone()
    return None if row is None else _user(row)


def all_users(conn: sqlite3.Connection) -> list[User]:
    """Return every user by age."""
    return [_user(row) for row in conn.execute(f"{_USER} ORDER BY id")]


def set_active(conn: sqlite3.Connection, user_id: int, active: bool) -> None:
    """Let a user in or keep it out."""
    conn.execute("UPDATE users SET active = ? WHERE id = ?", (int(active), user_id))


def insert_key(conn: sqlite3.Connection, key: ApiKey, user_id: int, digest: bytes) -> None:
    """Store a key's digest and what it may do."""
    conn.execute(
        """INSERT INTO api_keys (user_id, public_id, secret_sha256, label, scopes, created_at, expires_at)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (user_id, key.public_id, digest, key.label, _scopes_text(key.scopes), key.created_at, key.expires_at),
    )


def keys_of(conn: sqlite3.Connection, user_id: int | None) -> list[ApiKey]:
    """Return a user's keys, or everybody's, by age."""
    rows = conn.execute(f"{_KEY} WHERE ?1 IS NULL OR k.user_id = ?1 ORDER BY k.id", (user_id,))
    return [_key(row) for row in rows]


def revoke_key(conn: sqlite3.Connection, public_id: str, user_id: int | None, now_ms: int) -> ApiKey | None:
    """Mark a key (of that user, when one is given) as revoked; the first revocation's time stays."""
    conn.execute(
        """UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?1)
           WHERE public_id = ?2 AND (?3 IS NULL OR user_id = ?3)""",
        (now_ms, public_id, user_id),
    )
    row = conn.execute(
        f"{_KEY} WHERE k.public_id = ?1 AND (?2 IS NULL OR k.user_id = ?2)", (public_id, user_id)
    ).fetchone()
    return None if row is None else _key(row)


def credential(conn: sqlite3.Connection, public_id: str) -> Credential | None:
    """Return what is stored of the key of that id."""
    row = conn.execute(
        """SELECT k.secret_sha256, u.id, u.name, u.role, u.active, k.scopes, k.expires_at, k.revoked_at
           FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.public_id = ?""",
        (public_id,),
    ).fetchone()
    if row is None:
        return None
    digest, user_id, name, role, active, scopes, expires_at, revoked_at = row
    return Credential(digest, user_id, name, Role(role), bool(active), _scopes(scopes), expires_at, revoked_at)


def _user(row: tuple[Any, ...]) -> User:
    return User(row[0], row[1], Role(row[2]), bool(row[3]), row[4])


def _key(row: tuple[Any, ...]) -> ApiKey:
    return ApiKey(row[0], row[1], row[2], _scopes(row[3]), row[4], row[5], row[6])


def _scopes(text: str) -> frozenset[Scope]:
    """Read stored scopes; one that a newer release wrote and this one does not know grants nothing."""
    return frozenset(scope for word in json.loads(text) if (scope := _SCOPES.get(word)) is not None)


def _scopes_text(scopes: frozenset[Scope]) -> str:
    return json.dumps(sorted(scope.value for scope in scopes))
