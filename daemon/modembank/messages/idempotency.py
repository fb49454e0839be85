"""Idempotency keys: the first answer to a request, kept so that repeating the request gives it again.

All functions run inside a write or a read of the store; times are unix milliseconds.
"""

from __future__ import annotations

import sqlite3

import msgspec

from modembank.ids import public_id
from modembank.messages.requests import KEY_LIFETIME_MS, IdempotencyKey, IdempotencyMismatch
from modembank.messages.verdicts import Refused, in_order
from modembank.messages.views import BATCH_ID, MESSAGE_ID, Accepted, Note, SubmitReceipt

FORGET_LIMIT = 500
"""Keys deleted in one transaction."""
_HTTP_ACCEPTED = 202


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What an accepted request is answered, without repeating what its messages have in common."""

    first: int
    """Row id of the first message; the others follow without a gap. 0: nothing was stored."""
    to: tuple[str, ...]
    status: str
    segments: int
    encoding: str
    batch: int | None = None
    notes: tuple[Note, ...] = ()
    refused: tuple[Refused, ...] = ()
    """Recipients that got no message, in an answer in parts."""
    places: tuple[int, ...] = ()
    """Of each in ``to`` among the recipients given; empty when nothing was refused."""

    def receipt(self, *, dry_run: bool = False, replayed: bool = False) -> SubmitReceipt:
        """Return the answer as a caller sees it."""
        accepted = tuple(
            Accepted(self._public(at), to, self.status, self.segments, self.encoding) for at, to in enumerate(self.to)
        )
        return SubmitReceipt(
            messages=in_order(accepted, self.places, self.refused) if self.refused else accepted,
            batch=None if self.batch is None else public_id(BATCH_ID, self.batch),
            notes=self.notes,
            dry_run=dry_run,
            replayed=replayed,
            refused=len(self.refused),
        )

    def _public(self, at: int) -> str:
        return public_id(MESSAGE_ID, self.first + at) if self.first else ""


def recall(conn: sqlite3.Connection, user_id: int, key: IdempotencyKey, now: int) -> Answer | None:
    """Return the answer to the user's earlier request with this key, or None when there is none.

    Raises IdempotencyMismatch when that request had another body.
    """
    row = _row(conn, user_id, key.key, now)
    if row is None:
        return None
    if row[0] != key.digest:
        raise IdempotencyMismatch(idempotency_key=key.key)
    return msgspec.json.decode(row[1], type=Answer)


def find(conn: sqlite3.Connection, user_id: int, key: str, now: int) -> Answer | None:
    """Return the answer to the user's earlier request with this key, whatever its body was, or None."""
    row = _row(conn, user_id, key, now)
    return None if row is None else msgspec.json.decode(row[1], type=Answer)


def _row(conn: sqlite3.Connection, user_id: int, key: str, now: int) -> tuple[bytes, bytes] | None:
    row: tuple[bytes, bytes] | None = conn.execute(
        "SELECT body_sha256, response FROM idempotency_keys WHERE user_id = ? AND key = ? AND created_at > ?",
        (user_id, key, now - KEY_LIFETIME_MS),
    ).fetchone()
    return row


def remember(conn: sqlite3.Connection, user_id: int, key: IdempotencyKey, answer: Answer, now: int) -> None:
    """Keep the answer to the user's request with this key, in the place of one that is past its lifetime."""
    conn.execute(
        "INSERT OR REPLACE INTO idempotency_keys (user_id, key, body_sha256, status, response, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (user_id, key.key, key.digest, _HTTP_ACCEPTED, msgspec.json.encode(answer), now),
    )


def forget(conn: sqlite3.Connection, now: int) -> int:
    """Delete keys past their lifetime, at most FORGET_LIMIT; return how many."""
    deleted = conn.execute(
        "DELETE FROM idempotency_keys WHERE (user_id, key) IN"
        " (SELECT user_id, key FROM idempotency_keys WHERE created_at <= ? LIMIT ?)",
        (now - KEY_LIFETIME_MS, FORGET_LIMIT),
    )
    return deleted.rowcount
