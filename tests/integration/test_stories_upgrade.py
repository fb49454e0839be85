"""Story 34: the daemon is killed inside an upgrade's migration, at every statement; the next start completes it."""

import signal

from fakes.daemons import DaemonProcess
from fakes.databases import DUMPS, content, load_dump, problem_of, rows
from modembank.failpoints import VARIABLE, Failpoint
from modembank.messages import MessageState
from modembank.store.schema import BACKUPS_KEPT, known_migrations
from modembankd.compose import DATABASE

STATEMENTS = sum(len(migration.statements) for migration in known_migrations()[1:])


def test_story_34_killed_at_any_statement_of_a_migration_nothing_is_lost(tmp_path):
    data = tmp_path / "box" / "data"
    data.mkdir(parents=True)
    database = load_dump(data / DATABASE, DUMPS[0])
    before = content(database)
    messages = rows(database, "SELECT id, recipient, text FROM messages ORDER BY id")
    for statement in range(1, STATEMENTS + 1):
        with DaemonProcess(
            tmp_path / "box", env={VARIABLE: f"{Failpoint.MIGRATION_STATEMENT.value}:{statement}"}
        ) as box:
            assert box.ended() == -signal.SIGKILL, box.log.read_text()
        assert content(database) == before
    backups = list(data.glob("*.bak"))
    assert len(backups) == min(STATEMENTS, BACKUPS_KEPT)
    for backup in backups:
        assert content(backup) == before
    with DaemonProcess(tmp_path / "box") as box:
        box.up()
        assert box.signal(signal.SIGTERM) == 0
    assert rows(database, "PRAGMA user_version") == [(len(known_migrations()),)]
    assert problem_of(database) is None
    assert rows(database, "SELECT id, recipient, text FROM messages ORDER BY id") == messages
    states = dict(rows(database, "SELECT id, state FROM messages"))
    assert (states[4], states[5], states[8]) == (MessageState.UNKNOWN, MessageState.SENT, MessageState.DELIVERED)
