"""What a restore learns from the database that it sets aside: sent is sent, and what SIMs sent counts."""

from contextlib import closing

import pytest

from fakes.databases import NOW, change, load_dump, load_newest, problem_of, rows
from modembank.backup import BackupJob, restore, take_backup
from modembank.messages import MessageState
from modembank.sim import add_usage
from modembank.store.opening import connect

TRIED = "INSERT INTO attempts (message_id, segment, n, sim_id, slot, started_at, finished_at, outcome, tp_mr, awaiting)"


@pytest.fixture
def database(tmp_path):
    """A database that lived on after its backup."""
    (tmp_path / "data").mkdir()
    database = load_newest(tmp_path / "data" / "box.db")
    take_backup(BackupJob(database, tmp_path / "backup", "clinic", NOW))
    return database


def restored(database):
    result = restore(database, database.parents[1] / "backup", NOW, lambda _: None)
    assert problem_of(database) is None
    assert result.learnt is not None
    return result


def message(database, number):
    (row,) = rows(database, "SELECT state, ready, sim_id, cause FROM messages WHERE id = ?", number)
    return row


def sent(number, sim=1):
    """What folding leaves of a message that was sent and is reported about later."""
    return (
        f"{TRIED} VALUES ({number}, 1, 1, {sim}, 'slot-01', {NOW}, {NOW}, 20, 77, 1)",
        f"UPDATE messages SET state = 50, ready = NULL, tries = 1, sim_id = {sim}, sent_at = {NOW} WHERE id = {number}",
        "UPDATE state_counts SET n = n - 1 WHERE state = 30",
        "UPDATE state_counts SET n = n + 1 WHERE state = 50",
    )


def test_without_anything_new_nothing_is_learnt(database):
    result = restored(database)
    assert (result.held, result.learnt.left_messages, result.learnt.left_inbox) == (5, 0, 0)
    assert message(database, 3)[:2] == (MessageState.QUEUED, 3)


def test_what_was_sent_since_is_not_held_and_its_report_is_awaited(database):
    change(database, *sent(3))
    result = restored(database)
    assert message(database, 3)[:3] == (MessageState.SENT, None, 1)
    assert rows(database, "SELECT tp_mr, awaiting FROM attempts WHERE message_id = 3") == [(77, 1)]
    assert result.held == 4
    assert result.learnt.ended == 3  # with 4 and 5, of which its journal tells


