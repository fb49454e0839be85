"""Where the notes of forwards are kept: as JSON among what the box notes of itself, a row for each address.

Every function runs inside one transaction of the connection it is given.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

import msgspec

from modembank.eventlog import log
from modembank.mail.model import Note

_PREFIX = "mail_forward:"
_LIKE = f"{_PREFIX}%"


def read(conn: sqlite3.Connection, name: str) -> Note | None:
    """Return how far an address has been told, or None when it is new."""
    row = conn.execute("SELECT value FROM box WHERE name = ?", (_PREFIX + name,)).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=Note)


def write(conn: sqlite3.Connection, name: str, note: Note) -> None:
    """Keep how far an address has been told."""
    conn.execute(
        "INSERT INTO box (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_PREFIX + name, msgspec.json.encode(note).decode()),
    )


def names(conn: sqlite3.Connection) -> set[str]:
    """Return of which addresses there are notes."""
    return {row[0].removeprefix(_PREFIX) for row in conn.execute("SELECT name FROM box WHERE name LIKE ?", (_LIKE,))}


def begin(conn: sqlite3.Connection, wanted: Collection[str]) -> None:
    """Have notes of these addresses and no others: a new one is told what comes from now on."""
    known = names(conn)
    conn.executemany("DELETE FROM box WHERE name = ?", [(_PREFIX + name,) for name in known - set(wanted)])
    place = log.latest(conn)
    for name in set(wanted) - known:
        write(conn, name, Note(place))


def needed_after(conn: sqlite3.Connection) -> int | None:
    """Return after which event some address needs them, or None."""
    rows = conn.execute("SELECT value FROM box WHERE name LIKE ?", (_LIKE,))
    notes = [msgspec.json.decode(row[0], type=Note) for row in rows]
    return min((min([note.place, *(retry.event_id - 1 for retry in note.aside)]) for note in notes), default=None)
