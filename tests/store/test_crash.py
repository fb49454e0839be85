"""Killed at any moment: whatever was acknowledged is there, whole, and nothing else is half there."""

import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from modembank.store import Store

DAEMON = Path(__file__).resolve().parents[2] / "daemon"

# Each write inserts two rows; the number is printed only after the write was acknowledged.
CHILD = """
import asyncio, pathlib, sys
from modembank.store import Store, Urgency
from modembank.store import checkpoints
checkpoints.STEP_PAGES = 20   # many checkpoints in a short life
URGENCIES = list(Urgency)

async def client(store, who):
    number = 0
    while True:
        number += 1
        mark = f"{who}:{number}"
        def pair(connection):
            for half in "ab":
                connection.execute(
                    "INSERT INTO quarantine (sim_id, slot, raw, reason, received_at) VALUES (1, ?, ?, 'r', 1)",
                    (half, mark),
                )
        await store.write(pair, URGENCIES[(who + number) % 3])
        sys.stdout.write(mark + "\\n")
        sys.stdout.flush()

async def main():
    store = await Store.open(pathlib.Path(sys.argv[1]), lazy_s=0.01, soon_s=0.002)
    await asyncio.gather(*(client(store, who) for who in range(6)))

asyncio.run(main())
"""


@pytest.mark.parametrize("seed", range(6))
async def test_story_33_nothing_acknowledged_is_lost_by_kill_9(tmp_path, seed):
    path = tmp_path / "box.db"
    chosen = random.Random(seed)
    acknowledged = set()
    for _ in range(2):  # the second life starts on what the first left
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(DAEMON)},
            text=True,
        )
        for _ in range(chosen.randrange(1, 400)):
            line = child.stdout.readline()
            if ":" in line and "[" not in line:
                acknowledged.add(line.strip())
        child.kill()
        rest = child.stdout.read()
        child.stdout.close()
        child.wait()
        complete = rest[: rest.rfind("\n") + 1]  # a line may be cut by the kill
        acknowledged.update(line for line in complete.splitlines() if line[:1].isdigit() and " " not in line)
    store = await Store.open(path)
    rows = await store.fetch_all(
        "SELECT raw, group_concat(slot, '') FROM (SELECT * FROM quarantine ORDER BY id) GROUP BY raw"
    )
    assert await store.fetch_one("PRAGMA integrity_check") == ("ok",)
    await store.close()
    stored = dict(rows)
    assert acknowledged
    assert acknowledged - set(stored) == set()
    assert set(stored.values()) <= {"ab", "aabb", "abab"}  # both halves always; a second life numbers from 1 again


async def test_a_killed_owner_leaves_a_log_that_the_next_one_takes_over(tmp_path):
    path = tmp_path / "box.db"
    code = (
        "import asyncio, os, pathlib, signal, sys\n"
        "from modembank.store import Store\n"
        "async def main():\n"
        "    store = await Store.open(pathlib.Path(sys.argv[1]))\n"
        "    await store.write(lambda c: c.execute(\"INSERT INTO routes (spec) VALUES ('kept')\").rowcount)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**os.environ, "PYTHONPATH": str(DAEMON)},
        check=False,
        capture_output=True,
    )
    assert path.with_name("box.db-wal").stat().st_size > 0
    # Power cut as a disk sees it: only what was synced, here the files as they are, copied to another machine.
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for name in ("box.db", "box.db-wal"):
        (copy / name).write_bytes((tmp_path / name).read_bytes())
    store = await Store.open(copy / "box.db")
    assert await store.fetch_all("SELECT spec FROM routes") == [("kept",)]
    await store.close()


@pytest.mark.parametrize("cut", [0, 1, 500, 2000, 4119])
async def test_a_log_torn_inside_its_last_transaction_loses_only_that(tmp_path, cut):
    path = tmp_path / "box.db"
    store = await Store.open(path)
    await store.write(lambda c: c.execute("INSERT INTO routes (spec) VALUES ('first')").rowcount)
    log = path.with_name("box.db-wal")
    before = log.stat().st_size
    await store.write(lambda c: c.execute("INSERT INTO routes (spec) VALUES ('second')").rowcount)
    copy = tmp_path / "torn.db"
    copy.write_bytes(path.read_bytes())
    copy.with_name("torn.db-wal").write_bytes(log.read_bytes()[: before + cut])
    await store.close()
    torn = await Store.open(copy)
    assert await torn.fetch_all("SELECT spec FROM routes") == [("first",)]
    await torn.close()
    with sqlite3.connect(copy) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
