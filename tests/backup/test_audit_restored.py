"""The audit log across a restore: the backup's goes on, and says what stays behind."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fakes.databases import NOW, load_newest, rows
from modembank.accounts import LOCAL_ADMIN
from modembank.audit import head, record
from modembank.audit.log import FIRST
from modembank.audit.rows import step
from modembank.backup import BackupJob, restore, take_backup
from modembank.store.opening import open_owned


def note(path: Path, *subjects: str) -> str:
    """Record some entries and return the hash that the log ends with."""
    opened = open_owned(path, NOW)
    with closing(sqlite3.connect(path)) as conn, conn:
        for subject in subjects:
            record(conn, LOCAL_ADMIN, "test.done", subject, NOW)
        found = head(conn).hex()
    opened.close(opened.last_id)
    return found


def holds(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as conn:
        walked = step(conn, 0, FIRST)
    return walked.bad is None and walked.last_hash == walked.head


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    source = load_newest(tmp_path / "source.db")
    note(source, "before")
    target = tmp_path / "backup.sqlite3"
    take_backup(BackupJob(source, target, "clinic", NOW))
    return target


def test_s16_a_restore_is_recorded_with_what_the_former_log_ended_with(tmp_path: Path, backup: Path) -> None:
    database = tmp_path / "source.db"
    former = note(database, "after the backup", "and another")
    restored = restore(database, backup, NOW + 5, lambda _: None)
    entries = rows(database, "SELECT actor, source, action, subject, detail FROM audit ORDER BY id")
    assert [entry[2] for entry in entries] == ["test.done", "backup.restore"]
    assert entries[1][:4] == ("local", "local", "backup.restore", "backup.sqlite3")
    assert json.loads(entries[1][4])["former_head"] == former
    assert holds(database)
    assert restored.set_aside is not None
    assert holds(restored.set_aside)
    note(database, "life goes on")
    assert holds(database)


def test_s16_without_a_former_database_there_is_nothing_to_name(tmp_path: Path, backup: Path) -> None:
    (tmp_path / "new").mkdir()
    database = tmp_path / "new" / "box.db"
    restore(database, backup, NOW, lambda _: None)
    ((detail,),) = rows(database, "SELECT detail FROM audit WHERE action = 'backup.restore'")
    assert json.loads(detail)["former_head"] is None
    assert holds(database)
