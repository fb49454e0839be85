"""Writing the audit log: one row in the transaction of the change that it tells of."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from typing import Protocol

import msgspec

_CANONICAL = msgspec.json.Encoder(order="deterministic")
FIRST = bytes(32)
"""What the first row's hash covers in the place of one before it."""
_HEAD = "audit_head"
"""The name in table box under which the last entry's hash is kept."""


class Who(Protocol):
    """Who acts; an Actor is one."""

    @property
    def user_id(self) -> int:
        """Row id of the user, 0 on the box itself."""

    @property
    def name(self) -> str:
        """The user's name."""

    @property
    def source(self) -> str:
        """Where the request came from: an address, or ``local``."""


def record(
    conn: sqlite3.Connection,
    who: Who,
    action: str,
    subject: str,
    now: int,
    detail: Mapping[str, object] | None = None,
) -> None:
    """Append one entry; ``action`` is ``noun.verb``, ``detail`` holds what changed and never a secret or a text.

    Call it inside the write that makes the change, so that neither is there without the other. ``now`` is unix ms.
    """
    text = _CANONICAL.encode(dict(detail or {})).decode()
    digest = entry_hash(head(conn), now, who.name, who.user_id, who.source, action, subject, text)
    conn.execute(
        "INSERT INTO audit (at, actor, user_id, source, action, subject, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (now, who.name, who.user_id, who.source, action, subject, text, digest),
    )
    conn.execute(
        "INSERT INTO box (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_HEAD, digest.hex()),
    )


def head(conn: sqlite3.Connection, schema: str = "") -> bytes:
    """Return the hash of the last entry that was written; FIRST before any.

    It is kept beside the entries: where the last ones were deleted, the next one shows the gap. A note that somebody
    spoilt must not keep the box from working: the chain goes on from what it says, and verifying shows it.
    """
    table = f"{schema}.box" if schema else "box"
    row = conn.execute(f"SELECT value FROM {table} WHERE name = ?", (_HEAD,)).fetchone()  # noqa: S608 - ours
    if row is None:
        return FIRST
    try:
        return bytes.fromhex(row[0])
    except (TypeError, ValueError):
        return hashlib.sha256(repr(row[0]).encode()).digest()


def entry_hash(before: bytes, *fields: object) -> bytes:
    """Return the hash of an entry: SHA-256 over the hash before it and its fields in the order of the columns."""
    return hashlib.sha256(before + _CANONICAL.encode(fields)).digest()
