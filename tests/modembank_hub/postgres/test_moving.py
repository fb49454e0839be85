"""A hub that people have worked with moves from its file into a database at a server, with everything or not at all."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from fakes.databases import load_dump
from fakes.lived_in_hub import live_in, running_hub
from modembank.accounts import LOCAL_ADMIN, Role
from modembank.clock import SystemClock
from modembank.store import StoreBusy, StoreError
from modembank.store.schema import known_migrations
from modembank_hub.app import assemble_hub
from modembank_hub.config import HubConfig, IdentityConfig, StoreConfig
from modembank_hub.postgres.driver import connect
from modembank_hub.postgres.moving import NotEmpty, NothingToMove, NotMoved, columns_of, move, tables_of
from modembank_hub.rows_of_boxes import Wanted
from modembank_hub.schema import DATABASE, HUB
from modembankd.cli import main

pytestmark = pytest.mark.postgres
DUMP = Path(__file__).resolve().parents[2] / "databases/hub-schema-0003.sql"


@pytest.fixture
async def lived_in(tmp_path):
    """The folder of a hub that has something in nearly every table, and is not running."""
    async with running_hub(tmp_path) as daemon:
        await live_in(daemon)
    return tmp_path / "hub"


def moved(source, target):
    told = []
    count = move(source, target, 1, lambda table, rows: told.append((table, rows)))
    assert count == sum(rows for _, rows in told)
    return dict(told)


def all_rows(conn, table, columns):
    return sorted(conn.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall(), key=repr)


async def test_every_row_of_every_table_is_there_afterwards(lived_in, target):
    source = lived_in / DATABASE
    told = moved(source, target)
    conn = connect(target)
    with closing(sqlite3.connect(source)) as lite:
        tables = tables_of(lite)
        assert set(told) == set(tables)
        full = 0
        for table in tables:
            columns = columns_of(lite, table)
            before = all_rows(lite, table, columns)
            after = all_rows(conn, table, columns)
            if table == "box":
                after = [row for row in after if row[0] != "hub_schema"]
            assert after == before, table
            assert told[table] == len(before)
            full += bool(before)
        assert full >= 22
    conn.close()


async def test_the_hub_goes_on_there(lived_in, target):
    moved(lived_in / DATABASE, target)
    config = HubConfig(hub=IdentityConfig(data_dir=str(lived_in)), store=StoreConfig(url=target.url))
    app = await assemble_hub(config, SystemClock())
    try:
        assert len((await app.fleet.listed(LOCAL_ADMIN, Wanted())).items) == 12
        before = (await app.orders.list(LOCAL_ADMIN)).items[0]
        given = await app.orders.give(LOCAL_ADMIN, "leeds", "b1", "ping", {})  # the number is a new one
        assert given.n == before.n + 1
        await app.accounts.add_user(LOCAL_ADMIN, "grace", Role.SENDER)
        assert (await app.audit.verify(LOCAL_ADMIN)).ok  # the chain goes on from what was moved
    finally:
        await app.store.close()


async def test_a_database_that_is_not_empty_is_refused_and_stays_as_it_is(lived_in, target):
    conn = connect(target)
    conn.execute("INSERT INTO users (name, role, created_at) VALUES ('eve', 'admin', 1)")
    with pytest.raises(NotEmpty, match=r"holds 1 rows in users already, and nothing was moved: make an empty one"):
        moved(lived_in / DATABASE, target)
    assert conn.execute("SELECT count(*) FROM boxes").fetchone() == (0,)
    conn.execute("DELETE FROM users")
    moved(lived_in / DATABASE, target)
    with pytest.raises(NotEmpty):  # nor a second time
        moved(lived_in / DATABASE, target)
    conn.close()


async def test_what_the_server_does_not_take_moves_nothing(lived_in, target):
    """Names that differ by the case of a letter beyond ASCII are two for SQLite, and one for PostgreSQL."""
    with closing(sqlite3.connect(lived_in / DATABASE)) as lite, lite:
        for name in ("Örn", "örn"):
            lite.execute("INSERT INTO users (name, role, created_at) VALUES (?, 'sender', 1)", (name,))
    with pytest.raises(NotMoved, match=r"nothing was moved: table users is not taken by .*rn"):
        moved(lived_in / DATABASE, target)
    conn = connect(target)
    assert conn.execute("SELECT count(*) FROM users").fetchone() == (0,)
    conn.close()


async def test_a_hub_that_runs_is_not_moved(tmp_path, target):
    async with running_hub(tmp_path):
        with pytest.raises(StoreBusy):
            moved(tmp_path / "hub" / DATABASE, target)


async def test_a_server_that_goes_away_meanwhile_is_told(lived_in, target, monkeypatch):
    conn = connect(target)

    def cut(name, rows):
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    with pytest.raises(StoreError):
        move(lived_in / DATABASE, target, 1, cut)
    assert conn.execute("SELECT count(*) FROM boxes").fetchone() == (0,)
    conn.close()


def test_a_file_of_an_older_release_is_migrated_first(tmp_path, target):
    path = load_dump(tmp_path / DATABASE, DUMP)
    assert moved(path, target)["boxes"] == 2
    assert list(tmp_path.glob("*.bak"))  # as every migration makes one


def test_where_there_is_no_file_there_is_nothing_to_move(tmp_path, target):
    with pytest.raises(NothingToMove, match=r"there is no database .*: name the folder .* as data_dir"):
        moved(tmp_path / DATABASE, target)


async def test_the_command_says_what_it_did(lived_in, target, tmp_path):
    conf = tmp_path / "moving.toml"
    conf.write_text(f'[hub]\ndata_dir = "{lived_in}"\n')
    result = CliRunner().invoke(main, ["hub", "move", "--config", str(conf)])
    assert result.exit_code == 1
    assert "has no [store] url: name the database that the hub is to move to" in result.output
    conf.write_text(f'[hub]\ndata_dir = "{lived_in}"\n[store]\nurl = "{target.url}"\n')
    result = CliRunner().invoke(main, ["hub", "move", "--config", str(conf)])
    assert result.exit_code == 0, result.output
    assert "  boxes: 12\n" in result.output
    assert f"rows are in {target.name} now. From its next start the hub works there" in result.output
    assert f"{lived_in / DATABASE} is kept." in result.output
    result = CliRunner().invoke(main, ["hub", "move", "--config", str(conf)])
    assert result.exit_code == 1
    assert "nothing was moved: make an empty one" in result.output


def test_tables_are_copied_after_those_that_they_refer_to():
    with closing(sqlite3.connect(":memory:")) as lite:
        for migration in known_migrations(HUB):
            for statement in migration.statements:
                lite.execute(statement)
        order = tables_of(lite)
        for table in order:
            for row in lite.execute('SELECT "table" FROM pragma_foreign_key_list(?)', (table,)).fetchall():
                assert order.index(row[0]) <= order.index(table)
