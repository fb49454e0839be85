"""Databases of released schemas, and the law that each must hold whatever happened to it."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from modembank.backup.checking import find_problem
from modembank.store.opening import connect, open_owned
from modembank.store.schema import BOX, known_migrations, migrate

DUMPS = sorted((Path(__file__).resolve().parents[1] / "databases").glob("schema-*.sql"))
NOW = 1_800_000_000_000
"""Some time in January 2027: after everything in the dumps."""


def load_dump(path, dump=DUMPS[0]):
    """Make the database that a dump is of, as it lay on a disk: with a log."""
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.executescript(dump.read_text("utf-8"))
        conn.execute("PRAGMA journal_mode = WAL").fetchone()
    return path


def make_empty(path):
    """Make a database by all migrations, as it lies there before its first owner has noted anything in it."""
    with closing(connect(path)) as conn:
        migrate(conn, path, known_migrations(), NOW)
    return path


def opener_of_copies(empty):
    """Open as an owner does, but begin a new file as a copy of an empty database: a tenth of a migration's work."""

    def open_copy(path, now_ms, schema=BOX):
        if schema is BOX and not path.exists() and path.parent.is_dir():
            shutil.copyfile(empty, path)
        return open_owned(path, now_ms, schema=schema)

    return open_copy


def load_newest(path, dump=DUMPS[0]):
    """The same, migrated to this release's schema; the migration's own backup is removed."""
    open_owned(load_dump(path, dump), NOW).close(0)
    for old in path.parent.glob("*.bak"):
        old.unlink()
    return path


def rows(path, query, *values):
    with closing(sqlite3.connect(path)) as conn:
        return conn.execute(query, values).fetchall()


def change(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        for statement in statements:
            conn.execute(statement)


def content(path, *without):
    """Everything in it, in words; ``without`` are beginnings of lines that may differ."""
    with closing(sqlite3.connect(path)) as conn:
        version = conn.execute("PRAGMA user_version").fetchone()
        return [version, *(line for line in conn.iterdump() if not line.startswith(without))]


def problem_of(path):
    with closing(sqlite3.connect(path)) as conn:
        return find_problem(conn)
