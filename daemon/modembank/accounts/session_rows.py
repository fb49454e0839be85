"""The SQL of sessions; every function runs inside one transaction of the connection it is given."""

from __future__ import annotations

import sqlite3

import msgspec

from modembank.accounts.model import Role, Session

_SESSION = """SELECT s.public_id, u.name, s.created_at, s.seen_at, s.source, s.agent
              FROM sessions s JOIN users u ON u.id = s.user_id"""


class Began(msgspec.Struct, frozen=True):
    """What authentication needs of one session and its user."""

    public_id: str
    user_id: int
    user_name: str
    role: Role
    active: bool
    created_at: int
    seen_at: int


def insert(conn: sqlite3.Connection, session: Session, user_id: int, digest: bytes) -> None:
    """Store a session with the digest of its token."""
    conn.execute(
        "INSERT INTO sessions (public_id, token_sha256, user_id, created_at, seen_at, source, agent)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (session.public_id, digest, user_id, session.created_at, session.seen_at, session.source, session.agent),
    )


def with_token(conn: sqlite3.Connection, digest: bytes) -> Began | None:
    """Return the session whose token has that digest."""
    row = conn.execute(
        """SELECT s.public_id, u.id, u.name, u.role, u.active, s.created_at, s.seen_at
           FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_sha256 = ?""",
        (digest,),
    ).fetchone()
    if row is None:
        return None
    public_id, user_id, name, role, active, created_at, seen_at = row
    return Began(public_id, user_id, name, Role(role), bool(active), created_at, seen_at)


def note_seen(conn: sqlite3.Connection, public_id: str, seen_at: int) -> None:
    """Keep when a session was last used."""
    conn.execute("UPDATE sessions SET seen_at = ?1 WHERE public_id = ?2 AND seen_at < ?1", (seen_at, public_id))


def sessions_of(conn: sqlite3.Connection, user_id: int | None, idle_since: int, begun_since: int) -> list[Session]:
    """Return the sessions that last (of that user, when one is given), newest first."""
    rows = conn.execute(
        f"{_SESSION} WHERE (s.user_id = ?1 OR ?1 IS NULL) AND s.seen_at > ?2 AND s.created_at > ?3 ORDER BY s.id DESC",
        (user_id, idle_since, begun_since),
    )
    return [Session(*row) for row in rows]


def is_of(conn: sqlite3.Connection, public_id: str, user_id: int) -> bool:
    """Return whether a user has a session of that id."""
    query = "SELECT 1 FROM sessions WHERE public_id = ? AND user_id = ?"
    return conn.execute(query, (public_id, user_id)).fetchone() is not None


def end(conn: sqlite3.Connection, public_id: str, user_id: int | None) -> Session | None:
    """Delete a session (of that user, when one is given) and return what it was."""
    query = f"{_SESSION} WHERE s.public_id = ?1 AND (s.user_id = ?2 OR ?2 IS NULL)"
    row = conn.execute(query, (public_id, user_id)).fetchone()
    if row is None:
        return None
    conn.execute("DELETE FROM sessions WHERE public_id = ?", (public_id,))
    return Session(*row)


def end_token(conn: sqlite3.Connection, digest: bytes) -> None:
    """Delete the session with that token, if there is one."""
    conn.execute("DELETE FROM sessions WHERE token_sha256 = ?", (digest,))


def end_all_of(conn: sqlite3.Connection, user_id: int) -> int:
    """Delete a user's sessions; return how many."""
    return conn.execute("DELETE FROM sessions WHERE user_id = ?", (user_id,)).rowcount


def tidy(conn: sqlite3.Connection, user_id: int, most: int, idle_since: int, begun_since: int) -> None:
    """Delete what has ended by itself, and a user's oldest beyond ``most``."""
    conn.execute("DELETE FROM sessions WHERE seen_at <= ? OR created_at <= ?", (idle_since, begun_since))
    conn.execute(
        "DELETE FROM sessions WHERE user_id = ?1 AND id NOT IN"
        " (SELECT id FROM sessions WHERE user_id = ?1 ORDER BY id DESC LIMIT ?2)",
        (user_id, most),
    )
