"""The SQL of users and API keys; every function runs inside one transaction of the connection it is given."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from modembank.accounts.model import ApiKey, Role, Scope, User

_SCOPES = {scope.value: scope for scope in Scope}
_USER = "SELECT id, name, role, active, created_at, password_hash IS NOT NULL FROM users"
_KEY = """SELECT k.public_id, u.name, k.label, k.scopes, k.created_at, k.expires_at, k.revoked_at, k.networks
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
    created_at: int
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Holder:
    """Who a password may belong to."""

    user_id: int
    name: str
    role: Role
    active: bool
    password_hash: str | None = field(repr=False)


def insert_user(
    conn: sqlite3.Connection, name: str, role: Role, now_ms: int, password_hash: str | None = None
) -> User | None:
    """Add a user; None when the name is taken (in whatever case)."""
    row = conn.execute(
        "INSERT INTO users (name, role, created_at, password_hash) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING RETURNING id",
        (name, role.value, now_ms, password_hash),
    ).fetchone()
    return None if row is None else User(row[0], name, role, True, now_ms, password_hash is not None)


def user_named(conn: sqlite3.Connection, name: str) -> User | None:
    """Return the user of that name, in whatever case it is written."""
    row = conn.execute(f"{_USER} WHERE name = ?", (name,)).fetchone()
    return None if row is None else _user(row)


def all_users(conn: sqlite3.Connection) -> list[User]:
    """Return every user by age."""
    return [_user(row) for row in conn.execute(f"{_USER} ORDER BY id")]


def users_after(conn: sqlite3.Connection, after: int, limit: int) -> list[User]:
    """Return users that are younger than that row, by age."""
    return [_user(row) for row in conn.execute(f"{_USER} WHERE id > ? ORDER BY id LIMIT ?", (after, limit))]


def is_active(conn: sqlite3.Connection, user_id: int) -> bool:
    """Return whether a user may have things done; who is no user of the box, as on its own command line, always may."""
    row = conn.execute("SELECT active FROM users WHERE id = ?", (user_id,)).fetchone()
    return row is None or bool(row[0])


def holder_named(conn: sqlite3.Connection, name: str) -> Holder | None:
    """Return what a login needs of the user of that name."""
    row = conn.execute("SELECT id, name, role, active, password_hash FROM users WHERE name = ?", (name,)).fetchone()
    return None if row is None else Holder(row[0], row[1], Role(row[2]), bool(row[3]), row[4])


def set_role_and_active(conn: sqlite3.Connection, user_id: int, role: Role, active: bool) -> None:
    """Let a user in or keep it out, and say what it may do."""
    conn.execute("UPDATE users SET role = ?, active = ? WHERE id = ?", (role.value, int(active), user_id))


def set_password_hash(conn: sqlite3.Connection, user_id: int, password_hash: str) -> None:
    """Keep the hash of a user's password."""
    conn.execute("UPDATE users SET password_hash = ? WHERE id = ?", (password_hash, user_id))


def set_quotas(conn: sqlite3.Connection, user_id: int, per_day: int | None, per_month: int | None) -> None:
    """Set a user's quotas in segments, 0: none; None leaves one as it is."""
    conn.execute(
        "UPDATE users SET quota_per_day = coalesce(?, quota_per_day),"
        " quota_per_month = coalesce(?, quota_per_month) WHERE id = ?",
        (per_day, per_month, user_id),
    )


def other_active_admins(conn: sqlite3.Connection, user_id: int) -> int:
    """Return how many active admins there are besides that user."""
    query = "SELECT count(*) FROM users WHERE role = 'admin' AND active = 1 AND id != ?"
    found: int = conn.execute(query, (user_id,)).fetchone()[0]
    return found


def an_admin_can_log_in(conn: sqlite3.Connection) -> bool:
    """Whether there is an active admin with a password."""
    query = "SELECT EXISTS (SELECT 1 FROM users WHERE role = 'admin' AND active = 1 AND password_hash IS NOT NULL)"
    return bool(conn.execute(query).fetchone()[0])


