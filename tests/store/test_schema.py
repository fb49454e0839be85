"""Migrations: all or nothing at every statement, with a backup, never downwards."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modembank.store import ForeignDatabase, MigrationFailed, SchemaTooNew, SchemaTooOld, Store, StoreCorrupt
from modembank.store.opening import open_owned
from modembank.store.schema import (
    APPLICATION_ID,
    BACKUPS_KEPT,
    Migration,
    known_migrations,
    migrate,
    split_statements,
)

DAEMON = Path(__file__).resolve().parents[2] / "daemon"
SECOND = Migration(
    2,
    "0002_test.sql",
    (
        "CREATE TABLE extra (id INTEGER PRIMARY KEY, note TEXT)",
        "ALTER TABLE routes ADD COLUMN colour TEXT",
        "UPDATE routes SET colour = 'blue'",
        "CREATE TABLE routes_new (id INTEGER PRIMARY KEY, spec TEXT NOT NULL UNIQUE, colour TEXT)",
        "INSERT INTO routes_new SELECT * FROM routes",
        "DROP TABLE routes",
        "ALTER TABLE routes_new RENAME TO routes",
        "INSERT INTO extra (note) SELECT spec FROM routes",
    ),
)


def content(connection):
    """Return everything the database says of itself and holds, in words."""
    pragmas = [connection.execute(f"PRAGMA {name}").fetchone() for name in ("user_version", "application_id")]
    return [*pragmas, *connection.iterdump()]


@pytest.fixture
def connection():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    yield connection
    connection.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "box.db"


def filled(path):
    """Make a database of version 1 with a few rows."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    migrate(connection, path, known_migrations()[:1], 1)
    connection.execute("INSERT INTO routes (spec) VALUES ('a'), ('b'), ('c')")
    return connection


def broken_at(migration, place):
    statements = (*migration.statements[:place], "INSERT INTO no_such_table VALUES (1)", *migration.statements[place:])
    return msgspec.structs.replace(migration, statements=statements)


def test_the_known_migrations_are_numbered_from_one_without_gaps():
    known = known_migrations()
    assert [migration.number for migration in known] == list(range(1, len(known) + 1))
    assert known[0].name == "0001_core.sql"


def test_a_fresh_database_reaches_the_newest_version_without_a_backup(path):
    opened = open_owned(path, 1)
    assert opened.connection.execute("PRAGMA user_version").fetchone() == (len(known_migrations()),)
    assert opened.connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    opened.close(0)
    assert list(path.parent.glob("*.bak")) == []


@pytest.mark.parametrize("place", range(len(known_migrations()[0].statements) + 1))
def test_the_first_schema_is_undone_whole_when_it_fails_at_any_statement(connection, place):
    before = content(connection)
    with pytest.raises(MigrationFailed, match="no_such_table"):
        migrate(connection, Path("box.db"), [broken_at(known_migrations()[0], place)], 1)
    assert content(connection) == before
    assert not connection.in_transaction
    migrate(connection, Path("box.db"), known_migrations(), 1)


@pytest.mark.parametrize("place", range(len(SECOND.statements) + 1))
def test_a_later_migration_is_undone_whole_when_it_fails_at_any_statement(path, place):
    connection = filled(path)
    before = content(connection)
    with pytest.raises(MigrationFailed):
        migrate(connection, path, [*known_migrations()[:1], broken_at(SECOND, place)], 2)
    assert content(connection) == before
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    migrate(connection, path, [*known_migrations()[:1], SECOND], 3)
    assert connection.execute("SELECT note FROM extra").fetchall() == [("a",), ("b",), ("c",)]
    connection.close()


def test_a_process_killed_inside_a_migration_leaves_the_old_version(path):
    filled(path).close()
    code = (
        "import os, signal, sqlite3, sys, pathlib\n"
        "from modembank.store.schema import Migration, known_migrations, migrate\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "connection = sqlite3.connect(path, isolation_level=None)\n"
        "connection.create_function('die', 0, lambda: os.kill(os.getpid(), signal.SIGKILL))\n"
        "second = Migration(2, 'x', ('CREATE TABLE extra (x)', 'DELETE FROM routes', 'SELECT die()'))\n"
        "migrate(connection, path, [*known_migrations()[:1], second], 2)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**os.environ, "PYTHONPATH": str(DAEMON)},
        check=False,
        capture_output=True,
    )
    assert run.returncode == -9, run.stderr
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert connection.execute("SELECT count(*) FROM routes").fetchone() == (3,)
    assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'extra'").fetchone() == (0,)
    connection.close()


def test_the_backup_before_a_migration_can_be_opened_by_the_old_release(path):
    connection = filled(path)
    migrate(connection, path, [*known_migrations()[:1], SECOND], 1234)
    connection.close()
    (backup,) = path.parent.glob("*.bak")
    assert backup.name == "box.db.before-0002-1234.bak"
    backup.rename(path.with_name("restored.db"))
    opened = open_owned(path.with_name("restored.db"), 1, known_migrations()[:1])
    assert opened.connection.execute("SELECT count(*) FROM routes").fetchone() == (3,)
    assert opened.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    opened.close(0)


