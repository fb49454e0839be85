"""Opening: one owner, small tools beside it, ids that never come twice, files that are not ours."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from modembank.ids import EPOCH_SHIFT
from modembank.store import ForeignDatabase, Schema, Store, StoreBusy, StoreCorrupt, StoreError
from modembank.store.schema import APPLICATION_ID

DAEMON = Path(__file__).resolve().parents[2] / "daemon"
MESSAGE = (
    "INSERT INTO messages (id, batch_id, user_id, recipient, text, encoding, segments, flags, route_id, rank, state,"
    " expires_at, on_unknown, created_at) VALUES (?, ?, 1, '+1', 't', 0, 1, 0, 1, 5, 10, 0, 0, 0)"
)

LEDGER = "INSERT INTO inbound_pdus (id, sim_id, slot, pdu, fingerprint, received_at) VALUES (?, 1, 's', '00', x'00', 1)"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "box.db"


async def test_a_second_daemon_is_refused_and_told_who_has_it(path):
    first = await Store.open(path)
    with pytest.raises(StoreBusy, match=f"process {os.getpid()}"):
        await Store.open(path)
    await first.write(lambda c: None)
    await first.close()
    second = await Store.open(path)
    await second.close()


async def test_a_daemon_in_another_process_is_refused_and_a_killed_one_leaves_no_lock(path):
    code = (
        "import asyncio, sys, pathlib\n"
        "from modembank.store import Store\n"
        "async def main():\n"
        "    await Store.open(pathlib.Path(sys.argv[1]))\n"
        "    print('open', flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(DAEMON)}
    )
    while b"open" not in (line := child.stdout.readline()):
        assert line, "the child ended"
    with pytest.raises(StoreBusy, match=f"process {child.pid}"):
        await Store.open(path)
    child.kill()
    child.wait()
    child.stdout.close()
    store = await Store.open(path)
    await store.close()


async def test_a_tool_beside_the_daemon_reads_and_writes(path):
    daemon = await Store.open(path)
    tool = await Store.open(path, beside=True)
    await tool.write(lambda c: c.execute("INSERT INTO routes (spec) VALUES ('by the tool')").rowcount)
    assert await daemon.fetch_all("SELECT spec FROM routes") == [("by the tool",)]
    await daemon.write(lambda c: c.execute("INSERT INTO routes (spec) VALUES ('by the daemon')").rowcount)
    assert len(await tool.fetch_all("SELECT spec FROM routes")) == 2
    await tool.close()
    await daemon.write(lambda c: None)
    await daemon.close()


async def test_a_tool_cannot_take_ids(path):
    daemon = await Store.open(path)
    tool = await Store.open(path, beside=True)
    with pytest.raises(StoreError, match="only the daemon"):
        _ = tool.ids
    await tool.close()
    await daemon.close()


async def test_a_tool_that_outlives_the_daemon_loses_nothing(path):
    daemon = await Store.open(path)
    tool = await Store.open(path, beside=True)
    await daemon.close()
    await tool.write(lambda c: c.execute("INSERT INTO routes (spec) VALUES ('late')").rowcount)
    next_daemon = await Store.open(path)
    await tool.close()
    assert await next_daemon.fetch_all("SELECT spec FROM routes") == [("late",)]
    await next_daemon.close()


async def test_a_tool_without_a_daemon_makes_the_database_itself(path):
    tool = await Store.open(path, beside=True)
    await tool.write(lambda c: c.execute("INSERT INTO routes (spec) VALUES ('first')").rowcount)
    assert tool.ids.take() == 1
    await tool.close()
    daemon = await Store.open(path)
    assert await daemon.fetch_all("SELECT spec FROM routes") == [("first",)]
    await daemon.close()


async def test_many_tools_writing_beside_a_checkpointing_daemon_corrupt_nothing(path):
    code = (
        "import asyncio, sys, pathlib\n"
        "from modembank.store import Store\n"
        "async def main(name):\n"
        "    store = await Store.open(pathlib.Path(sys.argv[1]), beside=True)\n"
        "    for number in range(150):\n"
        "        spec = f'{name} {number}'\n"
        "        await store.write(lambda c: c.execute('INSERT INTO routes (spec) VALUES (?)', (spec,)).rowcount)\n"
        "    await store.close()\n"
        "asyncio.run(main(sys.argv[2]))\n"
    )
    daemon = await Store.open(path)
    env = {**os.environ, "PYTHONPATH": str(DAEMON)}
    children = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(path), name, env=env)
        for name in ("a", "b")
    ]
    done = asyncio.gather(*(child.wait() for child in children))
    written = 0
    while not done.done():
        await daemon.write(lambda c: c.execute("INSERT INTO routes (spec) VALUES (hex(randomblob(2000)))").rowcount)
        daemon._opened.checkpoints._commits = 10_000  # a checkpoint after every commit
        written += 1
    assert await done == [0, 0]
    assert daemon._opened.checkpoints.done > 0
    await daemon.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM routes").fetchone() == (300 + written,)
    connection.close()


async def test_a_fresh_database_starts_with_epoch_zero_and_the_first_id(path):
    store = await Store.open(path)
    assert store.epoch == 0
    assert store.ids.take() == 1
    assert await store.fetch_one("SELECT value FROM box WHERE name = 'epoch'") == ("0",)
    await store.close()


@pytest.mark.parametrize(
    ("statement", "params", "highest"),
    [
        (MESSAGE, (41, None), 41),
        (MESSAGE, (41, 77), 77),
        (
            "INSERT INTO inbox (id, sim_id, sender, kind, text, parts, received_at) VALUES (?, 1, 's', 'k', 't', 1, 1)",
            (99,),
            99,
        ),
        (LEDGER, (123,), 123),
    ],
)
async def test_ids_continue_after_the_highest_that_is_stored(path, statement, params, highest):
    store = await Store.open(path)
    await store.write(lambda c: c.execute(statement, params).rowcount)
    await store.close()
    store = await Store.open(path)
    assert store.ids.take() == highest + 1
    await store.close()


async def test_ids_of_deleted_rows_do_not_come_again(path):
    store = await Store.open(path)
    row = store.ids.take(500)
    await store.write(lambda c: c.execute(MESSAGE, (row + 499, None)).rowcount)
    await store.write(lambda c: c.execute("DELETE FROM messages").rowcount)
    await store.close()
    store = await Store.open(path)
    assert store.ids.take() == 501
    await store.close()


async def test_what_only_the_inbound_ledger_used_does_not_come_again_after_a_crash(path, tmp_path):
    """A crash notes no last id: what is in the tables is all there is to go by."""
    store = await Store.open(path)
    row = store.ids.take(500) + 499
    await store.write(lambda c: c.execute(MESSAGE, (7, None)).rowcount)
    await store.write(lambda c: c.execute(LEDGER, (row,)).rowcount)
    crashed = tmp_path / "crashed.db"
    with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(crashed)) as copy:
        live.backup(copy)
    await store.close()
    store = await Store.open(crashed)
    assert store.ids.take() == row + 1
    await store.close()


async def test_a_new_epoch_starts_a_new_range_of_ids(path):
    store = await Store.open(path)
    await store.write(lambda c: c.execute(MESSAGE, (5, None)).rowcount)
    await store.write(lambda c: c.execute("UPDATE box SET value = '3' WHERE name = 'epoch'").rowcount)
    await store.close()
    store = await Store.open(path)
    assert store.epoch == 3
    assert store.ids.take() == (3 << EPOCH_SHIFT) + 1
    await store.close()


@pytest.mark.parametrize("content", [b"this is not a database at all\n" * 40, os.urandom(8192)])
async def test_a_file_that_is_no_database_is_refused_and_kept(path, content):
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match="kept as it is"):
        await Store.open(path)
    assert path.read_bytes() == content


async def test_a_damaged_schema_is_refused_and_kept(path):
    store = await Store.open(path)
    await store.close()
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996  # the schema's page, behind the file's header
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt):
        await Store.open(path)
    assert path.read_bytes() == bytes(content)


async def test_another_programs_database_is_refused_and_kept(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    content = path.read_bytes()
    for beside in (False, True):
        with pytest.raises(ForeignDatabase):
            await Store.open(path, beside=beside)
    assert path.read_bytes() == content


async def test_our_files_carry_our_application_id(path):
    store = await Store.open(path)
    assert await store.fetch_one("PRAGMA application_id") == (APPLICATION_ID,)
    await store.close()


async def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StoreError, match="no/such/folder"):
        await Store.open(tmp_path / "no/such/folder/box.db")


async def test_a_failed_open_leaves_nothing_locked(path):
    path.write_bytes(b"x" * 5000)
    with pytest.raises(StoreCorrupt):
        await Store.open(path)
    path.unlink()
    store = await Store.open(path)
    await store.close()


async def test_another_schema_has_files_of_its_own(path, tmp_path, monkeypatch):
    """A role with other tables uses the same store; neither takes the other's file."""
    package = tmp_path / "other_schema"
    (package / "migrations").mkdir(parents=True)
    (package / "__init__.py").touch()
    made = "CREATE TABLE box (name TEXT PRIMARY KEY, value TEXT NOT NULL); CREATE TABLE things (id INTEGER);"
    (package / "migrations" / "0001_things.sql").write_text(made)
    monkeypatch.syspath_prepend(str(tmp_path))
    other = Schema(0x12345678, "other_schema")
    store = await Store.open(path, schema=other)
    await store.write(lambda c: c.execute("INSERT INTO things VALUES (7)"))
    await store.close()
    with pytest.raises(ForeignDatabase):
        await Store.open(path)
    beside = await Store.open(path, schema=other, beside=True)
    assert await beside.fetch_all("SELECT id FROM things") == [(7,)]
    await beside.close()
    ours = await Store.open(tmp_path / "ours.db")
    await ours.close()
    with pytest.raises(ForeignDatabase):
        await Store.open(tmp_path / "ours.db", schema=other)
