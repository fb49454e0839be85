"""Accepted = terminal + open, and nothing open is stranded: held through everything, and a breach is found."""

import sqlite3

import pytest

from fakes.senders import ADMIN, ANNE
from modembank.messages import MessageState, conservation
from modembank.modem.outcome import AttemptOutcome


async def sql(post, statement, *params):
    await post.box.store.write(lambda conn: conn.execute(statement, params).rowcount)


async def test_three_legs_of_a_mixed_box(post):
    ids = [await post.one() for _ in range(6)]
    await post.attempt(ids[0])
    await post.attempt(ids[1], AttemptOutcome.UNKNOWN)
    await post.attempt(ids[2], None)
    await post.messages.cancel(ANNE, ids[3])
    found = await post.messages.recount()
    assert found.holds, found.breaches()
    assert (found.accepted, found.rows, found.terminal, found.open) == (6, 6, 1, 5)
    assert found.counted == found.recorded
    assert found.stranded == ()
    quick = await post.messages.counters()
    assert (quick.accepted, quick.recorded, quick.counted) == (6, found.recorded, None)
    assert quick.holds


async def test_a_duplicate_request_is_accepted_once(post):
    from modembank.messages import IdempotencyKey

    key = IdempotencyKey("k", b"body")
    for _ in range(3):
        await post.submit(ANNE, key, to="+447911123456")
    assert (await post.messages.counters()).accepted == 1
    await post.submit(ADMIN, dry_run=True)
    assert (await post.messages.recount()).holds


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM messages WHERE id = (SELECT min(id) FROM messages)", "the table has 2"),
        ("UPDATE state_counts SET n = n - 1 WHERE state = 30", "the counters by state add up to 2"),
        ("UPDATE state_counts SET n = n + 1 WHERE state = 0", "4 messages were ever accepted"),
        (
            "UPDATE messages SET state = 50, ready = NULL WHERE id = (SELECT max(id) FROM messages)",
            "recorded as queued",
        ),
        ("UPDATE messages SET state = 33 WHERE id = (SELECT max(id) FROM messages)", "recorded as queued"),
        ("UPDATE messages SET ready = NULL WHERE id = (SELECT max(id) FROM messages)", "1 open messages are stranded"),
        ("DELETE FROM state_counts", "0 messages were ever accepted, but the table has 3"),
    ],
)
async def test_every_leg_that_breaks_is_named(post, statement, says):
    for _ in range(3):
        await post.one()
    assert (await post.messages.recount()).holds
    await sql(post, statement)
    found = await post.messages.recount()
    assert not found.holds
    assert any(says in breach for breach in found.breaches()), found.breaches()


async def test_a_stranded_message_is_named_and_one_in_flight_is_none(post):
    stranded, journalled, folded = [await post.one() for _ in range(3)]
    await post.attempt(journalled, None, fold=False)
    await post.attempt(folded, None)
    await sql(post, "UPDATE messages SET ready = NULL")
    found = await post.messages.recount()
    # The open attempts are in the journal or in attempts: both are in flight.
    assert found.stranded == (stranded,)
    await sql(post, "UPDATE messages SET ready = 3")
    assert (await post.messages.recount()).holds, "held for a decision is not stranded"


async def test_whoever_holds_a_file_can_ask(post):
    await post.one()
    await post.close()
    with sqlite3.connect(post.path) as database:
        found = conservation.recount(database)
    assert found.holds
    assert found.recorded["queued"] == found.counted["queued"] == 1
    await post.box.open()


async def test_every_state_is_counted(post):
    for state in MessageState:
        public = await post.one()
        await post.set_state(public, state)
    found = await post.messages.recount()
    assert found.counted == dict.fromkeys((state.word for state in MessageState), 1)
    assert found.rows == found.accepted == len(MessageState)
