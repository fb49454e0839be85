"""What the database that is set aside knows and the backup does not: what SIMs sent since, and what became of messages.

It is asked only when it is sound. It never makes a SIM's usage smaller, nor a message's state, forgets no opt-out, lets
nobody in who was put out, and brings nothing back that was redacted; whatever it leaves open is left to the hold.
Messages that the backup does not have stay behind with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import msgspec

from modembank import audit
from modembank.messages.conversing import note_deleted
from modembank.messages.model import InboxHiding, JournalKind, MessageFlags, MessageState
from modembank.messages.outbox import ACCEPTED_EVER
from modembank.store.schema import split_statements

_ALWAYS = ("learning.sql", "learning_users.sql")
_IF_KNOWN = (
    ("opt_outs", "learning_opt_outs.sql"),
    ("user_usage", "learning_usage.sql"),
    ("conversations", "learning_inbox.sql"),  # which came with inbox.hidden
    ("twilio_accounts", "learning_twilio.sql"),
)
"""What is learnt of tables that a database of an older release does not have."""
_NUMBERS: dict[str, int] = {
    "redacted": MessageFlags.REDACTED,
    "hidden": MessageFlags.HIDDEN,
    "counted": MessageFlags.COUNTED,
    "sent": MessageState.SENT,
    "intent": JournalKind.INTENT,
    "report": JournalKind.REPORT,
    "accepted_ever": ACCEPTED_EVER,
}
"""What the statements name."""


class Learnt(msgspec.Struct, frozen=True):
    """Of how many messages the former database knew the end (or that they may be sent); what stays behind in it."""

    ended: int
    left_messages: int
    left_inbox: int


@contextmanager
def former(conn: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Let ``conn`` (opened for URIs) read the former database as ``old`` inside the block; nobody may write to it."""
    conn.execute("ATTACH ? AS old", (f"{path.absolute().as_uri()}?mode=ro&immutable=1",))
    try:
        yield
    finally:
        if conn.in_transaction:  # it failed: the copy is thrown away
            conn.execute("ROLLBACK")
        conn.execute("DETACH old")


def learn(conn: sqlite3.Connection) -> None:
    """Take over what the former database knows, in a transaction inside ``former``.

    The journal is to be folded after, which settles and books what neither had folded yet; then ``learnt`` tells.
    """
    numbers = {**_NUMBERS, "later": int(_goes_on(conn))}
    for script in _ALWAYS:
        _run(conn, script, numbers)
    for table, script in _IF_KNOWN:
        if _has(conn, table):
            _run(conn, script, numbers)
    if _has(conn, "conversations"):
        gone = "SELECT id FROM taken_away WHERE hidden = ?1 AND before IS NOT ?1"
        for (inbox_id,) in conn.execute(gone, (InboxHiding.DELETED,)).fetchall():
            note_deleted(conn, inbox_id)


def learnt(conn: sqlite3.Connection) -> Learnt:
    """Return what learn() found, in the same transaction."""
    ended = "SELECT count(*) FROM known JOIN messages USING (id) WHERE state >= ?"
    return Learnt(
        ended=conn.execute(ended, (MessageState.SENT,)).fetchone()[0],
        left_messages=_left(conn, "messages", "created_at"),
        left_inbox=_left(conn, "inbox", "received_at"),
    )


def former_head(conn: sqlite3.Connection) -> str:
    """Return the hash of the former database's last audit entry, in the same transaction."""
    return audit.head(conn, "old").hex()


def _goes_on(conn: sqlite3.Connection) -> bool:
    """Return whether the former database is what became of the backup: its audit log goes on from the backup's."""
    head = audit.head(conn)
    if head == audit.FIRST:
        return True
    return (
        _has(conn, "audit") and conn.execute("SELECT 1 FROM old.audit WHERE hash = ?", (head,)).fetchone() is not None
    )


def _has(conn: sqlite3.Connection, table: str) -> bool:
    query = "SELECT 1 FROM old.sqlite_master WHERE type = 'table' AND name = ?"
    return conn.execute(query, (table,)).fetchone() is not None


def _run(conn: sqlite3.Connection, script: str, numbers: Mapping[str, int]) -> None:
    for statement in split_statements((resources.files("modembank.backup") / script).read_text("utf-8")):
        conn.execute(statement, numbers)


def _left(conn: sqlite3.Connection, table: str, time: str) -> int:
    same = f"SELECT 1 FROM main.{table} m WHERE m.id = o.id AND m.{time} = o.{time}"  # noqa: S608 - constants
    query = f"SELECT count(*) FROM old.{table} o WHERE NOT EXISTS ({same})"  # noqa: S608 - constants
    found: int = conn.execute(query).fetchone()[0]
    return found
