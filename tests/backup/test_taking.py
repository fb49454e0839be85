"""A backup: whole, checked, under its name or not at all, and no trouble for whoever works meanwhile."""

import asyncio
import hashlib
import json
import os
import stat
import threading
from pathlib import Path

import pytest

from fakes.databases import NOW, change, content, load_dump, load_newest, problem_of, rows
from modembank.backup import (
    BackupDamaged,
    BackupExists,
    BackupFailed,
    BackupJob,
    BackupStopped,
    NotABackup,
    check_file,
    take_backup,
    taking,
)
from modembank.backup.placing import unfinished
from modembank.modem import FAILED_PINS, PinRecord
from modembank.store import ForeignDatabase, Store
from modembank.store.schema import known_migrations

OWN = ('INSERT INTO "box"',)


@pytest.fixture
def database(tmp_path):
    return load_newest(tmp_path / "box.db")


def job(database, **more):
    target = more.pop("target", database.with_name("backup.sqlite3"))
    return BackupJob(database, target, "clinic", NOW, **more)


def files(folder):
    return {path.name for path in folder.iterdir()} - {"box.db-wal", "box.db-shm", "box.db.lock", "box.db.turn"}


def test_it_holds_everything_and_says_what_it_is(database):
    manifest = take_backup(job(database))
    assert (manifest.box, manifest.made_at, manifest.messages, manifest.waiting) == ("clinic", NOW, 14, 7)
    assert (manifest.schema, manifest.epoch, manifest.inbox, manifest.users) == (len(known_migrations()), 0, 1, 2)
    target = database.with_name("backup.sqlite3")
    checked = check_file(target)
    assert checked.is_backup
    assert checked.manifest == manifest
    assert content(target, *OWN) == content(database, *OWN)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert files(database.parent) == {"box.db", "backup.sqlite3"}


def test_its_last_line_can_be_checked_by_anybody(database):
    take_backup(job(database))
    whole = database.with_name("backup.sqlite3").read_bytes()
    before, _, digest = whole.rpartition(b"\nmodembank backup sha256 ")
    assert digest.decode().strip() == hashlib.sha256(before).hexdigest()


def test_an_older_schema_is_backed_up_as_it_is(tmp_path):
    database = load_dump(tmp_path / "box.db")
    assert take_backup(job(database)).schema == 1
    assert check_file(tmp_path / "backup.sqlite3").manifest.schema == 1
    assert rows(database, "PRAGMA user_version") == [(1,)]


async def test_it_is_one_moment_while_others_write(database, monkeypatch):
    """Every write moves the same row of two tables: no backup may see one without the other."""
    monkeypatch.setattr(taking, "STEP_PAGES", 1)
    store = await Store.open(database)
    done = asyncio.Event()
    written = 0

    def both(conn):
        conn.execute("INSERT INTO routes (spec) VALUES (?)", (f"r{written}",))
        conn.execute("UPDATE box SET value = (SELECT count(*) FROM routes) WHERE name = 'last_id'")

    async def write():
        nonlocal written
        while not done.is_set():
            await store.write(both)
            written += 1

    await store.write(both)
    written = 1
    writing = asyncio.create_task(write())
    for number in range(3):
        before = written
        target = database.with_name(f"{number}.sqlite3")
        await asyncio.to_thread(take_backup, job(database, target=target))
        assert written > before  # nobody was locked out
        (routes,) = rows(target, "SELECT count(*) FROM routes")[0]
        assert rows(target, "SELECT value FROM box WHERE name = 'last_id'") == [(str(routes),)]
    done.set()
    await writing
    await store.close()
    assert problem_of(database) is None


async def test_what_only_stands_in_the_log_is_in_it(database):
    store = await Store.open(database)
    await store.write(lambda conn: conn.execute("INSERT INTO routes (spec) VALUES ('logged')").rowcount)
    assert database.with_name("box.db-wal").stat().st_size
    await asyncio.to_thread(take_backup, job(database))
    await store.close()
    assert ("logged",) in rows(database.with_name("backup.sqlite3"), "SELECT spec FROM routes")


def test_failed_pins_go_along(database):
    PinRecord(database.with_name(FAILED_PINS)).trying("8944100000000000001", "1234")
    take_backup(job(database))
    ((noted,),) = rows(database.with_name("backup.sqlite3"), "SELECT value FROM box WHERE name = 'failed_pins'")
    assert json.loads(noted) == PinRecord(database.with_name(FAILED_PINS)).digests()
    assert len(json.loads(noted)) == 1


def test_another_file_is_replaced_only_when_that_is_said(database):
    take_backup(job(database))
    target = database.with_name("backup.sqlite3")
    first = target.read_bytes()
    change(database, "INSERT INTO routes (spec) VALUES ('new')")
    with pytest.raises(BackupExists, match="--force"):
        take_backup(job(database))
    assert target.read_bytes() == first
    take_backup(job(database, replace=True))
    assert ("new",) in rows(target, "SELECT spec FROM routes")


