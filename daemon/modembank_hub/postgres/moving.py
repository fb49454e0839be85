"""Moving a hub from its SQLite file into an empty database at a server: all rows, in one transaction, or none."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from modembank.errors import ModembankError
from modembank.store import StoreError
from modembank.store.opening import open_owned
from modembank_hub.postgres.driver import Connection, Target, connect
from modembank_hub.postgres.schema import VERSION_NOTE, migrate
from modembank_hub.schema import HUB

_NOTES = "box"
"""The table in which each store has notes of its own; the schema's number stays what it is there."""


class NothingToMove(ModembankError):
    """There is no file."""

    key = "nothing_to_move"
    template = "there is no database {path}: name the folder of the hub that is to move as data_dir under [hub]"


class NotEmpty(StoreError):
    """The database at the server has rows: nothing is changed."""

    key = "not_empty"
    template = (
        "the database {server} holds {count} rows in {table} already, and nothing was moved: make an empty one"
        " (dropdb, createdb), or run the hub on what is there"
    )


class NotMoved(StoreError):
    """Something in a table is not taken by the server: nothing is changed."""

    key = "not_moved"
    template = "nothing was moved: table {table} is not taken by {server}: {detail}"


def move(source: Path, target: Target, now_ms: int, told: Callable[[str, int], None]) -> int:
    """Copy every row; return how many. ``told`` hears of each table when its rows are copied, before the commit.

    The file is brought to the newest schema first, as a start of the hub would, and stays as it is from there on.
    Raises NothingToMove, StoreBusy (a hub runs on it), NotEmpty, NotMoved, and what opening either raises.
    """
    if not source.is_file():
        raise NothingToMove(path=source)
    opened = open_owned(source, now_ms, schema=HUB)
    with contextlib.ExitStack() as undo:
        undo.callback(opened.close, opened.last_id)
        conn = connect(target)
        undo.callback(conn.close)
        try:
            migrate(conn, target)
            conn.execute("BEGIN")
            _check_empty(conn, target)
            count = sum(_copy_all(opened.connection, conn, target, told))
            _go_on_counting(conn)
            conn.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(detail=str(error)) from error
    return count


def tables_of(source: sqlite3.Connection) -> list[str]:
    """Return the tables in the order in which they were made: what refers to another comes after it."""
    rows = source.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    return [row[0] for row in rows]


def columns_of(source: sqlite3.Connection, table: str) -> list[str]:
    """Return a table's columns in their order."""
    return [row[0] for row in source.execute("SELECT name FROM pragma_table_info(?) ORDER BY cid", (table,))]


def _check_empty(conn: Connection, target: Target) -> None:
    names = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1").fetchall()
    for (table,) in names:
        if table == _NOTES:
            continue
        conn.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")  # who writes there meanwhile waits
        row = conn.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - the schema's own names
        if row is not None and row[0]:
            raise NotEmpty(server=target.name, table=table, count=row[0])


def _copy_all(
    source: sqlite3.Connection, conn: Connection, target: Target, told: Callable[[str, int], None]
) -> Iterator[int]:
    for table in tables_of(source):
        columns = columns_of(source, table)
        rows = source.execute(f"SELECT {', '.join(columns)} FROM {table}")  # noqa: S608 - the schema's own names
        try:
            if table == _NOTES:
                count = _copy_notes(conn, rows)
            else:
                count = conn.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN", rows)
        except sqlite3.Error as error:
            raise NotMoved(table=table, server=target.name, detail=str(error)) from error
        told(table, count)
        yield count


def _copy_notes(conn: Connection, rows: sqlite3.Cursor) -> int:
    notes = [row for row in rows if row[0] != VERSION_NOTE]
    conn.executemany(
        "INSERT INTO box (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", notes
    )
    return len(notes)


def _go_on_counting(conn: Connection) -> None:
    """Let each table's numbers go on after the greatest that was copied."""
    counted: list[tuple[Any, ...]] = conn.execute(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND is_identity = 'YES'"
    ).fetchall()
    for table, column in counted:
        conn.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), coalesce(max({column}), 0) + 1, false)"  # noqa: S608
            f" FROM {table}"
        )
