"""Who was put out, and what was taken away, since the backup: a restore does not bring it back."""

import re
from contextlib import closing
from importlib import resources

import pytest

from fakes.databases import NOW, change, load_newest, problem_of, rows
from modembank.accounts import LOCAL_ADMIN
from modembank.audit import record
from modembank.backup import BackupJob, restore, take_backup
from modembank.messages.model import InboxHiding, MessageFlags
from modembank.messages.search import MESSAGES
from modembank.messages.search.index import Sizes, add_batch
from modembank.store.opening import connect, open_owned

USER = "INSERT INTO users (id, name, role, password_hash, created_at) VALUES ({}, '{}', '{}', 'old', 5)"
KEY = (
    "INSERT INTO api_keys (user_id, public_id, secret_sha256, scopes, created_at)"
    " VALUES (71, 'AAAAAAAA', x'aa', '[\"admin\"]', 5), (72, 'BBBBBBBB', x'bb', '[]', 5)"
)
INBOX = (
    "INSERT INTO inbox (id, sim_id, sender, kind, text, octets, parts, received_at, user_id)"
    " VALUES ({}, 1, '+447911000001', 'text', 'secret', x'00', 1, 5, 71)"
)
CONVERSATION = "INSERT INTO conversations VALUES ('+447911000001', 71, {}, 0, {})"


@pytest.fixture
def database(tmp_path):
    """A database that lived on after its backup; its audit log goes on from the backup's."""
    (tmp_path / "data").mkdir()
    database = load_newest(tmp_path / "data" / "box.db")
    change(
        database, USER.format(71, "boss", "admin"), USER.format(72, "clerk", "sender"), KEY,
        "INSERT INTO user_usage VALUES (72, 20270101, 5)",
        INBOX.format(901), INBOX.format(902), CONVERSATION.format(902, 2),
        "INSERT INTO twilio_accounts (sid, user_id, auth_token, place, created_at) VALUES ('AC1', 71, 'old', 0, 5),"
        " ('AC2', 72, 'old', 0, 5)",
        "INSERT INTO sessions (public_id, token_sha256, user_id, created_at, seen_at)"
        " VALUES ('ses_1', x'01', 71, 5, 5)",
    )  # fmt: skip
    noted(database, "before")
    backed_up(database)
    noted(database, "after")
    return database


def noted(database, subject):
    opened = open_owned(database, NOW)
    record(opened.connection, LOCAL_ADMIN, "test.done", subject, NOW)
    opened.close(opened.last_id)


def backed_up(database):
    (database.parents[1] / "backup").unlink(missing_ok=True)
    take_backup(BackupJob(database, database.parents[1] / "backup", "clinic", NOW))


def restored(database):
    result = restore(database, database.parents[1] / "backup", NOW, lambda _: None)
    assert problem_of(database) is None
    assert result.learnt is not None


def users(database):
    return rows(database, "SELECT name, role, active, password_hash FROM users WHERE id > 70 ORDER BY id")


def test_a_key_that_was_revoked_since_opens_nothing(database):
    change(database, "UPDATE api_keys SET revoked_at = 77 WHERE public_id = 'AAAAAAAA'")
    restored(database)
    assert rows(database, "SELECT public_id, revoked_at FROM api_keys WHERE user_id > 70 ORDER BY 1") == [
        ("AAAAAAAA", 77),
        ("BBBBBBBB", None),
    ]


def test_another_key_of_the_same_name_says_nothing(database):
    change(database, "UPDATE api_keys SET revoked_at = 77, secret_sha256 = x'cc' WHERE public_id = 'AAAAAAAA'")
    restored(database)
    assert rows(database, "SELECT revoked_at FROM api_keys WHERE public_id = 'AAAAAAAA'") == [(None,)]


def test_who_was_put_out_or_made_a_sender_or_got_another_password_since_stays_so(database):
    change(
        database,
        "UPDATE users SET active = 0, password_hash = 'new' WHERE name = 'clerk'",
        "UPDATE users SET role = 'sender' WHERE name = 'boss'",
    )
    restored(database)
    assert users(database) == [("boss", "sender", 1, "old"), ("clerk", "sender", 0, "new")]


def test_another_user_of_the_same_number_says_nothing(database):
    change(database, "UPDATE users SET active = 0, password_hash = 'new', created_at = 6 WHERE id = 72")
    restored(database)
    assert users(database)[1] == ("clerk", "sender", 1, "old")


def test_a_former_database_that_is_older_than_the_backup_gives_no_password_back(database):
    old = database.read_bytes()
    change(database, "UPDATE users SET password_hash = 'newest', role = 'admin' WHERE name = 'clerk'")
    noted(database, "the newest")
    backed_up(database)
    for ending in ("-wal", "-shm"):
        database.with_name(database.name + ending).unlink(missing_ok=True)
    database.write_bytes(old)
    restored(database)
    assert users(database)[1] == ("clerk", "admin", 1, "newest")


def test_what_was_accepted_since_counts_against_quotas(database):
    change(database, "UPDATE user_usage SET segments = 50", "INSERT INTO user_usage VALUES (72, 20270102, 7)")
    restored(database)
    assert rows(database, "SELECT day, segments FROM user_usage WHERE user_id = 72") == [(20270101, 50), (20270102, 7)]


