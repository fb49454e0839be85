"""Rows of enrolment: tokens, certificates, and boxes that are shut out."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

_OF_TOKENS = "n, site, box, actor, made_at, ends_at, used_at, used_by, serial, withdrawn_at FROM enrolment_tokens"
_OF_CERTIFICATES = (
    "n, serial, site, box, key_digest, pem, issued_at, ends_at, how, revoked_at, revoked_by, why FROM certificates"
)


class TokenRow(NamedTuple):
    """A token as it is stored; its secret is not."""

    n: int
    site: str
    box: str
    actor: str
    made_at: int
    ends_at: int
    used_at: int | None
    used_by: str
    serial: str | None
    withdrawn_at: int | None

    @property
    def name(self) -> str:
        """For which box; ``*`` for one that names itself."""
        return f"{self.site}/{self.box or '*'}"

    def state(self, now_ms: int) -> str:
        """Return how it stands: open, used, withdrawn, expired."""
        if self.used_at is not None:
            return "used"
        if self.withdrawn_at is not None:
            return "withdrawn"
        return "expired" if now_ms >= self.ends_at else "open"


class CertificateRow(NamedTuple):
    """A certificate that was given."""

    n: int
    serial: str
    site: str
    box: str
    key_digest: bytes
    pem: str
    issued_at: int
    ends_at: int
    how: str
    revoked_at: int | None
    revoked_by: str
    why: str

    @property
    def name(self) -> str:
        """Whose it is."""
        return f"{self.site}/{self.box}"

    def state(self, now_ms: int) -> str:
        """Return how it stands: good, revoked, expired."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if now_ms >= self.ends_at else "good"


class ShutOut(NamedTuple):
    """That a box is shut out: since when, by whom, why."""

    at: int
    actor: str
    why: str


# -- tokens


def add_token(
    conn: sqlite3.Connection, digest: bytes, which: tuple[str, str], actor: str, when: tuple[int, int]
) -> TokenRow:
    """Store a token for a site and a box, from when to when it is good."""
    row = conn.execute(
        "INSERT INTO enrolment_tokens (digest, site, box, actor, made_at, ends_at) VALUES (?, ?, ?, ?, ?, ?)"
        " RETURNING n",
        (digest, *which, actor, *when),
    ).fetchone()
    return TokenRow(row[0], *which, actor, *when, None, "", None, None)


def token_of(conn: sqlite3.Connection, digest: bytes) -> TokenRow | None:
    """Return the token whose secret has this hash."""
    row = conn.execute(f"SELECT {_OF_TOKENS} WHERE digest = ?", (digest,)).fetchone()
    return None if row is None else TokenRow(*row)


def token(conn: sqlite3.Connection, n: int) -> TokenRow | None:
    """Return one token."""
    row = conn.execute(f"SELECT {_OF_TOKENS} WHERE n = ?", (n,)).fetchone()
    return None if row is None else TokenRow(*row)


def tokens(conn: sqlite3.Connection, before: int | None, limit: int) -> list[TokenRow]:
    """Return tokens, the newest first."""
    rows = conn.execute(
        f"SELECT {_OF_TOKENS} WHERE n < ?1 OR ?1 IS NULL ORDER BY n DESC LIMIT ?2",
        (before, limit),
    )
    return [TokenRow(*row) for row in rows]


def use_token(conn: sqlite3.Connection, n: int, name: str, serial: str, now_ms: int) -> None:
    """Note that a token was used, and which certificate was given for it."""
    conn.execute(
        "UPDATE enrolment_tokens SET used_at = ?, used_by = ?, serial = ? WHERE n = ?", (now_ms, name, serial, n)
    )


def withdraw_token(conn: sqlite3.Connection, n: int, now_ms: int) -> None:
    """Let an open token count no more."""
    conn.execute("UPDATE enrolment_tokens SET withdrawn_at = ? WHERE n = ? AND used_at IS NULL", (now_ms, n))


def open_token_for(conn: sqlite3.Connection, site: str, box: str, now_ms: int) -> bool:
    """Whether an open token is there for just this name."""
    row = conn.execute(
        "SELECT 1 FROM enrolment_tokens WHERE site = ? AND box = ? AND used_at IS NULL AND withdrawn_at IS NULL"
        " AND ends_at > ?",
        (site, box, now_ms),
    ).fetchone()
    return row is not None


# -- certificates


def add_certificate(conn: sqlite3.Connection, new: CertificateRow) -> None:
    """Store a certificate; its ``n`` is chosen here."""
    conn.execute(
        "INSERT INTO certificates (serial, site, box, key_digest, pem, issued_at, ends_at, how)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        new[1:9],
    )


