"""A restore: what may not be restored is refused and changes nothing; what may is whole, of a new epoch, and held."""

import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from fakes.databases import DUMPS, NOW, change, content, load_dump, load_newest, problem_of, rows
from modembank.backup import (
    BackupDamaged,
    BackupJob,
    BackupTooNew,
    DaemonRunning,
    NotABackup,
    RestoreRefused,
    check_file,
    restore,
    take_backup,
)
from modembank.backup.former import set_aside
from modembank.backup.restoring import next_epoch
from modembank.messages import MessageState
from modembank.modem import FAILED_PINS, PinRecord
from modembank.store import ForeignDatabase, Store
from modembank.store.opening import open_owned
from modembank.store.schema import known_migrations

WAITED = {1, 2, 3, 6, 7}
"""Messages of the dump that wait; 4 was being sent, 5 had been."""


@pytest.fixture
def backup(tmp_path):
    """A backup of the dump, and the data folder it is restored into, still empty."""
    (tmp_path / "data").mkdir()
    target = tmp_path / "backup.sqlite3"
    source = load_newest(tmp_path / "source.db")
    PinRecord(source.with_name(FAILED_PINS)).trying("8944100000000000001", "1234")
    take_backup(BackupJob(source, target, "clinic", NOW))
    return target


@pytest.fixture
def database(backup):
    return backup.parent / "data" / "box.db"


def never(_):
    raise AssertionError


def gladly(_):
    """Set aside what is there."""


def noted(database):
    return dict(rows(database, "SELECT name, value FROM box"))


def held(database):
    return {message for (message,) in rows(database, "SELECT id FROM messages WHERE ready = 3")}


def test_into_an_empty_folder(backup, database):
    restored = restore(database, backup, NOW + 1000, never)
    assert problem_of(database) is None
    assert (restored.held, restored.interrupted, restored.set_aside, restored.learnt) == (5, 2, None, None)
    assert held(database) == WAITED
    causes = {cause for (cause,) in rows(database, "SELECT cause FROM messages WHERE ready = 3")}
    assert causes == {
        "restored: waited when the backup of 2027-01-15T08:00:00.000Z was made; it may have been sent since"
    }
    assert rows(database, "SELECT count(*) FROM messages WHERE ready IN (1, 2)") == [(0,)]
    states = dict(rows(database, "SELECT id, state FROM messages"))
    assert (states[4], states[5], states[8]) == (MessageState.UNKNOWN, MessageState.SENT, MessageState.DELIVERED)
    assert noted(database)["restored_at"] == str(NOW + 1000)
    assert noted(database)["restored_from"] == "backup.sqlite3 of 2027-01-15T08:00:00.000Z"
    assert not noted(database).keys() & {"backup", "failed_pins"}
    assert {path.name for path in database.parent.iterdir()} == {"box.db", "box.db.lock", "box.db.turn", FAILED_PINS}
    assert PinRecord(database.with_name(FAILED_PINS)).failed("8944100000000000001", "1234")


def test_what_was_held_before_is_held_for_the_restore(backup, database):
    change(backup.with_name("source.db"), "UPDATE messages SET ready = 3, cause = 'outage: x' WHERE id = 1")
    take_backup(BackupJob(backup.with_name("source.db"), backup, "clinic", NOW, replace=True))
    restore(database, backup, NOW, never)
    assert rows(database, "SELECT ready, substr(cause, 1, 9) FROM messages WHERE id = 1") == [(3, "restored:")]


def test_the_life_of_the_backed_up_box_is_no_outage_of_the_restored_one(backup, database):
    """When that box lived last says nothing of how long nothing could be sent: all that waited is held anyway."""
    alive = """INSERT INTO box VALUES ('alive', '{"at":5,"unserved":{"1":3}}')"""
    change(backup.with_name("source.db"), alive)
    take_backup(BackupJob(backup.with_name("source.db"), backup, "clinic", NOW, replace=True))
    restore(database, backup, NOW, never)
    assert "alive" not in noted(database)


async def test_ids_are_of_an_epoch_that_nobody_knows(backup, database):
    first = restore(database, backup, NOW, never)
    assert first.epoch == (NOW - 1_704_067_200_000) // 600_000
    store = await Store.open(database)
    taken = store.ids.take()
    assert taken > first.epoch << 40
    await store.close()
    # Again, at once: the epoch of the database that is there counts as well, even though nothing has its ids.
    second = restore(database, backup, NOW, gladly)
    assert second.epoch == first.epoch + 1
    store = await Store.open(database)
    assert store.epoch == second.epoch
    assert store.ids.take() >= taken + (1 << 40) - 1
    await store.close()


