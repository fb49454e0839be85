"""The gate asks whether the recipient wants messages; what waits for one who does not is ended."""

import pytest

from modembank.messages.model import BeginVerdict, MessageFlags, MessageState, OnUnknown, OptedOut
from modembank.messages.outbox import withdrawing
from modembank.modem.outcome import AttemptOutcome
from modembank.optouts import Change, Source
from modembank.optouts.writing import change

NUMBER = "+447911123456"
OTHER = "+447911123457"


async def put_out(box, number=NUMBER, *, out=True):
    wanted = Change(number, out, box.clock.now_ms, Source.API)
    assert await box.store.write(lambda conn: change(conn, wanted))


async def begin(box, message, **more):
    return await box.outbox.begin(box.intent(message, **more))


async def test_nothing_is_begun_for_one_who_is_out(box):
    message, other = await box.accept(NUMBER), await box.accept(OTHER)
    await put_out(box)
    assert await begin(box, message) is BeginVerdict.OPTED_OUT
    assert await box.attempts(message) == []
    assert await begin(box, other) is BeginVerdict.GO


async def test_an_answer_to_an_opt_out_passes(box):
    message = await box.accept(NUMBER, flags=MessageFlags.CONSENT)
    await put_out(box)
    assert await begin(box, message) is BeginVerdict.GO


async def test_whoever_is_in_again_gets_messages(box):
    message = await box.accept(NUMBER)
    await put_out(box)
    box.clock.turn(1)
    await put_out(box, out=False)
    assert await begin(box, message) is BeginVerdict.GO


async def test_it_fails_and_says_why(box):
    message = await box.accept(NUMBER)
    await put_out(box)
    await box.outbox.decide(message, OptedOut())
    state, cause, ready = await box.row(message, "state, cause, ready")
    assert (state, ready) == (MessageState.FAILED, None)
    assert cause == "opted_out: the recipient wants no messages"
    await box.check_counts()


async def test_what_is_left_of_a_message_is_not_sent(box):
    message = await box.accept(NUMBER, segments=3)
    assert await begin(box, message) is BeginVerdict.GO
    await box.settle(box.intent(message), AttemptOutcome.ACCEPTED, tp_mr=1)
    await put_out(box)
    assert await begin(box, message, segment=2) is BeginVerdict.OPTED_OUT
    await box.outbox.decide(message, OptedOut())
    state, cause = await box.row(message, "state, cause")
    assert state == MessageState.FAILED
    assert cause == "opted_out: the recipient wants no messages after 1 of 3 segments were sent"
    await box.check_counts()


@pytest.mark.parametrize("policy", list(OnUnknown))
async def test_a_part_that_may_have_been_sent_keeps_it_unknown(box, policy):
    message = await box.accept(NUMBER, segments=2, on_unknown=policy)
    assert await begin(box, message) is BeginVerdict.GO
    await box.settle(box.intent(message), AttemptOutcome.UNKNOWN)
    await put_out(box)
    await box.outbox.decide(message, OptedOut())
    state, cause = await box.row(message, "state, cause")
    assert state == MessageState.UNKNOWN
    assert cause == "opted_out: the recipient wants no messages and it may have been sent"


async def test_an_attempt_in_flight_is_left_to_its_end(box):
    message = await box.accept(NUMBER)
    assert await begin(box, message) is BeginVerdict.GO
    await put_out(box)
    assert await box.outbox.withdraw([NUMBER]) == 0
    await box.settle(box.intent(message), AttemptOutcome.ACCEPTED, tp_mr=1)
    assert await box.state(message) is MessageState.SENT


async def test_all_that_waits_is_withdrawn(box):
    hour = 3_600_000
    waiting = [await box.accept(NUMBER), await box.accept(NUMBER, not_before=box.clock.now_ms + hour)]
    held = await box.fill(1, ready=3)
    await box.store.write(lambda conn: conn.execute("UPDATE messages SET recipient = ? WHERE id = ?", (NUMBER, held)))
    consent, other = await box.accept(NUMBER, flags=MessageFlags.CONSENT), await box.accept(OTHER)
    assert await box.outbox.withdraw([NUMBER]) == 0, "not out yet"
    await put_out(box)
    assert await box.outbox.withdraw([OTHER, NUMBER]) == 3
    for message in (*waiting, held):
        assert await box.state(message) is MessageState.FAILED
    for message in (consent, other):
        assert await box.state(message) is MessageState.QUEUED
    assert await box.outbox.withdraw([NUMBER]) == 0
    await box.check_counts()


async def test_many_are_withdrawn_in_steps(box, monkeypatch):
    monkeypatch.setattr(withdrawing, "WAKE_LIMIT", 3)
    monkeypatch.setattr(withdrawing, "AT_ONCE", 2)
    numbers = [f"+4479111230{n:02d}" for n in range(5)]
    for number in numbers:
        for _ in range(4):
            await box.accept(number)
        await put_out(box, number)
    await box.accept(OTHER)
    assert await box.outbox.withdraw_all() == 20
    assert await box.check_counts() == {MessageState.FAILED: 20, MessageState.QUEUED: 1}


async def test_what_a_loop_held_back_is_let_go(box):
    from modembank.messages.model import RetryAt

    message, other = await box.accept(NUMBER), await box.accept(NUMBER)
    late = box.clock.now_ms + 3_600_000
    await box.outbox.decide(message, RetryAt(late, "loop: x"))
    await box.outbox.decide(other, RetryAt(late, "quiet_hours: Europe/London"))
    assert await box.outbox.let_go(NUMBER, "loop: ") == 1
    assert await box.outbox.next_timed() == box.clock.now_ms
    await box.outbox.wake_timed(box.clock.now_ms)
    assert (await box.row(message, "ready"), await box.row(other, "ready")) == ((1,), (2,))


async def test_the_next_who_are_out_are_found_in_order_by_the_key_of_the_table(box):
    """After a start all of them are walked through in small pieces: none may look at them all and sort them."""
    asked = []

    def look(conn):
        conn.set_trace_callback(asked.append)
        found = withdrawing.out_after(conn, NUMBER)
        conn.set_trace_callback(None)
        return found, [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {asked[-1]}")]

    for number, out in ((NUMBER, True), (OTHER, True), ("+447911123458", True), ("+447911123459", True)):
        await put_out(box, number, out=out)
    await put_out(box, "+447911123458", out=False)
    found, plan = await box.store.read(look)
    assert found == [OTHER, "+447911123459"]
    assert plan == ["SEARCH opt_outs USING PRIMARY KEY (number>?)"]