def certificate(conn: sqlite3.Connection, serial: str) -> CertificateRow | None:
    """Return one certificate."""
    row = conn.execute(f"SELECT {_OF_CERTIFICATES} WHERE serial = ?", (serial,)).fetchone()
    return None if row is None else CertificateRow(*row)


def certificate_of_key(conn: sqlite3.Connection, digest: bytes) -> CertificateRow | None:
    """Return the certificate of a key."""
    row = conn.execute(f"SELECT {_OF_CERTIFICATES} WHERE key_digest = ?", (digest,)).fetchone()
    return None if row is None else CertificateRow(*row)


def certificates(
    conn: sqlite3.Connection, which: tuple[str, str] | None, before: int | None, limit: int
) -> list[CertificateRow]:
    """Return certificates, the newest first: of one box, or of all."""
    site, box = which or (None, None)
    rows = conn.execute(
        f"SELECT {_OF_CERTIFICATES} WHERE ((site = ?1 AND box = ?2) OR ?1 IS NULL) AND (n < ?3 OR ?3 IS NULL)"
        " ORDER BY n DESC LIMIT ?4",
        (site, box, before, limit),
    )
    return [CertificateRow(*row) for row in rows]


def good_ones(conn: sqlite3.Connection, site: str, box: str, now_ms: int) -> int:
    """Return how many certificates of a box are good now."""
    query = "SELECT count(*) FROM certificates WHERE site = ? AND box = ? AND revoked_at IS NULL AND ends_at > ?"
    return int(conn.execute(query, (site, box, now_ms)).fetchone()[0])


def revoke(conn: sqlite3.Connection, site: str, box: str, now_ms: int, actor: str, why: str) -> int:
    """Revoke all certificates of a box that have not ended; return how many."""
    changed = conn.execute(
        "UPDATE certificates SET revoked_at = ?, revoked_by = ?, why = ?"
        " WHERE site = ? AND box = ? AND revoked_at IS NULL AND ends_at > ?",
        (now_ms, actor, why, site, box, now_ms),
    )
    return changed.rowcount


def revoked(conn: sqlite3.Connection, ended_before_ms: int) -> list[tuple[str, int]]:
    """Return the serials that a list names and since when; those that ended long ago need not be on it."""
    rows = conn.execute(
        "SELECT serial, revoked_at FROM certificates WHERE revoked_at IS NOT NULL AND ends_at > ? ORDER BY n",
        (ended_before_ms,),
    )
    return [(serial, at) for serial, at in rows]


def next_list(conn: sqlite3.Connection, dated: int) -> tuple[int, int]:
    """Count a revocation list; return its number and its date (unix seconds), which is later than the last one's."""
    row = conn.execute("SELECT number, dated FROM revocation_list").fetchone()
    number, dated = (1, dated) if row is None else (row[0] + 1, max(dated, row[1] + 1))
    conn.execute(
        "INSERT INTO revocation_list (id, number, dated) VALUES (1, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET number = excluded.number, dated = excluded.dated",
        (number, dated),
    )
    return number, dated


# -- who is shut out


def shut_out(conn: sqlite3.Connection, site: str, box: str) -> ShutOut | None:
    """Return that a box is shut out; None: it is not."""
    row = conn.execute("SELECT at, actor, why FROM shut_out WHERE site = ? AND box = ?", (site, box)).fetchone()
    return None if row is None else ShutOut(*row)


def put_out(conn: sqlite3.Connection, site: str, box: str, new: ShutOut) -> None:
    """Shut a box out."""
    conn.execute(
        "INSERT INTO shut_out (site, box, at, actor, why) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (site, box) DO UPDATE SET at = excluded.at, actor = excluded.actor, why = excluded.why",
        (site, box, *new),
    )


def let_in(conn: sqlite3.Connection, site: str, box: str) -> bool:
    """Let a box in again; return whether it was shut out."""
    return conn.execute("DELETE FROM shut_out WHERE site = ? AND box = ?", (site, box)).rowcount > 0


def all_out(conn: sqlite3.Connection) -> set[tuple[str, str]]:
    """Return every box that is shut out."""
    return set(conn.execute("SELECT site, box FROM shut_out"))


def is_known(conn: sqlite3.Connection, site: str, box: str) -> bool:
    """Whether a name belongs to a box already: it has spoken, or was given a certificate."""
    row = conn.execute(
        "SELECT 1 FROM boxes WHERE site = ?1 AND box = ?2 UNION ALL"
        " SELECT 1 FROM certificates WHERE site = ?1 AND box = ?2 LIMIT 1",
        (site, box),
    ).fetchone()
    return row is not None