@pytest.mark.parametrize(
    ("known", "now", "epoch"),
    [
        (0, 0, 1),  # a clock that is not set
        (7, 1_704_067_200_000, 8),
        (7, 1_704_067_200_000 + 9 * 600_000, 9),
        (7, 1 << 60, 1 << 22),
        (1 << 22, 1 << 60, (1 << 22) + 1),
    ],
)
def test_the_next_epoch(known, now, epoch):
    assert next_epoch(known, now) == epoch
    assert epoch << 40 < 1 << 63


def test_an_id_in_use_tells_its_epoch_too(backup, database):
    load_newest(database)
    change(database, f"UPDATE inbox SET id = {(400_000 << 40) + 5}")
    assert restore(database, backup, NOW, gladly).epoch == 400_001


def test_the_present_database_is_set_aside_whole(backup, database):
    load_newest(database)
    change(database, "INSERT INTO routes (spec) VALUES ('only here')")
    before = content(database)
    restored = restore(database, backup, NOW, gladly)
    assert restored.set_aside == database.with_name("box.db.set-aside-20270115T080000Z")
    assert content(restored.set_aside) == before
    assert ("only here",) not in rows(database, "SELECT spec FROM routes")
    assert not database.with_name("box.db-wal").exists()
    again = restore(database, backup, NOW, gladly)
    assert again.set_aside == database.with_name("box.db.set-aside-20270115T080000Z-2")
    # And back: what is set aside can be restored as well.
    back = restore(database, restored.set_aside, NOW, gladly)
    assert not back.checked.is_backup
    assert back.epoch == again.epoch + 1
    assert ("only here",) in rows(database, "SELECT spec FROM routes")
    assert held(database) == WAITED


def test_what_is_set_aside_keeps_a_log_that_cannot_be_emptied(backup, database):
    """A damaged database and its log belong together, and no log may be found by the new one."""
    database.write_bytes(b"not what it was")
    log = database.with_name("box.db-wal")
    log.write_bytes(b"log")
    database.with_name("box.db-shm").write_bytes(b"index")
    restored = restore(database, backup, NOW, gladly)
    assert restored.learnt is None
    assert restored.set_aside.read_bytes() == b"not what it was"
    assert restored.set_aside.with_name(restored.set_aside.name + "-wal").read_bytes() == b"log"
    assert not log.exists()
    assert problem_of(database) is None


def test_a_name_that_a_killed_restore_left_is_not_taken_for_the_old_database(backup, database):
    load_newest(database)
    os.link(database, database.with_name("box.db.set-aside-20260101T000000Z"))
    restored = restore(database, backup, NOW, gladly)
    assert list(database.parent.glob("*.set-aside-*")) == [restored.set_aside]


def test_a_database_of_a_newer_release_is_set_aside_and_its_epoch_is_known(backup, database):
    """The way back from an upgrade that did not please."""
    load_newest(database)
    change(database, "UPDATE box SET value = '500000' WHERE name = 'epoch'", "PRAGMA user_version = 99")
    change(database, "ALTER TABLE sims RENAME COLUMN iccid TO card")
    restored = restore(database, backup, NOW, gladly)
    assert (restored.learnt, restored.epoch) == (None, 500_001)
    assert rows(restored.set_aside, "PRAGMA user_version") == [(99,)]
    assert problem_of(database) is None


def test_what_a_killed_restore_left_is_cleared(backup, database):
    left = database.with_name(".box.db.abc.unfinished")
    left.write_text("half")
    restore(database, backup, NOW, never)
    assert not left.exists()


def test_nothing_is_set_aside_that_nobody_agreed_to(backup, database):
    load_newest(database)
    before = content(database)

    def no(checked):
        raise RestoreRefused(detail=f"{checked.manifest.messages} unwanted")

    with pytest.raises(RestoreRefused, match="14 unwanted"):
        restore(database, backup, NOW, no)
    assert content(database) == before
    assert list(database.parent.glob("*set-aside*")) == []


async def test_a_running_daemon_is_named(backup, database):
    store = await Store.open(database)
    with pytest.raises(DaemonRunning, match=f"process {os.getpid()} .*: stop it first"):
        restore(database, backup, NOW, gladly)
    await store.close()