def test_every_session_ends_for_nobody_knows_which_were_ended_since(database):
    restored(database)
    assert rows(database, "SELECT * FROM sessions") == []


def test_a_token_that_was_replaced_and_an_account_that_was_removed_stay_so(database):
    change(
        database,
        "UPDATE twilio_accounts SET auth_token = 'new' WHERE sid = 'AC1'",
        "DELETE FROM twilio_accounts WHERE sid = 'AC2'",
    )
    restored(database)
    assert rows(database, "SELECT sid, auth_token FROM twilio_accounts") == [("AC1", "new")]


def test_inbound_content_that_was_redacted_or_deleted_since_does_not_come_back(database):
    hide = "UPDATE inbox SET text = '', octets = NULL, hidden = {} WHERE id = {}"
    change(database, hide.format(int(InboxHiding.REDACTED), 901), hide.format(int(InboxHiding.DELETED), 902))
    restored(database)
    shown = rows(database, "SELECT id, text, octets, hidden FROM inbox WHERE id > 900 ORDER BY id")
    assert shown == [(901, "", None, InboxHiding.REDACTED), (902, "", None, InboxHiding.DELETED)]
    assert rows(database, "SELECT last_inbox, unread FROM conversations WHERE user_id = 71") == [(901, 1)]


def test_inbound_content_of_another_message_with_the_same_id_stays(database):
    change(database, "UPDATE inbox SET text = '', hidden = 0, received_at = 6 WHERE id = 901")
    restored(database)
    assert rows(database, "SELECT text, hidden FROM inbox WHERE id = 901") == [("secret", None)]


def test_parts_of_a_message_that_was_redacted_when_it_was_whole_do_not_come_back(database):
    change(
        database,
        "INSERT INTO inbound_groups (id, sim_id, sender, reference, total, last_at) VALUES (9, 1, '+447', 1, 2, 5)",
        "INSERT INTO inbound_parts VALUES (9, 1, 'AA', 5)",
        "INSERT INTO inbound_groups (id, sim_id, sender, reference, total, last_at) VALUES (10, 1, '+447', 2, 2, 5)",
        "INSERT INTO inbound_parts VALUES (10, 1, 'BB', 5)",
    )
    backed_up(database)
    change(
        database,
        INBOX.format(903),
        "UPDATE inbox SET text = '', octets = NULL, hidden = 0 WHERE id = 903",
        "DELETE FROM inbound_parts WHERE group_id = 9",
        "UPDATE inbound_groups SET inbox_id = 903, remembered = 'x' WHERE id = 9",
    )
    restored(database)
    assert rows(database, "SELECT group_id FROM inbound_parts WHERE group_id IN (9, 10)") == [(10,)]
    assert rows(database, "SELECT id FROM inbound_groups WHERE id IN (9, 10)") == [(10,)]


def test_outbound_text_that_was_redacted_or_deleted_since_does_not_come_back(database):
    done = rows(database, "SELECT id FROM messages WHERE state >= 50 AND state <> 60 ORDER BY id LIMIT 2")
    (first,), (second,) = done
    both = int(MessageFlags.REDACTED | MessageFlags.HIDDEN)
    change(
        database,
        f"UPDATE messages SET text = '', flags = flags | {int(MessageFlags.REDACTED)} WHERE id = {first}",
        f"UPDATE messages SET text = '', flags = flags | {both} WHERE id = {second}",
    )
    restored(database)
    found = rows(database, "SELECT text, flags & 96 FROM messages WHERE id IN (?, ?) ORDER BY id", first, second)
    assert found == [("", MessageFlags.REDACTED), ("", both)]


def test_an_index_of_words_is_not_taken_over(tmp_path):
    """It would still find what was redacted since, and hold its octets."""
    (tmp_path / "data").mkdir()
    database = load_newest(tmp_path / "data" / "box.db")
    ((first,),) = rows(database, "SELECT min(id) FROM messages WHERE state >= 80")
    change(database, f"UPDATE messages SET text = 'xylophonist' WHERE id = {first}")
    with closing(connect(database)) as conn:
        while add_batch(conn, MESSAGES, Sizes(batch=1, left=0, shard=2)):
            pass
    took = take_backup(BackupJob(database, tmp_path / "backup", "clinic", NOW))
    assert took.made_at == NOW
    assert b"lophonist" in (tmp_path / "backup").read_bytes()
    change(database, f"UPDATE messages SET text = '', flags = flags | {int(MessageFlags.REDACTED)} WHERE id = {first}")
    restored(database)
    assert b"lophonist" not in database.read_bytes()
    assert rows(database, "SELECT name FROM sqlite_schema WHERE name LIKE 'search_messages%'") == []
    with closing(connect(database)) as conn:
        assert add_batch(conn, MESSAGES, Sizes(batch=1, left=0, shard=2)), "it is made anew"


SCRIPTS = [each.name for each in resources.files("modembank.backup").iterdir() if each.name.endswith(".sql")]


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_statement_has_a_bare_number_for_what_has_a_name(script):
    """16 stood there once for a flag that is 128."""
    text = re.sub(r"--.*", "", (resources.files("modembank.backup") / script).read_text("utf-8"))
    assert not re.search(r"(flags\s*[|&]|kind\s*(=|<>|IN \()|hidden\s*(=|<>)|state\s*[<>=]+)\s*\d", text)
