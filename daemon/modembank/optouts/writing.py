"""Changing opt-outs inside a transaction of the store, with the event that tells of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from modembank import eventlog
from modembank.optouts.model import ADDED, IMPORTED, REMOVED, REVIEW, Change, Source

_STATE = "SELECT state, changed_at FROM opt_outs WHERE number = ?"
_PUT = (
    "INSERT INTO opt_outs (number, state, changed_at, source, keyword, inbox_id, note, by)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (number) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at,"
    " source = excluded.source, keyword = excluded.keyword, inbox_id = excluded.inbox_id, note = excluded.note,"
    " by = excluded.by"
)


def change(conn: sqlite3.Connection, wanted: Change) -> bool:
    """Put a number out, or in again; False when it is so already (in: also when it never was out)."""
    row = conn.execute(_STATE, (wanted.number,)).fetchone()
    if (row is not None and row[0] == 1) == wanted.out:
        return False
    _put(conn, wanted, row)
    body = {"number": wanted.number, "source": wanted.source.value, "keyword": wanted.keyword}
    _tell(conn, wanted.at, ADDED if wanted.out else REMOVED, wanted.owner, wanted.inbox_id, body)
    return True


def take_in(conn: sqlite3.Connection, changes: Sequence[Change], at: int) -> tuple[str, ...]:
    """Put many numbers out that are not yet, with one event for all; return those that were not."""
    fresh: list[str] = []
    for wanted in changes:
        row = conn.execute(_STATE, (wanted.number,)).fetchone()
        if row is None or row[0] != 1:
            _put(conn, wanted, row)
            fresh.append(wanted.number)
    if fresh:
        _tell(conn, at, IMPORTED, None, None, {"count": len(fresh), "source": Source.IMPORT.value})
    return tuple(fresh)


def ask(conn: sqlite3.Connection, inbox_id: int, number: str, keyword: str, at: int, owner: int | None) -> bool:
    """Put an inbound message before a person; False when it is there already."""
    made = conn.execute(
        "INSERT INTO opt_out_reviews (inbox_id, number, keyword, created_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (inbox_id) DO NOTHING",
        (inbox_id, number, keyword, at),
    )
    if made.rowcount:
        _tell(conn, at, REVIEW, owner, inbox_id, {"number": number, "keyword": keyword})
    return bool(made.rowcount)


def _put(conn: sqlite3.Connection, wanted: Change, before: tuple[int, int] | None) -> None:
    """Of two changes the later one counts, after a restore too: no change is dated before the one it follows."""
    at = wanted.at if before is None else max(wanted.at, before[1] + 1)
    values = (wanted.source.value, wanted.keyword, wanted.inbox_id, wanted.note, wanted.by)
    conn.execute(_PUT, (wanted.number, int(wanted.out), at, *values))


def _tell(
    conn: sqlite3.Connection, at: int, kind: str, owner: int | None, subject: int | None, body: Mapping[str, object]
) -> None:
    eventlog.append(conn, [eventlog.Entry(at, kind, owner, subject, msgspec.json.encode(body).decode())])
