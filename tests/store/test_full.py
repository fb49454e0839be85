"""No room: told to whoever lost a write, nothing committed is harmed, and it goes on when there is room again."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from modembank.store import Store, StoreFull, StoreState, Urgency

DAEMON = Path(__file__).resolve().parents[2] / "daemon"

# Runs in a mount namespace of its own on a file system of 3 MiB; prints what it saw as JSON.
CHILD = """
import asyncio, json, os, pathlib, sys
from modembank.store import Store, StoreFull, StoreError, StoreState, Urgency

def note(size):
    return lambda c: c.execute(
        "INSERT INTO quarantine (sim_id, slot, raw, reason, received_at) VALUES (1, 's', ?, 'r', 1)",
        ("x" * size,),
    ).lastrowid

async def main(folder):
    saw = {}
    store = await Store.open(folder / "box.db", reserve_octets=0)
    acknowledged = 0
    try:
        while True:
            await store.write(note(50_000))
            acknowledged += 1
    except StoreFull as error:
        saw["code"] = error.key
        saw["cause"] = getattr(error.__cause__, "sqlite_errorname", "")
    saw["state_full"] = store.health.state
    saw["acknowledged"] = acknowledged
    group = await asyncio.gather(*(store.write(note(100_000)) for _ in range(8)), return_exceptions=True)
    saw["whole_group_told"] = [type(one).__name__ for one in group]
    saw["stored_while_full"] = (await store.fetch_one("SELECT count(*) FROM quarantine"))[0]
    os.system(f"mount -o remount,size=20m {folder}")
    saw["after_room"] = await store.write(note(10))
    saw["state_after"] = store.health.state
    saw["check"] = (await store.fetch_one("PRAGMA integrity_check"))[0]
    await store.close()
    print("SAW " + json.dumps(saw))

asyncio.run(main(pathlib.Path(sys.argv[1])))
"""


def in_own_mount_namespace(folder, code):
    """Run code with a small tmpfs on ``folder``; as root directly, else through a user namespace."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    script = f'mount -t tmpfs -o size=3m none "{folder}" && exec "{sys.executable}" -c "$CODE" "{folder}"'
    run = subprocess.run(
        ["unshare", *user, "--mount", "sh", "-c", script],
        env={**os.environ, "PYTHONPATH": str(DAEMON), "CODE": code},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return json.loads(run.stdout.split("SAW ")[1])


def test_a_full_disk_is_told_loses_nothing_and_ends_when_there_is_room(tmp_path):
    saw = in_own_mount_namespace(tmp_path, CHILD)
    assert (saw["code"], saw["cause"]) == ("store_full", "SQLITE_FULL")
    assert saw["state_full"] == "full"
    assert saw["acknowledged"] > 3
    assert saw["whole_group_told"] == ["StoreFull"] * 8
    assert saw["stored_while_full"] == saw["acknowledged"]
    assert saw["after_room"] == saw["acknowledged"] + 1
    assert saw["state_after"] == "ok"
    assert saw["check"] == "ok"


def note(text="x"):
    return lambda c: (
        c.execute(
            "INSERT INTO quarantine (sim_id, slot, raw, reason, received_at) VALUES (1, 's', ?, 'r', 1)", (text,)
        ).lastrowid
    )


@pytest.fixture
async def reserved(tmp_path):
    """A store whose file system has less room than the reserve, for certain."""
    store = await Store.open(tmp_path / "box.db", reserve_octets=1 << 60)
    yield store
    await store.close()


async def test_new_work_is_refused_while_settling_goes_on(reserved):
    with pytest.raises(StoreFull, match="kept in reserve"):
        await reserved.write(note(), reserve=False)
    assert await reserved.write(note()) == 1
    assert not reserved.writable
    assert reserved.health.state is StoreState.OK


async def test_in_one_group_only_the_new_work_is_refused(reserved):
    settle, accept, lazy = (
        reserved.submit(note("settle"), Urgency.SOON),
        reserved.submit(note("accept"), Urgency.SOON, reserve=False),
        reserved.submit(note("report"), Urgency.SOON),
    )
    await reserved.flush()
    with pytest.raises(StoreFull):
        await accept
    assert (await settle, await lazy) == (1, 2)


async def test_a_group_of_nothing_but_refused_work_commits_nothing(reserved):
    results = await asyncio.gather(*(reserved.write(note(), reserve=False) for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [StoreFull] * 5
    assert reserved.health.last_commit_at is None


async def test_full_inside_a_function_fails_the_whole_group_and_the_writer_goes_on(tmp_path):
    store = await Store.open(tmp_path / "box.db", soon_s=60)
    pages = (await store.fetch_one("PRAGMA page_count"))[0]
    await store.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone())
    results = await asyncio.gather(
        store.write(note(), Urgency.SOON),
        store.write(note("y" * 40_000), Urgency.SOON),
        store.write(note(), Urgency.NOW),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [StoreFull] * 3
    assert store.health.state is StoreState.FULL
    assert await store.fetch_one("SELECT count(*) FROM quarantine") == (0,)
    await store.write(lambda c: c.execute("PRAGMA max_page_count = 100000").fetchone())
    assert await store.write(note("y" * 40_000)) == 1
    assert store.health.state is StoreState.OK
    assert store.writable
    await store.close()


async def test_closing_a_full_store_loses_nothing(tmp_path):
    store = await Store.open(tmp_path / "box.db")
    await store.write(note("kept"))
    pages = (await store.fetch_one("PRAGMA page_count"))[0]
    await store.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    lost = store.submit(note("y" * 100_000))
    await store.close()
    assert isinstance(lost.exception(), StoreFull)
    store = await Store.open(tmp_path / "box.db")
    assert await store.fetch_all("SELECT raw FROM quarantine") == [("kept",)]
    await store.close()
