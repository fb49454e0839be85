"""Messages that wait for longer than they should: found in every queue, however they came to wait."""

from datetime import UTC, datetime

import pytest

from fakes.outboxes import HOUR
from modembank.messages import late
from modembank.messages.model import RetryAt
from modembank.modem.outcome import AttemptOutcome

MINUTE = 60_000


async def groups(post, minutes=15):
    return await post.messages.late(post.box.clock.now_ms - minutes * MINUTE)


def turn(post, minutes):
    post.box.clock.turn(minutes * MINUTE)


async def test_what_has_just_come_is_not_late(post):
    await post.one()
    turn(post, 15)
    assert await groups(post) == ()
    turn(post, 1)
    [group] = await groups(post)
    assert (group.count, group.since) == (1, post.box.clock.now_ms - 16 * MINUTE)
    assert group.shown[0].ready


async def test_each_queue_tells_its_oldest(post):
    first = await post.one(priority=9)
    await post.one(sim="8944110000000000001")
    for _ in range(3):
        await post.one(sim="8944110000000000001")
    turn(post, 20)
    await post.one(priority=9)
    found = await groups(post)
    assert sorted(group.count for group in found) == [1, 4]
    assert post.row_id(first) in {group.shown[0].id for group in found}


async def test_a_schedule_is_no_delay_until_it_is_due(post):
    due = datetime.fromtimestamp(post.box.clock.now() + 3600, UTC)
    await post.one(send_at=due)
    turn(post, 59)
    assert await groups(post) == ()
    turn(post, 2)
    await post.box.outbox.wake_timed(post.box.clock.now_ms)
    assert await groups(post) == ()
    turn(post, 20)
    [group] = await groups(post)
    assert group.since == post.box.clock.now_ms - 21 * MINUTE


async def test_one_that_is_tried_again_and_again_is_late_since_its_first_try(post):
    public = await post.one()
    for n in range(1, 5):
        await post.box.outbox.wake_timed(post.box.clock.now_ms)
        await post.attempt(public, AttemptOutcome.REJECTED, n=n, cause="cms_42: congestion")
        again = post.box.clock.now_ms + 10 * MINUTE
        await post.box.outbox.decide(post.row_id(public), RetryAt(again, "cms_42: congestion"))
        await post.box.store.flush()
        turn(post, 10)
    [group] = await groups(post)
    assert (group.count, group.since) == (1, post.box.clock.now_ms - 40 * MINUTE)
    assert not group.shown[0].ready


@pytest.mark.parametrize("outcome", [AttemptOutcome.ACCEPTED, AttemptOutcome.UNKNOWN])
async def test_what_was_sent_or_may_have_been_does_not_wait(post, outcome):
    await post.attempt(await post.one(), outcome)
    turn(post, 60)
    assert await groups(post) == ()


async def test_what_is_held_for_a_decision_is_not_late(post):
    await post.one()
    await post.box.store.write(lambda conn: conn.execute("UPDATE messages SET ready = 3"))
    turn(post, 600)
    assert await groups(post) == ()


async def test_a_long_queue_is_counted_and_only_its_head_is_shown(post, monkeypatch):
    monkeypatch.setattr(late, "_MOST_FRESH", 5)
    await post.submit(to=[f"+4479{number:08d}" for number in range(60)])
    turn(post, 20)
    await post.submit(to=[f"+4478{number:08d}" for number in range(60)])
    [group] = await groups(post)
    assert (group.count, len(group.shown), group.more) == (60, late.MOST_SHOWN, False)


async def test_what_is_read_is_bounded_over_all_queues(post, monkeypatch):
    monkeypatch.setattr(late, "MOST_COUNTED", 50)
    for priority in (9, 5, 1):
        await post.submit(to=[f"+4479{number:08d}" for number in range(40)], priority=priority)
    turn(post, 20)
    assert [(group.count, group.more) for group in await groups(post)] == [(40, False), (20, True), (20, True)]


async def test_messages_that_are_unknown_for_long(post):
    early, delivered, recent = [await post.one() for _ in range(3)]
    await post.attempt(early, AttemptOutcome.UNKNOWN)
    await post.attempt(delivered, AttemptOutcome.UNKNOWN)
    at = post.box.clock.now_ms
    turn(post, 70)
    await post.attempt(recent, AttemptOutcome.UNKNOWN)
    found = await post.messages.long_unknown(post.box.clock.now_ms - HOUR)
    assert (found.count, found.oldest, found.since) == (2, post.row_id(early), at)
    assert await post.messages.long_unknown(at) is None


@pytest.mark.parametrize("look", [late.late_groups, late.long_unknown])
async def test_no_look_reads_the_table_from_end_to_end(post, look):
    """Ten million messages that have ended cost nothing: indexes are walked, and no more."""
    store, plans = post.box.store, []
    await post.one()

    def plan(conn):
        asked = []
        conn.set_trace_callback(asked.append)
        look(conn, 1 << 60)
        conn.set_trace_callback(None)
        for query in asked:
            if query.startswith("SELECT"):
                plans.extend(row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {query}"))

    await store.read(plan)
    assert plans
    assert not [step for step in plans if step.startswith("SCAN") and "INDEX" not in step]


async def test_the_oldest_of_all_queues_is_told(post):
    assert await post.messages.oldest_waiting() is None
    began = post.box.clock.now_ms
    await post.one(send_at=datetime.fromtimestamp(post.box.clock.now() + 3600, UTC))
    assert await post.messages.oldest_waiting() is None, "it is not due"
    turn(post, 1)
    await post.one(sim="8944110000000000001")
    turn(post, 1)
    for priority in (9, 5, 1):
        await post.one(priority=priority)
    assert await post.messages.oldest_waiting() == began + MINUTE
