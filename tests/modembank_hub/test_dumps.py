"""A hub's database of a released schema can be gone on from: migrated, again and again, with nothing lost."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fakes.databases import load_dump, rows
from fakes.hubs import ENROLS
from modembank.accounts import LOCAL_ADMIN
from modembank.clock import SystemClock
from modembank.store.schema import known_migrations
from modembank_hub.app import assemble_hub
from modembank_hub.config import HubConfig, IdentityConfig
from modembank_hub.rows_of_boxes import Wanted
from modembank_hub.schema import DATABASE, HUB

DUMPS = sorted((Path(__file__).resolve().parents[1] / "databases").glob("hub-schema-*.sql"))


def test_there_is_one():
    assert [path.name for path in DUMPS] == ["hub-schema-0003.sql"]


@pytest.mark.parametrize("dump", DUMPS, ids=lambda path: path.stem)
async def test_a_released_schema_migrates_and_opens_again_and_again(tmp_path, dump):
    path = load_dump(tmp_path / DATABASE, dump)
    config = HubConfig(hub=IdentityConfig(data_dir=str(tmp_path)), enrolment=ENROLS)
    for run in range(2):
        app = await assemble_hub(config, SystemClock())
        try:
            page = await app.fleet.listed(LOCAL_ADMIN, Wanted())
            assert [(row.name, row.label, row.out_at) for row in page.items] == [
                ("leeds/b1", "Cellar", None), ("leeds/b2", "", None),
            ]  # fmt: skip
            command = await app.orders.get(LOCAL_ADMIN, "019abcde12300001")
            assert (command.state, command.ended_at) == ("waiting", None)
            message, _ = await app.pool.get(LOCAL_ADMIN, "m019abcde12300001")
            assert (message.state, message.text) == ("queued", "Hello")
            assert len((await app.enrolment.tokens(LOCAL_ADMIN)).tokens) == run
            await app.enrolment.make_token(LOCAL_ADMIN, "leeds", "b3")
        finally:
            await app.store.close()
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("PRAGMA user_version").fetchone() == (len(known_migrations(HUB)),)
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert conn.execute("PRAGMA foreign_key_check").fetchall() == []
    assert rows(path, "SELECT site, box, made_at IS NOT NULL FROM enrolment_tokens") == [("leeds", "b3", 1)] * 2