def test_only_the_newest_backups_stay(path):
    connection = filled(path)
    for turn in range(BACKUPS_KEPT + 3):
        connection.execute("PRAGMA user_version = 1")
        nothing = Migration(2, "0002_nothing.sql", ("SELECT 1",))
        migrate(connection, path, [*known_migrations()[:1], nothing], 900 + turn * 60)
    connection.close()
    times = sorted(int(backup.name.split("-")[-1].split(".")[0]) for backup in path.parent.glob("*.bak"))
    assert times == [900 + turn * 60 for turn in range(3, BACKUPS_KEPT + 3)]


def test_a_backup_that_cannot_be_made_stops_the_migration(path):
    connection = filled(path)
    before = content(connection)
    path.with_name("box.db.before-0002-7.bak.tmp").mkdir()
    with pytest.raises((MigrationFailed, OSError)):
        migrate(connection, path, [*known_migrations()[:1], SECOND], 7)
    assert content(connection) == before
    connection.close()


def test_rows_without_parents_undo_a_migration(path):
    connection = filled(path)
    orphaning = Migration(
        2,
        "0002_orphan.sql",
        ("INSERT INTO api_keys (user_id, public_id, secret_sha256, scopes, created_at) VALUES (9, 'p', x'', '[]', 1)",),
    )
    with pytest.raises(MigrationFailed, match="without parents"):
        migrate(connection, path, [*known_migrations()[:1], orphaning], 1)
    assert connection.execute("SELECT count(*) FROM api_keys").fetchone() == (0,)
    connection.close()


def test_a_newer_schema_is_refused_untouched(path):
    connection = filled(path)
    connection.execute("PRAGMA user_version = 99")
    before = content(connection)
    with pytest.raises(SchemaTooNew, match="schema 99"):
        migrate(connection, path, known_migrations(), 1)
    assert content(connection) == before
    connection.close()


async def test_story_34_an_older_release_refuses_and_says_what_to_do(path):
    store = await Store.open(path)
    await store.write(lambda c: c.execute("PRAGMA user_version = 99").fetchone())
    with pytest.raises(SchemaTooNew, match="install the newer release or restore a backup"):
        await Store.open(path, beside=True)
    await store.close()
    with pytest.raises(SchemaTooNew):
        await Store.open(path)


async def test_a_tool_refuses_a_schema_only_the_daemon_may_migrate(path):
    store = await Store.open(path)
    await store.write(lambda c: c.execute("PRAGMA user_version = 0").fetchone())
    with pytest.raises(SchemaTooOld, match="restart the daemon"):
        await Store.open(path, beside=True)
    await store.close()


def test_a_damaged_page_is_found_by_the_backup_and_the_file_kept(path):
    connection = filled(path)
    connection.executemany("INSERT INTO routes (spec) VALUES (?)", [(f"{'x' * 500}{n}",) for n in range(500)])
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    damaged = bytearray(path.read_bytes())
    for page in range(len(damaged) // 4096 - 40, len(damaged) // 4096):
        damaged[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    path.write_bytes(damaged)
    with pytest.raises(StoreCorrupt):
        open_owned(path, 1, [*known_migrations()[:1], SECOND])
    assert path.read_bytes()[100:] == bytes(damaged[100:])
    assert list(path.parent.glob("*.bak*")) == []


def test_a_foreign_version_number_is_not_taken_for_ours(connection):
    connection.execute("PRAGMA user_version = 1")
    with pytest.raises(ForeignDatabase):
        migrate(connection, Path("box.db"), known_migrations(), 1)


TRICKY = """
-- a comment; with a semicolon
CREATE TABLE a (x TEXT DEFAULT ';'); /* another; */ CREATE TABLE b (y);
CREATE TRIGGER t AFTER INSERT ON a BEGIN
  INSERT INTO b VALUES (';');
  DELETE FROM b WHERE y = 'end;';
END;
INSERT INTO a VALUES ('it''s; fine');
"""


def test_statements_are_split_at_their_true_ends(connection):
    statements = list(split_statements(TRICKY))
    assert len(statements) == 4
    for statement in statements:
        connection.execute(statement)
    assert connection.execute("SELECT x FROM a").fetchall() == [("it's; fine",)]


def test_a_script_that_ends_in_the_middle_is_an_error():
    with pytest.raises(ValueError, match="does not end"):
        list(split_statements("CREATE TABLE a (x); CREATE TABLE b (y"))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), max_size=5))
@settings(max_examples=60)
def test_splitting_keeps_every_value(values):
    script = "CREATE TABLE a (x);" + "".join(
        "INSERT INTO a VALUES ('{}');\n".format(value.replace("'", "''")) for value in values
    )
    connection = sqlite3.connect(":memory:")
    for statement in split_statements(script):
        connection.execute(statement)
    assert [row[0] for row in connection.execute("SELECT x FROM a")] == values
    connection.close()
