"""Story 34: the daemon is killed inside an upgrade's migrations; each is done or not, and the next start goes on."""

import os
import signal
import subprocess
import sys

from fakes.daemons import DaemonProcess
from fakes.databases import DUMPS, NOW, content, load_dump, problem_of, rows
from modembank.failpoints import VARIABLE, Failpoint
from modembank.messages import MessageState
from modembank.store.opening import open_owned
from modembank.store.schema import BACKUPS_KEPT, known_migrations
from modembankd.data_folder import DATABASE

MOVING = ("INSERT INTO \"box\" VALUES('last_id'",)
"""Beginnings of lines that no two databases share."""
OPENING = """
import pathlib, sys
from modembank.store.opening import open_owned
open_owned(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
"""
"""What a start does first, in a process of its own that does no more: a fifth of a daemon's start."""


def whole_versions(folder):
    """What the oldest database holds at each version of the schema, migrated one by one."""
    path = load_dump(folder / "stepwise.db", DUMPS[0])
    found = {1: content(path, *MOVING)}
    for version in range(2, len(known_migrations()) + 1):
        open_owned(path, NOW, known_migrations()[:version]).close(0)
        found[version] = content(path, *MOVING)
    return found


def armed(statement):
    return {VARIABLE: f"{Failpoint.MIGRATION_STATEMENT.value}:{statement}"}


def daemon_killed_at(folder, statement):
    with DaemonProcess(folder, env=armed(statement)) as box:
        assert box.ended() == -signal.SIGKILL, box.log.read_text()


def killed_at(database, statement):
    opening = [sys.executable, "-c", OPENING, database, str(NOW)]
    ended = subprocess.run(opening, env=os.environ | armed(statement), capture_output=True, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def test_story_34_killed_in_any_migration_nothing_is_lost(tmp_path):
    data = tmp_path / "box" / "data"
    data.mkdir(parents=True)
    database = load_dump(data / DATABASE, DUMPS[0])
    messages = rows(database, "SELECT id, recipient, text FROM messages ORDER BY id")
    whole = whole_versions(tmp_path)
    daemon_killed_at(tmp_path / "box", 1)
    for version, migration in enumerate(known_migrations()[1:], 1):
        for statement in {1, len(migration.statements)}:
            killed_at(database, statement)
            assert content(database, *MOVING) == whole[version]
        if version + 1 < len(whole):
            killed_at(database, len(migration.statements) + 1)  # in the next one: this one is complete
    backups = list(data.glob("*.bak"))
    assert len(backups) == BACKUPS_KEPT
    for backup in backups:
        assert content(backup, *MOVING) in whole.values()
    with DaemonProcess(tmp_path / "box") as box:
        box.up()
        assert box.signal(signal.SIGTERM) == 0
    assert rows(database, "PRAGMA user_version") == [(len(known_migrations()),)]
    assert problem_of(database) is None
    assert rows(database, "SELECT id, recipient, text FROM messages ORDER BY id") == messages
    states = dict(rows(database, "SELECT id, state FROM messages"))
    assert (states[4], states[5], states[8]) == (MessageState.UNKNOWN, MessageState.SENT, MessageState.DELIVERED)