def insert_key(conn: sqlite3.Connection, key: ApiKey, user_id: int, digest: bytes) -> None:
    """Store a key's digest and what it may do."""
    conn.execute(
        """INSERT INTO api_keys (user_id, public_id, secret_sha256, label, scopes, created_at, expires_at,
           networks) VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            *(user_id, key.public_id, digest, key.label, _scopes_text(key.scopes), key.created_at, key.expires_at),
            json.dumps(key.networks),
        ),
    )


def keys_of(conn: sqlite3.Connection, user_id: int | None) -> list[ApiKey]:
    """Return a user's keys, or everybody's, by age."""
    rows = conn.execute(f"{_KEY} WHERE k.user_id = ?1 OR ?1 IS NULL ORDER BY k.id", (user_id,))
    return [_key(row) for row in rows]


def keys_before(conn: sqlite3.Connection, whose: int | None, of: str | None, before: int, limit: int) -> list[ApiKey]:
    """Return keys that are older than that row, the newest first: a user's, or everybody's; of one name if given."""
    query = f"{_KEY} WHERE k.id < ?3 AND (k.user_id = ?1 OR ?1 IS NULL) AND (u.name = ?2 OR ?2 IS NULL)"
    return [_key(row) for row in conn.execute(f"{query} ORDER BY k.id DESC LIMIT ?4", (whose, of, before, limit))]


def key_row(conn: sqlite3.Connection, public_id: str, whose: int | None) -> int | None:
    """Return the row of a key (of that user, when one is given)."""
    query = "SELECT id FROM api_keys WHERE public_id = ?1 AND (user_id = ?2 OR ?2 IS NULL)"
    row = conn.execute(query, (public_id, whose)).fetchone()
    return None if row is None else int(row[0])


def scopes_of(conn: sqlite3.Connection, public_id: str, user_id: int) -> frozenset[Scope]:
    """Return the scopes of a user's key; none when it has no such key."""
    query = "SELECT scopes FROM api_keys WHERE public_id = ? AND user_id = ?"
    row = conn.execute(query, (public_id, user_id)).fetchone()
    return frozenset() if row is None else _scopes(row[0])


def revoke_key(
    conn: sqlite3.Connection, public_id: str, user_id: int | None, now_ms: int
) -> tuple[ApiKey | None, bool]:
    """Mark a key (of that user, when one is given) as revoked, and tell whether it was not before."""
    changed = conn.execute(
        """UPDATE api_keys SET revoked_at = ?1
           WHERE public_id = ?2 AND (user_id = ?3 OR ?3 IS NULL) AND revoked_at IS NULL""",
        (now_ms, public_id, user_id),
    ).rowcount
    row = conn.execute(
        f"{_KEY} WHERE k.public_id = ?1 AND (k.user_id = ?2 OR ?2 IS NULL)", (public_id, user_id)
    ).fetchone()
    return None if row is None else _key(row), changed > 0


def credential(conn: sqlite3.Connection, public_id: str) -> Credential | None:
    """Return what is stored of the key of that id."""
    row = conn.execute(
        """SELECT k.secret_sha256, u.id, u.name, u.role, u.active, k.scopes, k.expires_at, k.revoked_at,
           k.created_at, k.networks FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.public_id = ?""",
        (public_id,),
    ).fetchone()
    if row is None:
        return None
    digest, user_id, name, role, active, scopes, expires_at, revoked_at, created_at, networks = row
    return Credential(
        digest=digest,
        user_id=user_id,
        user_name=name,
        role=Role(role),
        active=bool(active),
        scopes=_scopes(scopes),
        expires_at=expires_at,
        revoked_at=revoked_at,
        created_at=created_at,
        networks=tuple(json.loads(networks)),
    )


def _user(row: tuple[Any, ...]) -> User:
    return User(row[0], row[1], Role(row[2]), bool(row[3]), row[4], bool(row[5]))


def _key(row: tuple[Any, ...]) -> ApiKey:
    return ApiKey(row[0], row[1], row[2], _scopes(row[3]), row[4], row[5], row[6], tuple(json.loads(row[7])))


def _scopes(text: str) -> frozenset[Scope]:
    """Read stored scopes; one that a newer release wrote and this one does not know grants nothing."""
    return frozenset(scope for word in json.loads(text) if (scope := _SCOPES.get(word)) is not None)


def _scopes_text(scopes: frozenset[Scope]) -> str:
    return json.dumps(sorted(scope.value for scope in scopes))