def test_without_a_database_there_is_nothing_to_back_up(tmp_path):
    with pytest.raises(BackupFailed, match="there is no database"):
        take_backup(job(tmp_path / "box.db"))
    assert files(tmp_path) == set()


def test_a_folder_that_is_not_there_or_not_one(database):
    with pytest.raises(BackupFailed, match="No such file"):
        take_backup(job(database, target=database.parent / "gone" / "backup"))
    with pytest.raises(BackupFailed, match="Not a directory"):
        take_backup(job(database, target=database / "backup"))


def test_a_damaged_database_gives_no_backup_and_leaves_the_old_one(database):
    take_backup(job(database))
    change(database, "UPDATE state_counts SET n = n + 1 WHERE state = 30", "PRAGMA wal_checkpoint(TRUNCATE)")
    before = database.with_name("backup.sqlite3").read_bytes()
    with pytest.raises(BackupFailed, match=r"box\.db is damaged: 4 messages were counted as queued, 3 are there"):
        take_backup(job(database, replace=True))
    assert database.with_name("backup.sqlite3").read_bytes() == before
    assert files(database.parent) == {"box.db", "backup.sqlite3"}


def test_a_page_out_of_order_is_found(database):
    change(database, "PRAGMA journal_mode = DELETE")
    ((root, octets),) = rows(
        database, "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = 'messages'"
    )
    scribble(database, (root - 1) * octets)
    with pytest.raises(BackupFailed, match=r"damaged|malformed"):
        take_backup(job(database))
    assert files(database.parent) == {"box.db"}


def test_no_room_is_told_before_anything_is_written(database, monkeypatch):
    monkeypatch.setattr(taking, "RESERVE_OCTETS", 1 << 60)
    with pytest.raises(BackupFailed, match=r"no room in .* must stay for the daemon"):
        take_backup(job(database))
    assert files(database.parent) == {"box.db"}


@pytest.mark.parametrize("after", range(4))
def test_whoever_wants_it_no_more_has_nothing_left_behind(database, after, monkeypatch):
    monkeypatch.setattr(taking, "STEP_PAGES", 16)
    asked = threading.local()

    def stopped():
        asked.times = getattr(asked, "times", -1) + 1
        return asked.times >= after

    with pytest.raises(BackupStopped):
        take_backup(job(database, stopped=stopped))
    assert files(database.parent) == {"box.db"}


def test_what_a_killed_backup_left_is_cleared_by_a_later_one(database):
    abandoned = [database.with_name(f".backup.sqlite3.{name}") for name in ("abc.unfinished", "abc.unfinished-journal")]
    fresh = database.with_name(".backup.sqlite3.def.unfinished")
    for path in (*abandoned, fresh):
        path.write_text("half")
    for path in abandoned:
        os.utime(path, (1, 1))
    take_backup(job(database))
    assert not any(path.exists() for path in abandoned)
    assert fresh.exists()


def test_an_unfinished_file_is_for_its_owner_alone(tmp_path):
    with unfinished(tmp_path / "x") as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == []


# What check_file refuses.


def scribble(path, at):
    with path.open("r+b") as file:
        file.seek(at)
        octets = file.read(64)
        file.seek(at)
        file.write(bytes(octet ^ 0xFF for octet in octets))


@pytest.fixture
def backup(database):
    take_backup(job(database))
    return database.with_name("backup.sqlite3")


@pytest.mark.parametrize("part", range(1, 8))
def test_a_changed_octet_anywhere_is_found(backup, part):
    """Also one in a text, which SQLite could not know."""
    scribble(backup, backup.stat().st_size * part // 8)
    with pytest.raises(BackupDamaged, match="take an older backup"):
        check_file(backup)


def test_a_changed_digit_of_a_text_is_found(backup):
    backup.write_bytes(backup.read_bytes().replace(b"message 3", b"message 8"))
    assert problem_of(backup) is None
    with pytest.raises(BackupDamaged, match="checksum"):
        check_file(backup)


@pytest.mark.parametrize("lost", [1, 40, 90, 5_000, 60_000])
def test_a_file_that_was_cut_short_is_found(backup, lost):
    backup.write_bytes(backup.read_bytes()[:-lost])
    with pytest.raises(BackupDamaged):
        check_file(backup)


def test_what_is_no_backup_is_told_apart(tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello")
    load_newest(tmp_path / "other")
    change(tmp_path / "other", "PRAGMA application_id = 7")
    for name, said in (
        ("empty", "it is empty"),
        ("text", "does not begin"),
        ("gone", "No such file"),
        (".", "directory"),
    ):
        with pytest.raises(NotABackup, match=said):
            check_file(Path(tmp_path / name))
    with pytest.raises(ForeignDatabase):
        check_file(tmp_path / "other")


def test_checking_leaves_the_file_and_its_folder_as_they_are(backup):
    before = files(backup.parent), backup.read_bytes(), backup.stat().st_mtime_ns
    check_file(backup)
    assert (files(backup.parent), backup.read_bytes(), backup.stat().st_mtime_ns) == before
