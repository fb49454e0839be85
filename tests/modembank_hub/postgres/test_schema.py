"""Both schemas are the same; what is of another program or of another release is left alone."""

import asyncio
import re
import sqlite3
from contextlib import closing

import pytest

from modembank.store import MigrationFailed, SchemaTooNew, Store
from modembank.store.schema import known_migrations
from modembank_hub.postgres import schema
from modembank_hub.postgres.driver import connect
from modembank_hub.postgres.errors import NotOurs
from modembank_hub.postgres.moving import columns_of, tables_of
from modembank_hub.postgres.store import SharedStore
from modembank_hub.schema import HUB

pytestmark = pytest.mark.postgres
TYPES = {"INTEGER": "bigint", "TEXT": "text", "BLOB": "bytea", "REAL": "double precision"}


@pytest.fixture
def empty(cluster):
    made = cluster.new_database()
    yield made
    cluster.drop(made)


@pytest.fixture
async def lite(tmp_path):
    await (await Store.open(tmp_path / "hub.sqlite3", schema=HUB)).close()
    with closing(sqlite3.connect(tmp_path / "hub.sqlite3")) as conn:
        yield conn


async def test_both_stores_have_the_same_tables_and_columns(lite, target):
    conn = connect(target)
    found = conn.execute(
        "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
        " WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
    ).fetchall()
    conn.close()
    wanted = [
        (table, name, TYPES[kind], "NO" if needed or key else "YES")
        for table in sorted(tables_of(lite))
        for name, kind, needed, key in lite.execute(
            'SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (table,)
        )
    ]
    assert found == wanted
    assert len({row[0] for row in found}) == 41


async def test_both_stores_have_the_same_keys_and_indexes(lite, target):
    conn = connect(target)
    named = conn.execute(
        "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"
        " AND indexname !~ '_(pkey|key)$' ORDER BY 1"
    ).fetchall()
    unique = conn.execute(
        "SELECT c.relname, count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n"
        " ON n.oid = c.relnamespace WHERE i.indisunique AND n.nspname = current_schema() GROUP BY 1 ORDER BY 1"
    ).fetchall()
    references = conn.execute(
        "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"
    ).fetchone()
    conn.close()
    query = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1"
    assert named == lite.execute(query).fetchall()
    keys = {}
    for table in tables_of(lite):
        lists = lite.execute('SELECT origin, "unique" FROM pragma_index_list(?)', (table,)).fetchall()
        by_row = not any(origin == "pk" for origin, _ in lists)  # INTEGER PRIMARY KEY has no index of its own
        keys[table] = sum(unique_ for _, unique_ in lists) + by_row
    assert dict(unique) == keys
    counted = [
        lite.execute("SELECT count(DISTINCT id) FROM pragma_foreign_key_list(?)", (one,)) for one in tables_of(lite)
    ]
    assert references == (sum(one.fetchone()[0] for one in counted),)


def test_the_script_is_of_the_number_that_sqlite_is_at():
    steps = schema.known_steps()
    assert steps[0].number == 6  # from here on each has a step of its own, as SQLite has
    assert steps[-1].number == len(known_migrations(HUB))
    assert [step.name for step in steps[1:]] == [one.name for one in known_migrations(HUB)[6:]]


def test_an_empty_database_is_made_ours_and_opened_again(empty):
    for _ in range(2):
        conn = connect(empty)
        schema.migrate(conn, empty)
        assert schema.version_of(conn, empty) == schema.known_steps()[-1].number
        conn.close()


async def test_several_that_start_at_once_make_it_once(empty):
    opened = await asyncio.gather(*(SharedStore.open_at(empty) for _ in range(3)))
    for store in opened:
        assert await store.fetch_one("SELECT count(*) FROM boxes") == (0,)
        await store.close()


def test_a_database_with_other_tables_is_left_alone(empty):
    conn = connect(empty)
    conn.execute("CREATE TABLE box (name TEXT, value TEXT)")
    for _ in range(2):
        with pytest.raises(NotOurs, match=r"not those of a hub: make an empty one for it \(createdb\)"):
            schema.migrate(conn, empty)
        assert conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall() == [("box",)]
        conn.execute("INSERT INTO box VALUES ('epoch', '0')")
    conn.close()


async def test_a_database_of_a_newer_release_is_refused(target):
    conn = connect(target)
    conn.execute("UPDATE box SET value = '99' WHERE name = 'hub_schema'")
    with pytest.raises(SchemaTooNew, match=r"has schema 99, this release knows up to .*: install the newer release"):
        await SharedStore.open_at(target)
    conn.execute("UPDATE box SET value = ? WHERE name = 'hub_schema'", (str(schema.known_steps()[-1].number),))
    conn.close()


def test_a_step_that_fails_changes_nothing(empty, monkeypatch):
    (first, *_) = schema.known_steps()
    bad = schema.Step(
        first.number + 1, "0007_bad.sql", "CREATE TABLE more (n BIGINT);\nINSERT INTO nowhere VALUES (1);"
    )
    conn = connect(empty)
    schema.migrate(conn, empty)
    monkeypatch.setattr(schema, "known_steps", lambda: (first, bad))
    with pytest.raises(MigrationFailed, match=r"migration 7 of .* was undone: .*nowhere"):
        schema.migrate(conn, empty)
    assert schema.version_of(conn, empty) == first.number
    assert conn.execute("SELECT to_regclass('more') IS NULL").fetchone() == (1,)
    good = schema.Step(first.number + 1, "0007_good.sql", "CREATE TABLE more (n BIGINT);")
    monkeypatch.setattr(schema, "known_steps", lambda: (first, good))
    schema.migrate(conn, empty)
    assert schema.version_of(conn, empty) == first.number + 1
    conn.close()


def test_texts_are_in_the_order_of_their_octets_whatever_the_database_says():
    (first, *_) = schema.known_steps()
    lines = [line.split("--")[0] for line in first.script.splitlines()]
    columns = [line for line in lines if re.match(r"\s+\w+\s+TEXT\b", line)]
    assert len(columns) > 100
    assert not [line for line in columns if 'COLLATE "C"' not in line and "COLLATE nocase" not in line]


async def test_columns_are_listed_in_their_order(lite):
    assert columns_of(lite, "events")[:3] == ["stream_id", "seq", "received_at"]
