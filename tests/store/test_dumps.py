"""Every schema that was ever released can be gone on from: migrated, again and again, with nothing lost."""

import asyncio

import pytest

from fakes.databases import DUMPS, NOW, change, content, load_dump, make_empty, opener_of_copies, problem_of, rows
from modembank.bus import Bus
from modembank.clock import SystemClock
from modembank.messages import MessageState
from modembank.messages.outbox import Outbox
from modembank.metrics import Metrics
from modembank.store import Store
from modembank.store.opening import open_owned
from modembank.store.schema import known_migrations


def test_the_first_schema_has_its_dump():
    assert DUMPS[0].name == "schema-0001.sql"


@pytest.mark.parametrize("dump", DUMPS, ids=lambda path: path.stem)
def test_story_34_a_released_schema_migrates_and_opens_again_and_again(tmp_path, dump):
    path = load_dump(tmp_path / "box.db", dump)
    columns = ", ".join(name for _, name, *_ in rows(path, "PRAGMA table_info(messages)"))
    kept = rows(path, f"SELECT {columns} FROM messages ORDER BY id")
    assert {state for (state,) in rows(path, "SELECT DISTINCT state FROM messages")} == set(MessageState)
    assert problem_of(path) is None
    for _ in range(2):
        opened = open_owned(path, NOW)
        assert opened.connection.execute("PRAGMA user_version").fetchone() == (len(known_migrations()),)
        opened.close(opened.last_id)
        assert problem_of(path) is None
        assert rows(path, f"SELECT {columns} FROM messages ORDER BY id") == kept
    (accepted,) = rows(path, "SELECT n FROM state_counts WHERE state = 0")
    assert accepted == (len(kept),)


@pytest.mark.parametrize("dump", DUMPS, ids=lambda path: path.stem)
async def test_story_34_a_released_schema_recovers_what_was_under_way(tmp_path, dump):
    path = load_dump(tmp_path / "box.db", dump)
    store = await Store.open(path)
    report = await Outbox(store, Bus(), SystemClock(), Metrics()).recover()
    await store.close()
    assert (report.folded, report.interrupted, report.held, report.resending) == (5, 2, 1, 1)
    states = dict(await asyncio.to_thread(rows, path, "SELECT id, state FROM messages"))
    assert states[4] == MessageState.UNKNOWN
    assert states[5] == MessageState.SENT
    assert states[7] == MessageState.SENDING
    assert states[8] == MessageState.DELIVERED
    assert problem_of(path) is None


def test_the_copy_that_other_tests_begin_with_is_a_migrated_database(tmp_path):
    copied, migrated = tmp_path / "copied.db", tmp_path / "migrated.db"
    opener_of_copies(make_empty(tmp_path / "empty.db"))(copied, NOW).close(0)
    open_owned(migrated, NOW).close(0)
    assert copied.read_bytes() == migrated.read_bytes()


def test_the_law_is_seen_to_be_broken(tmp_path):
    path = load_dump(tmp_path / "box.db")
    before = content(path)
    change(path, "DELETE FROM messages WHERE id = 3")
    assert problem_of(path) == "3 messages were counted as queued, 2 are there"
    assert content(path) != before