def test_a_reader_is_waited_out(backup, database):
    """A backup under way would see another database's pages."""
    load_newest(database)
    change(database, "INSERT INTO routes (spec) VALUES ('a')")
    with closing(sqlite3.connect(database, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM routes").fetchall()
        change(database, "INSERT INTO routes (spec) VALUES ('b')")
        with pytest.raises(RestoreRefused, match="still reads"):
            restore(database, backup, NOW, gladly)
    restore(database, backup, NOW, gladly)


@pytest.mark.parametrize("dump", DUMPS, ids=lambda path: path.stem)
def test_story_34_every_released_schema_is_restored_and_migrated(tmp_path, dump):
    old = load_dump(tmp_path / "old.db", dump)
    take_backup(BackupJob(old, tmp_path / "b", "clinic", NOW))
    (tmp_path / "data").mkdir()
    database = tmp_path / "data" / "box.db"
    restore(database, tmp_path / "b", NOW, never)
    assert rows(database, "PRAGMA user_version") == [(len(known_migrations()),)]
    assert problem_of(database) is None
    paused = {row for (row,) in rows(old, "SELECT id FROM messages WHERE ready = 4")}
    assert held(database) == WAITED | paused


def test_the_copy_that_was_made_before_a_migration_is_restored(tmp_path):
    database = load_dump(tmp_path / "box.db")
    open_owned(database, NOW).close(0)
    (copy,) = tmp_path.glob("*.bak")
    restored = restore(database, copy, NOW, gladly)
    assert not restored.checked.is_backup
    assert restored.learnt.ended == 2
    assert held(database) == WAITED
    ((cause,),) = rows(database, "SELECT DISTINCT cause FROM messages WHERE ready = 3")
    assert cause.startswith(f"restored: waited when {copy.name} was written (")


def refusal(backup, kind):
    """Spoil a backup; return what must be said of it."""
    match kind:
        case "foreign":
            change(backup, "PRAGMA application_id = 7")
            return ForeignDatabase, "another program"
        case "newer":
            note = "UPDATE box SET value = replace(value, '0.1.0', '9.7.0') WHERE name = 'backup'"
            change(backup, note, "PRAGMA user_version = 99")
            return BackupTooNew, r"schema 99 and was made by release 9\.7\.0.*install 9\.7\.0"
        case "text":
            backup.write_text("hello")
            return NotABackup, "no backup of a box"
        case "cut":
            backup.write_bytes(backup.read_bytes()[:-30_000])
            return BackupDamaged, "take an older backup"
        case "lawless":
            shutil.copy(backup.with_name("source.db"), backup)
            change(backup, "UPDATE state_counts SET n = 1 WHERE state = 0")
            return BackupDamaged, "1 messages were ever accepted, 14 are there"
        case "orphans":
            shutil.copy(backup.with_name("source.db"), backup)
            change(backup, "DELETE FROM users WHERE id = 1")
            return BackupDamaged, "rows without parents: api_keys 1"
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", ["foreign", "newer", "text", "cut", "lawless", "orphans"])
def test_story_34_what_cannot_be_restored_is_refused_and_changes_nothing(backup, database, kind):
    load_newest(database)
    before = content(database)
    error, said = refusal(backup, kind)
    with pytest.raises(error, match=said):
        restore(database, backup, NOW, never)
    assert content(database) == before
    assert not list(database.parent.glob("*set-aside*"))
    assert not list(database.parent.glob("*unfinished*"))
    with pytest.raises(error):
        check_file(backup)


def test_the_boxs_own_database_is_no_backup_of_it(database):
    load_newest(database)
    with pytest.raises(RestoreRefused, match="own database"):
        restore(database, database, NOW, gladly)


def test_a_pin_that_failed_is_never_forgotten(backup, database):
    """Neither one that the box knows nor one that the backup knows."""
    PinRecord(database.with_name(FAILED_PINS)).trying("8944100000000000002", "5678")
    restore(database, backup, NOW, never)
    record = PinRecord(database.with_name(FAILED_PINS))
    assert record.failed("8944100000000000001", "1234")
    assert record.failed("8944100000000000002", "5678")


def test_pins_that_cannot_be_kept_stop_the_restore(backup, database):
    database.with_name("failed-pins.new").mkdir()
    with pytest.raises(RestoreRefused, match="failed-pins"):
        restore(database, backup, NOW, never)
    assert not database.exists()


def test_what_a_killed_restore_had_set_aside_keeps_its_log(database):
    """A database of a newer release, whose log cannot be emptied: killed before the new one has its name, and again."""
    log = database.with_name(database.name + "-wal")
    database.write_bytes(b"database")
    log.write_bytes(b"its last commits")
    first = set_aside(database, NOW)
    assert (database.exists(), log.exists()) == (True, False)
    again = set_aside(database, NOW + 60_000)
    assert again.read_bytes() == b"database"
    assert again.with_name(again.name + "-wal").read_bytes() == b"its last commits"
    assert {path.name for path in database.parent.iterdir()} == {database.name, again.name, f"{again.name}-wal"}
    log.write_bytes(b"of another run")  # it was used once more in between
    last = set_aside(database, NOW + 120_000)
    assert last.with_name(last.name + "-wal").read_bytes() == b"of another run"
    assert {path.name for path in database.parent.iterdir()} == {database.name, last.name, f"{last.name}-wal"}
    assert first.name.startswith(f"{database.name}.set-aside-")
