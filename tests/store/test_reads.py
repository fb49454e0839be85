"""Readers: they see the last commit, one commit at a time, and cannot write."""

import asyncio
import sqlite3
import threading

import pytest

from modembank.store import Store, StoreClosed, StoreError

REFUSED = (sqlite3.OperationalError, StoreError)


@pytest.fixture
async def store(tmp_path):
    store = await Store.open(tmp_path / "box.db")
    await store.write(
        lambda c: c.executemany("INSERT INTO routes (spec) VALUES (?)", [("a",), ("b",), ("c",)]).rowcount
    )
    yield store
    await store.close()


async def test_fetch_all_and_fetch_one(store):
    assert await store.fetch_all("SELECT id, spec FROM routes WHERE id > ? ORDER BY id", (1,)) == [(2, "b"), (3, "c")]
    assert await store.fetch_one("SELECT spec FROM routes WHERE id = :id", {"id": 2}) == ("b",)
    assert await store.fetch_one("SELECT spec FROM routes WHERE id = 99") is None


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO routes (spec) VALUES ('x')",
        "DELETE FROM routes",
        "CREATE TABLE x (y)",
        "PRAGMA user_version = 9",
        "VACUUM",
    ],
)
async def test_readers_cannot_write(store, statement):
    with pytest.raises(REFUSED):
        await store.fetch_all(statement)
    with pytest.raises(REFUSED):
        await store.read(lambda c: c.execute(statement))
    assert await store.fetch_one("SELECT count(*) FROM routes") == (3,)


async def test_not_even_when_they_lift_their_own_ban(store):
    def lift(connection):
        connection.execute("PRAGMA query_only = OFF")
        connection.execute("DELETE FROM routes")

    with pytest.raises(StoreError, match="readonly"):
        await store.read(lift)


async def test_a_read_sees_every_commit_that_was_acknowledged_before_it(store):
    for number in range(100):
        await store.write(lambda c, n=number: c.execute("INSERT INTO routes (spec) VALUES (?)", (f"n{n}",)).rowcount)
        assert await store.fetch_one("SELECT count(*) FROM routes") == (number + 4,)


async def test_all_statements_of_one_read_see_the_same_commit(store):
    first_done, go_on = threading.Event(), threading.Event()

    def count_twice(connection):
        first = connection.execute("SELECT count(*) FROM routes").fetchone()[0]
        first_done.set()
        assert go_on.wait(60)
        return first, connection.execute("SELECT count(*) FROM routes").fetchone()[0]

    reading = asyncio.create_task(store.read(count_twice))
    await asyncio.to_thread(first_done.wait, 60)
    await store.write(lambda c: c.execute("INSERT INTO routes (spec) VALUES ('d')").rowcount)
    go_on.set()
    assert await reading == (3, 3)
    assert await store.fetch_one("SELECT count(*) FROM routes") == (4,)


async def test_an_error_in_a_read_function_reaches_its_caller_and_frees_the_reader(store):
    def failing(connection):
        connection.execute("SELECT 1")
        raise LookupError

    for _ in range(10):
        with pytest.raises(LookupError):
            await store.read(failing)
    assert await store.fetch_one("SELECT 1") == (1,)


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT entered() UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


async def test_a_cancelled_read_is_interrupted_and_its_reader_comes_back(store):
    for _ in range(8):  # more than there are readers
        entered = threading.Event()

        def endless(connection, entered=entered):
            connection.create_function("entered", 0, lambda: entered.set() or 1)
            return connection.execute(ENDLESS).fetchone()

        task = asyncio.create_task(store.read(endless))
        assert await asyncio.to_thread(entered.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(60):
        assert await store.fetch_one("SELECT count(*) FROM routes") == (3,)


async def test_more_reads_than_readers_wait_their_turn(store):
    found = await asyncio.gather(*(store.fetch_one("SELECT ?", (number,)) for number in range(50)))
    assert found == [(number,) for number in range(50)]


async def test_close_waits_for_a_read_under_way(tmp_path):
    store = await Store.open(tmp_path / "two.db")
    entered, go_on = threading.Event(), threading.Event()

    def slow(connection):
        entered.set()
        assert go_on.wait(60)
        return connection.execute("SELECT 42").fetchone()[0]

    reading = asyncio.create_task(store.read(slow))
    await asyncio.to_thread(entered.wait, 60)
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    go_on.set()
    assert await reading == 42
    await closing


@pytest.mark.parametrize("turns", range(12))
async def test_reads_that_wait_when_the_store_closes_are_answered_or_refused_and_never_forgotten(tmp_path, turns):
    store = await Store.open(tmp_path / "box.db")
    reads = [asyncio.create_task(store.fetch_one("SELECT count(*) FROM routes")) for _ in range(40)]
    for _ in range(turns):
        await asyncio.sleep(0)
    await store.close()
    async with asyncio.timeout(20):
        ended = await asyncio.gather(*reads, return_exceptions=True)
    assert {type(result) for result in ended} <= {tuple, StoreClosed}
    with pytest.raises(StoreClosed):
        await store.fetch_one("SELECT 1")
