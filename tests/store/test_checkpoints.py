"""Checkpoints: the writer's own, in steps, never while a small tool writes."""

import asyncio
import sqlite3
import threading
from contextlib import closing

import pytest

from modembank.store import Store, checkpoints, opening
from modembank.store.checkpoints import Checkpointer
from modembank.store.lock import TurnLock
from modembank.store.opening import connect, open_owned


@pytest.fixture
def opened(tmp_path):
    opened = open_owned(tmp_path / "box.db", 1)
    yield opened
    opened.close(0)


def write_pages(opened, pages):
    """Commit one transaction of about so many pages."""
    connection = opened.connection
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "INSERT INTO quarantine (sim_id, slot, raw, reason, received_at) VALUES (1, 's', ?, 'r', 1)",
        ("x" * (pages * 4080),),
    )
    connection.execute("COMMIT")
    opened.checkpoints.committed()


def test_small_commits_gather_without_a_checkpoint(opened):
    for _ in range(20):
        write_pages(opened, 2)
        opened.checkpoints.after_commit(urgent_waits=False)
    assert opened.checkpoints.done == 0


def test_a_step_is_made_when_enough_pages_have_gathered(opened):
    write_pages(opened, checkpoints.STEP_PAGES + 10)
    opened.checkpoints.after_commit(urgent_waits=False)
    assert opened.checkpoints.done == 1


def test_an_urgent_write_goes_first_until_there_are_too_many_pages(opened):
    write_pages(opened, checkpoints.STEP_PAGES + 10)
    opened.checkpoints.after_commit(urgent_waits=True)
    assert opened.checkpoints.done == 0
    for _ in range(8):
        write_pages(opened, checkpoints.STEP_PAGES)
    opened.checkpoints.after_commit(urgent_waits=True)
    assert opened.checkpoints.done == 1


def test_an_idle_box_checkpoints_what_is_worth_it_and_then_rests(opened):
    opened.checkpoints.when_idle()
    assert opened.checkpoints.done == 0
    write_pages(opened, checkpoints.STEP_PAGES // 2)
    opened.checkpoints.when_idle()
    opened.checkpoints.when_idle()
    assert opened.checkpoints.done == 1


def test_the_log_is_used_again_and_does_not_grow(opened, tmp_path):
    log = tmp_path / "box.db-wal"
    sizes = []
    for _ in range(12):
        write_pages(opened, checkpoints.STEP_PAGES)
        opened.checkpoints.after_commit(urgent_waits=False)
        sizes.append(log.stat().st_size)
    assert max(sizes) < 3 * checkpoints.STEP_PAGES * 4120
    assert opened.checkpoints.done >= 5


def test_a_log_that_a_reader_made_huge_is_cut_when_the_reader_is_gone(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "_TRUNCATE_OCTETS", 1 << 20)
    reader = sqlite3.connect(tmp_path / "box.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM quarantine").fetchone()
    for _ in range(3):
        write_pages(opened, checkpoints.STEP_PAGES + 10)
        opened.checkpoints.after_commit(urgent_waits=False)
    log = tmp_path / "box.db-wal"
    assert log.stat().st_size > 10 << 20
    reader.execute("ROLLBACK")
    reader.close()
    write_pages(opened, checkpoints.STEP_PAGES + 10)
    opened.checkpoints.after_commit(urgent_waits=False)
    assert log.stat().st_size == 0


def test_no_checkpoint_while_a_small_tool_writes(opened, tmp_path):
    tool = TurnLock(tmp_path / "box.db")
    with tool.held(wait=True):
        write_pages(opened, checkpoints.STEP_PAGES + 10)
        opened.checkpoints.after_commit(urgent_waits=False)
        assert opened.checkpoints.done == 0
    opened.checkpoints.after_commit(urgent_waits=False)
    assert opened.checkpoints.done == 1
    tool.close()


def test_a_small_tool_waits_for_a_checkpoint_under_way(tmp_path):
    path = tmp_path / "box.db"
    daemon, tool = TurnLock(path), TurnLock(path)
    entered = threading.Event()

    def write():
        with tool.held(wait=True):
            entered.set()

    with daemon.held(wait=False) as held:
        assert held
        thread = threading.Thread(target=write)
        thread.start()
        assert not entered.wait(0.05)  # true at any length: the lock is ours
    assert entered.wait(60)
    thread.join()
    daemon.close()
    tool.close()


def test_a_connection_never_checkpoints_by_itself(tmp_path):
    open_owned(tmp_path / "box.db", 1).close(0)
    connection = connect(tmp_path / "box.db")
    assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    connection.close()


def test_a_failing_checkpoint_is_survived(opened, tmp_path):
    closed = sqlite3.connect(":memory:")
    closed.close()
    failing = Checkpointer(closed, tmp_path / "box.db", opened.turn)
    failing._commits = 100_000
    failing.after_commit(urgent_waits=False)
    assert failing.done == 0


async def test_a_busy_store_checkpoints_and_keeps_its_log_small(tmp_path):
    store = await Store.open(tmp_path / "box.db")

    def fill(connection):
        connection.executemany(
            "INSERT INTO quarantine (sim_id, slot, raw, reason, received_at) VALUES (1, 's', ?, 'r', 1)",
            [("x" * 4000,) for _ in range(400)],
        )

    for _ in range(30):
        await store.write(fill)
    # How many depends on whether the next write waits already; that they come, and that the log is bounded, does not.
    assert store._opened.checkpoints.done >= 2
    assert (tmp_path / "box.db-wal").stat().st_size < 24 << 20
    await store.close()


async def test_closing_does_not_wait_for_a_reader(tmp_path, monkeypatch):
    """A backup may read for minutes; the log stays, and the next start goes on with it."""
    monkeypatch.setattr(opening, "BUSY_TIMEOUT_MS", 600_000)
    store = await Store.open(tmp_path / "box.db")
    with closing(sqlite3.connect(tmp_path / "box.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM routes").fetchall()
        await store.write(lambda conn: conn.execute("INSERT INTO routes (spec) VALUES ('logged')").rowcount)
        async with asyncio.timeout(60):
            await store.close()
        assert (tmp_path / "box.db-wal").stat().st_size
    store = await Store.open(tmp_path / "box.db")
    assert await store.fetch_all("SELECT spec FROM routes") == [("logged",)]
    await store.close()
