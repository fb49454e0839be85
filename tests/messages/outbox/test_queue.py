"""Reading the queue: order, bounds, times, and what is not handed out."""

from fakes.outboxes import HOUR, route_spec
from modembank.events import MessagesReady
from modembank.messages.model import Expire, Hold, MessageState, RetryAt, Route
from modembank.messages.outbox import WAKE_LIMIT
from modembank.modem.outcome import AttemptOutcome


async def test_by_rank_then_age_and_bounded(box):
    low = await box.accept(rank=9)
    first, second = await box.accept(rank=4), await box.accept(rank=4)
    high = await box.accept(rank=0)
    loaded = await box.outbox.load(1, limit=3, exclude=())
    assert [message.id for message in loaded] == [high, first, second]
    loaded = await box.outbox.load(1, limit=3, exclude={high, first})
    assert [message.id for message in loaded] == [second, low]


async def test_routes_with_waiting_messages(box):
    pool = await box.route(route_spec(pool="vodafone"))
    named = await box.route(route_spec(3, 5))
    empty = await box.route(route_spec(9))
    await box.accept(route=named)
    await box.accept(route=pool)
    assert await box.outbox.routes() == [Route(pool, (), "vodafone"), Route(named, (3, 5))]
    assert await box.outbox.route(empty) == Route(empty, (9,))
    assert await box.outbox.route(77) is None


async def test_what_is_in_flight_or_done_is_not_handed_out(box):
    open_, done, free = [await box.accept() for _ in range(3)]
    for message in (open_, done):
        await box.outbox.begin(box.intent(message))
    box.settle(box.intent(done), tp_mr=1)
    await box.store.flush()
    assert [message.id for message in await box.outbox.load(1, limit=9, exclude=())] == [free]


async def test_an_undurable_decision_keeps_a_message_back(box):
    message = await box.accept()
    decided = box.outbox.decide(message, RetryAt(box.clock.now_ms + 5))
    assert await box.outbox.load(1, limit=9, exclude=()) == []
    await decided
    assert await box.outbox.load(1, limit=9, exclude=()) == []
    assert await box.outbox.next_timed() == box.clock.now_ms + 5


async def test_offered_content_needs_no_reading(box):
    message = await box.accept(text="offered", offer=True)
    assert (await box.outbox.load_one(message)).text == "offered"
    assert box.outbox.take_offer(message) is None


async def test_scheduled_messages_wake_in_bounded_groups(box):
    at = box.clock.now_ms + HOUR
    for _ in range(3):
        await box.accept(not_before=at)
    assert await box.outbox.next_timed() == at
    assert await box.outbox.wake_timed(at - 1) == 0
    assert await box.outbox.wake_timed(at) == 3
    ready = [event for event in box.events if isinstance(event, MessagesReady)][-1]
    assert len(ready.entries) == 3
    assert await box.outbox.next_timed() is None
    assert await box.store.fetch_all("SELECT DISTINCT state, ready FROM messages") == [(30, 1)]
    await box.check_counts()
    assert WAKE_LIMIT == 500


async def test_a_retry_never_waits_longer_than_the_validity(box):
    message = await box.accept(valid_ms=HOUR)
    await box.outbox.decide(message, RetryAt(box.clock.now_ms + 9 * HOUR, "cms_38: network out of order"))
    assert await box.outbox.next_timed() == box.clock.now_ms + HOUR
    box.clock.turn(HOUR)
    await box.outbox.wake_timed(box.clock.now_ms)
    state, cause = await box.row(message, "state, cause")
    assert state == MessageState.EXPIRED
    assert cause == "expired: its validity ended; last: cms_38: network out of order"


async def test_story_03_the_sweep_expires_what_waits_past_its_validity(box):
    short, long_ = await box.accept(valid_ms=HOUR), await box.accept(valid_ms=3 * HOUR)
    box.clock.turn(2 * HOUR)
    assert await box.outbox.sweep() == 1
    assert await box.state(short) is MessageState.EXPIRED
    assert await box.state(long_) is MessageState.QUEUED
    await box.check_counts()


async def test_expiring_after_an_unknown_part_says_that_it_may_have_been_sent(box):
    message = await box.accept(segments=2)
    intent = box.intent(message)
    await box.outbox.begin(intent)
    box.settle(intent, AttemptOutcome.UNKNOWN, cause="no_final")
    await box.outbox.flush()
    await box.outbox.decide(message, Expire())
    assert await box.state(message) is MessageState.UNKNOWN


async def test_holding_takes_a_message_out_of_the_queue(box):
    message = await box.accept()
    await box.outbox.decide(message, Hold("post_outage: older than 6 h"))
    assert await box.row(message, "state, ready, cause") == (60, None, "post_outage: older than 6 h")
