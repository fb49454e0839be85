"""What the database that is set aside knows and the backup does not: what SIMs sent since, and what became of messages.

It is asked only when it is sound. It never makes a SIM's usage smaller, nor a message's state, and never forgets an
opt-out; whatever it leaves open
is left to the hold. Messages that the backup does not have stay behind with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from modembank import audit
from modembank.messages.model import MessageState
from modembank.store.schema import split_statements

_IF_KNOWN = (("opt_outs", "learning_opt_outs.sql"),)
"""What is learnt of tables that a database of an older release does not have."""


@dataclass(frozen=True, slots=True)
class Learnt:
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
    _run(conn, "learning.sql")
    for table, script in _IF_KNOWN:
        if conn.execute("SELECT 1 FROM old.sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone():
            _run(conn, script)


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


def _run(conn: sqlite3.Connection, script: str) -> None:
    for statement in split_statements((resources.files("modembank.backup") / script).read_text("utf-8")):
        conn.execute(statement)


def _left(conn: sqlite3.Connection, table: str, time: str) -> int:
    same = f"SELECT 1 FROM main.{table} m WHERE m.id = o.id AND m.{time} = o.{time}"  # noqa: S608 - constants
    query = f"SELECT count(*) FROM old.{table} o WHERE NOT EXISTS ({same})"  # noqa: S608 - constants
    found: int = conn.execute(query).fetchone()[0]
    return found