def test_what_its_journal_tells_is_folded(database):
    """Sent, and killed before that was folded; and begun, with an end that nobody saw."""
    intent = "INSERT INTO journal (kind, message_id, segment, n, sim_id, at, body) VALUES (1, {}, 1, 1, 1, {}, '{}')"
    settled = "INSERT INTO journal (kind, message_id, segment, n, sim_id, at, body) VALUES (2, {}, 1, 1, 1, {}, '{}')"
    change(
        database,
        intent.format(3, NOW, '{"slot":"slot-01"}'),
        settled.format(3, NOW, '{"o":20,"mr":5}'),
        intent.format(1, NOW, '{"slot":"slot-01"}'),
    )
    restored(database)
    assert message(database, 3)[0] == MessageState.SENT
    assert message(database, 1)[:2] == (MessageState.UNKNOWN, None)
    booked = rows(database, "SELECT segments FROM sim_usage WHERE sim_id = 1 AND bucket = ?", NOW // 60_000)
    assert booked == [(2,)]


def test_usage_is_never_smaller_than_either_knows(database):
    bucket = rows(database, "SELECT bucket FROM sim_usage WHERE sim_id = 1")[0][0]
    with closing(connect(database)) as conn:
        add_usage(conn, 1, bucket * 60_000 + 5, 13)
        add_usage(conn, 2, NOW, 4, "+447700900555")
    restored(database)
    assert rows(database, "SELECT segments FROM sim_usage WHERE sim_id = 1 AND bucket = ?", bucket) == [(20,)]
    assert rows(database, "SELECT segments FROM sim_usage WHERE sim_id = 2") == [(4,)]
    assert ("+447700900555",) in rows(database, "SELECT recipient FROM sim_recipients WHERE sim_id = 2")


def test_an_attempt_at_a_message_that_the_backup_does_not_have_is_booked(database):
    intent = (
        f"INSERT INTO journal (kind, message_id, segment, n, sim_id, at, body) VALUES (1, 50, 1, 1, 1, {NOW}, '{{}}')"
    )
    change(database, intent)
    restored(database)
    assert rows(database, "SELECT segments FROM sim_usage WHERE bucket = ?", NOW // 60_000) == [(1,)]


def test_a_sim_that_came_since_is_known_with_what_it_sent(database):
    change(
        database,
        "INSERT INTO sims (id, iccid, limits, paused_reason, first_seen_at, last_seen_at)"
        " VALUES (9, '8944100000000000009', '{\"per_day\": 3}', 'lost', 1, 1)",
        f"INSERT INTO sim_usage VALUES ({NOW // 60_000}, 9, 6, {NOW})",
        *sent(3, sim=9),
    )
    restored(database)
    ((sim, limits, paused),) = rows(
        database, "SELECT id, limits, paused_reason FROM sims WHERE iccid = '8944100000000000009'"
    )
    assert (limits, paused) == ('{"per_day": 3}', "lost")
    assert rows(database, "SELECT segments FROM sim_usage WHERE sim_id = ?", sim) == [(6,)]
    assert message(database, 3)[2] == sim


def test_sims_are_matched_by_their_iccid_not_by_their_number(database):
    """The box was set up anew before the restore, and numbered its SIMs in another order."""
    change(
        database,
        "UPDATE sims SET id = 100 WHERE id = 1",
        "UPDATE sims SET id = 1 WHERE id = 2",
        "UPDATE sims SET id = 2 WHERE id = 100",
        "UPDATE sim_usage SET sim_id = 2, segments = 50",
        "UPDATE attempts SET sim_id = 2",
        "UPDATE journal SET sim_id = 2",
        "UPDATE messages SET sim_id = 2 WHERE sim_id = 1",
        *sent(3, sim=2),
    )
    restored(database)
    assert rows(database, "SELECT sim_id, max(segments) FROM sim_usage") == [(1, 50)]
    assert message(database, 3)[2] == 1
    assert rows(database, "SELECT sim_id FROM attempts WHERE message_id = 3") == [(1,)]


def test_another_message_with_the_same_id_says_nothing(database):
    change(database, *sent(3), "UPDATE messages SET created_at = created_at + 1 WHERE id = 3")
    result = restored(database)
    assert message(database, 3)[:2] == (MessageState.QUEUED, 3)
    assert result.learnt.left_messages == 1


def test_an_older_state_takes_nothing_back(database):
    """The database that is set aside may be older than the backup."""
    backup = database.parents[1] / "backup"
    backup.unlink()
    old = database.read_bytes()
    change(database, *sent(3))
    take_backup(BackupJob(database, backup, "clinic", NOW))
    for ending in ("-wal", "-shm"):
        database.with_name(database.name + ending).unlink(missing_ok=True)
    database.write_bytes(old)
    restored(database)
    assert message(database, 3)[0] == MessageState.SENT


def test_cancelled_and_expired_need_no_attempt(database):
    change(
        database,
        "UPDATE messages SET state = 76, ready = NULL, cause = 'cancelled: by alice', settled_at = 5 WHERE id = 3",
        "UPDATE messages SET state = 72, ready = NULL, cause = 'expired: its validity ended' WHERE id = 2",
        "UPDATE state_counts SET n = n - 1 WHERE state IN (20, 30)",
        "UPDATE state_counts SET n = n + 1 WHERE state IN (72, 76)",
    )
    restored(database)
    assert message(database, 3) == (MessageState.CANCELLED, None, None, "cancelled: by alice")
    assert message(database, 2)[0] == MessageState.EXPIRED


def test_what_stays_behind_is_counted(database):
    columns = "id, sim_id, sender, kind, text, parts, received_at"
    inbound = f"INSERT INTO inbox ({columns}) VALUES ({{}}, 1, '+1', 'text', 'x', 1, 1)"
    change(
        database,
        "UPDATE messages SET id = 70 WHERE id = 3",  # as if that one had never been, and this one had come
        inbound.format(71),
        inbound.format(72),
    )
    learnt = restored(database).learnt
    assert (learnt.left_messages, learnt.left_inbox) == (1, 2)
    assert rows(database, "SELECT count(*) FROM messages") == [(14,)]


def test_a_damaged_database_is_not_believed(database):
    change(database, *sent(3), "UPDATE state_counts SET n = 0 WHERE state = 50")
    result = restore(database, database.parents[1] / "backup", NOW, lambda _: None)
    assert result.learnt is None
    assert message(database, 3)[:2] == (MessageState.QUEUED, 3)


OPT_OUT = "INSERT OR REPLACE INTO opt_outs (number, state, changed_at, source) VALUES ('{}', {}, {}, 'keyword')"


def opt_outs(database):
    return dict(rows(database, "SELECT number, state FROM opt_outs"))


def test_who_opted_out_since_is_out(database):
    change(database, OPT_OUT.format("+447911000001", 1, NOW))
    restored(database)
    assert opt_outs(database) == {"+447911000001": 1}


@pytest.mark.parametrize(
    ("then", "since", "state"),
    [
        ((1, 10), (0, 20), 0),  # came back since
        ((0, 10), (1, 20), 1),
        ((1, 20), (0, 10), 1),  # the backup is the newer one
        ((0, 20), (1, 10), 0),
        ((0, 10), (1, 10), 1),  # in doubt, out
        ((1, 10), (0, 10), 1),
    ],
)
def test_of_two_changes_the_later_counts(database, then, since, state):
    (database.parents[1] / "backup").unlink()
    change(database, OPT_OUT.format("+447911000001", *then), OPT_OUT.format("+447911000002", 1, 5))
    take_backup(BackupJob(database, database.parents[1] / "backup", "clinic", NOW))
    change(database, OPT_OUT.format("+447911000001", *since), "DELETE FROM opt_outs WHERE number = '+447911000002'")
    restored(database)
    assert opt_outs(database) == {"+447911000001": state, "+447911000002": 1}


def test_what_waits_for_a_person_still_does_and_what_was_decided_is(database):
    review = (
        "INSERT INTO opt_out_reviews (inbox_id, number, keyword, created_at) VALUES ({}, '+447911000001', 'STOP', 1)"
    )
    (database.parents[1] / "backup").unlink()
    change(database, review.format(1), review.format(2))
    take_backup(BackupJob(database, database.parents[1] / "backup", "clinic", NOW))
    decided = "UPDATE opt_out_reviews SET decision = 'dismiss', decided_at = 2, by = 'ada' WHERE inbox_id = 1"
    change(database, decided, review.format(3))
    restored(database)
    assert rows(database, "SELECT inbox_id, decision FROM opt_out_reviews ORDER BY 1") == [
        (1, "dismiss"),
        (2, None),
        (3, None),
    ]


def test_a_former_database_without_opt_outs_teaches_the_rest(tmp_path):
    """The box went back to an older release, and the backup is of the newer one."""
    (tmp_path / "data").mkdir()
    newest = load_newest(tmp_path / "newest.db")
    change(newest, OPT_OUT.format("+447911000001", 1, NOW))
    take_backup(BackupJob(newest, tmp_path / "backup", "clinic", NOW))
    database = load_dump(tmp_path / "data" / "box.db")
    result = restore(database, tmp_path / "backup", NOW, lambda _: None)
    assert result.learnt is not None
    assert problem_of(database) is None
    assert opt_outs(database) == {"+447911000001": 1}
