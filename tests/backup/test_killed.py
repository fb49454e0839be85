"""Killed at any moment, or without room: the old file or the new one, never neither, never half of one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.databases import NOW, change, load_newest, problem_of
from modembank.backup import BackupJob, restore, take_backup

DAEMON = Path(__file__).resolve().parents[2] / "daemon"
BIG = "INSERT INTO routes (spec) SELECT hex(randomblob(400)) FROM json_each('[{}]')".format(",".join("1" * 2000))

# Each runs as one process with one thread, which forks a child for every kill: starting Python would take longest.
KILLING = """
import json, os, pathlib, random, signal, sys, time
from modembank.backup import BackupJob, check_file, restore, take_backup, taking
taking.STEP_PAGES = 100
folder = pathlib.Path(sys.argv[1])
database, backup = folder / "data" / "box.db", folder / "backup"
chosen = random.Random(33)

def forked(work):
    child = os.fork()
    if not child:
        work()
        os._exit(0)
    return child

def killed(work):
    "Kill it somewhere between its begin and a little after its usual end."
    child = forked(work)
    time.sleep(whole * chosen.uniform(0, 1.2))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

def duration(work):
    before = time.monotonic()
    assert os.waitpid(forked(work), 0)[1] == 0
    return time.monotonic() - before
"""
BACKUPS = """
def take(box):
    return lambda: take_backup(BackupJob(database, backup, box, 1, replace=True))

found = []
whole = duration(take("old"))
for _ in range(8):
    take("old")()
    killed(take("new"))
    found.append(check_file(backup).manifest.box)
print("SAW " + json.dumps(found))
"""
RESTORES = """
import sqlite3
from contextlib import closing
from modembank.backup.checking import find_problem

def again(turn):
    return lambda: restore(database, backup, START + turn * 1000, lambda _: None)

def look(path):
    with closing(sqlite3.connect(path)) as conn:
        return find_problem(conn), dict(conn.execute("SELECT name, value FROM box"))

START = int(sys.argv[2])
saw = []
whole = duration(again(0))
for turn in range(1, 9):
    with closing(sqlite3.connect(database, isolation_level=None)) as conn:
        conn.execute("INSERT OR REPLACE INTO box (name, value) VALUES ('mark', ?)", (str(turn),))
    killed(again(turn))
    problem, box = look(database)
    asides = list(database.parent.glob(f"*.set-aside-*{turn:02d}Z"))
    marks_aside = [look(aside)[1].get("mark") for aside in asides]
    saw.append([turn, problem, box.get("mark"), box.get("restored_at"), marks_aside])
print("SAW " + json.dumps(saw))
"""


def run(code, *arguments, before=()):
    done = subprocess.run(
        [*before, sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(DAEMON)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.split("SAW ")[1])


@pytest.fixture
def folder(tmp_path):
    """A box with a few MiB, and an older backup of it."""
    (tmp_path / "data").mkdir()
    database = load_newest(tmp_path / "data" / "box.db")
    change(database, BIG)
    take_backup(BackupJob(database, tmp_path / "backup", "old", 1))
    return tmp_path


def test_story_33_a_backup_killed_at_any_moment_leaves_the_old_one_or_the_new_one(folder):
    found = run(KILLING + BACKUPS, folder)
    assert set(found) <= {"old", "new"}
    assert "old" in found  # some were killed before their end
    assert problem_of(folder / "data" / "box.db") is None


def test_story_34_a_restore_killed_at_any_moment_leaves_the_old_database_or_the_restored_one(folder):
    database = folder / "data" / "box.db"
    saw = run(KILLING + RESTORES, folder, NOW)
    for turn, problem, mark, restored_at, marks_aside in saw:
        assert problem is None
        if mark != str(turn):  # it was restored: then the old one is there too, with its mark
            assert restored_at == str(NOW + turn * 1000)
            assert marks_aside == [str(turn)]
    assert any(mark == str(turn) for turn, _, mark, *_ in saw)  # some were killed before their end
    restore(database, folder / "backup", NOW, lambda _: None)
    assert problem_of(database) is None


# Runs in a mount namespace of its own; prints what it saw as JSON.
FULL = """
import json, os, pathlib, subprocess, sys
from modembank.backup import BackupFailed, BackupJob, RestoreRefused, check_file, restore, take_backup
from modembank.backup import taking
folder = pathlib.Path(sys.argv[1])
database, stick = folder / "data" / "box.db", folder / "stick"
saw = {}

def told(work):
    try:
        work()
    except (BackupFailed, RestoreRefused) as error:
        return str(error)

def inside(path):
    return sorted(each.name for each in path.iterdir())

subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "none", stick], check=True)
saw["foreseen"] = told(lambda: take_backup(BackupJob(database, stick / "backup", "x", 1)))
taking._check_room = lambda *_: None  # somebody else takes the room meanwhile
saw["backup"] = told(lambda: take_backup(BackupJob(database, stick / "backup", "x", 1)))
saw["left"] = inside(stick)
(stick / "box.db").write_bytes(b"")
os.truncate(stick / "box.db", 0)
saw["restore"] = told(lambda: restore(stick / "box.db", folder / "backup", 1, lambda _: None))
saw["kept"] = inside(stick)
subprocess.run(["mount", "-o", "remount,size=60m", stick], check=True)
take_backup(BackupJob(database, stick / "backup", "x", 1))
saw["messages"] = check_file(stick / "backup").manifest.messages
print("SAW " + json.dumps(saw))
"""


def test_story_33_a_full_disk_is_told_and_nothing_is_left_on_it(folder):
    (folder / "stick").mkdir()
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    saw = run(FULL, folder, before=("unshare", *user, "--mount"))
    assert "no room in" in saw["foreseen"]
    assert "full" in saw["backup"]
    assert saw["left"] == []
    assert "full" in saw["restore"]
    assert saw["kept"] == ["box.db", "box.db.lock", "box.db.turn"]
    assert saw["messages"] == 14
