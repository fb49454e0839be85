"""A daemon that was killed while the disk was slow: what the next one finds in the log is not on the disk yet."""

import time

import pytest

from modembank.store import Store
from powercut.children import WITHIN_S, child
from powercut.disk import Cut, Disk, Fate, Folders, lay_out
from powercut.recording import DATABASE, Kind, Recorder

pytestmark = pytest.mark.native

WRITES = """
import asyncio, pathlib, structlog, sys
from modembank.store import Store
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
async def main():
    store = await Store.open(pathlib.Path(sys.argv[1]))
    print("open", flush=True)
    sys.stdin.readline()
    await store.write(lambda conn: conn.execute("INSERT INTO routes (spec) VALUES ('left unsynced')").rowcount)
    print("acknowledged", flush=True)
asyncio.run(main())
"""
SHOWS = """
import asyncio, os, pathlib, structlog, sys
from modembank.store import Store
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
async def main():
    store = await Store.open(pathlib.Path(sys.argv[1]))
    print(await store.fetch_all("SELECT spec FROM routes"), flush=True)
    os._exit(0)
asyncio.run(main())
"""


def killed_in_a_commit(recorder):
    """A row is in the log, its sync has begun and never ends."""
    with child(recorder, WRITES, recorder.watched / DATABASE) as process:
        assert process.stdout.readline() == "open\n"
        recorder.hold(syncs=True)
        before = recorder.length()
        process.stdin.write("\n")
        process.stdin.flush()
        deadline = time.monotonic() + WITHIN_S
        while b"left unsynced" not in recorder.trace.read_bytes()[before:] or not still(recorder):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
        assert process.stdout.read() == ""
    recorder.hold(syncs=False)


def still(recorder):
    """Whether nothing more comes: the commit's last frame is written."""
    length = recorder.length()
    time.sleep(0.1)
    return length == recorder.length() and not recorder.busy()


@pytest.mark.parametrize("folders", Folders)
async def test_story_33_what_a_killed_daemon_left_is_synced_before_anybody_sees_it(tmp_path, folders):
    recorder = Recorder(tmp_path)
    killed_in_a_commit(recorder)
    with child(recorder, SHOWS, recorder.watched / DATABASE) as process:
        assert process.stdout.read() == "[('left unsynced',)]\n"
    trace = recorder.read()
    disk = Disk(trace.operations, str(recorder.watched))
    disk.advance(len(trace))
    lay_out(disk.image(Cut(0, len(trace), Fate.NOTHING, folders)), tmp_path / "image")
    store = await Store.open(tmp_path / "image" / DATABASE)
    assert await store.fetch_all("SELECT spec FROM routes") == [("left unsynced",)]
    await store.close()


def test_the_kill_strikes_between_the_write_and_its_sync(tmp_path):
    recorder = Recorder(tmp_path)
    killed_in_a_commit(recorder)
    last = recorder.read().operations[-1]
    assert last.kind is Kind.WRITE
