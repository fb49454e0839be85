"""The gate, the journal and the fold: nothing goes out before it is written down, and each row counts once."""

import asyncio

from modembank.events import MessageStateChanged
from modembank.messages.model import BeginVerdict, Expire, Fail, MessageFlags, MessageState, OnUnknown, RetryAt
from modembank.messages.outbox import may_cancel
from modembank.modem.outcome import AttemptOutcome

GO, GONE = BeginVerdict.GO, BeginVerdict.GONE


async def test_an_intent_is_durable_when_the_gate_opens(box):
    message = await box.accept()
    assert await box.outbox.begin(box.intent(message)) is GO
    rows = await box.store.fetch_all("SELECT kind, message_id, segment, n, sim_id, body FROM journal")
    assert rows == [(1, message, 1, 1, 1, '{"slot":"slot-1"}')]


async def test_a_sent_message_is_sent_once_and_counted_once(box):
    message = await box.accept()
    intent = box.intent(message)
    assert await box.outbox.begin(intent) is GO
    box.clock.turn(2000)
    await box.settle(intent, tp_mr=17)
    columns = "state, ready, tries, sim_id, sent_at, settled_at, cause"
    assert await box.row(message, columns) == (50, None, 1, 1, box.clock.now_ms, None, None)
    (attempt,) = await box.attempts(message)
    assert (attempt.tp_mr, attempt.outcome, attempt.awaiting) == (17, AttemptOutcome.ACCEPTED, True)
    assert await box.store.fetch_all("SELECT sim_id, segments FROM sim_usage") == [(1, 1)]
    assert await box.store.fetch_all("SELECT * FROM journal") == []
    await box.outbox.flush()
    assert await box.store.fetch_all("SELECT sim_id, segments FROM sim_usage") == [(1, 1)]
    assert await box.outbox.begin(box.intent(message, n=2)) is GONE
    changed = [event for event in box.events if isinstance(event, MessageStateChanged)]
    assert [event.state for event in changed] == [MessageState.SENT]
    await box.check_counts()


async def test_the_fold_comes_by_itself_and_tells(box):
    message = await box.accept()
    told = asyncio.Event()
    box.bus.subscribe(MessageStateChanged, lambda _: told.set())
    intent = box.intent(message)
    await box.outbox.begin(intent)
    box.settle(intent, tp_mr=1)
    await asyncio.wait_for(told.wait(), 10)
    assert await box.store.fetch_one("SELECT state FROM messages") == (50,)


async def test_an_open_attempt_is_seen_at_once_and_folded_when_it_takes_long(box):
    message = await box.accept()
    await box.outbox.begin(box.intent(message))
    (attempt,) = await box.attempts(message)
    assert attempt.outcome is None
    assert await box.state(message) is MessageState.QUEUED
    box.clock.turn(5000)
    assert await box.state(message) is MessageState.SENDING
    assert await box.store.fetch_all("SELECT * FROM journal") == []
    box.settle(box.intent(message), tp_mr=3)  # only the key of the intent counts
    assert await box.state(message) is MessageState.SENT
    assert await box.store.fetch_all("SELECT segments FROM sim_usage") == [(1,)]


async def test_the_gate_refuses_what_must_not_go_out(box):
    cancelled, late, gone, waiting = [await box.accept() for _ in range(4)]
    await box.store.write(
        lambda c: c.execute("UPDATE messages SET state = 76, ready = NULL WHERE id = ?", (cancelled,))
    )
    assert await box.outbox.begin(box.intent(cancelled)) is BeginVerdict.CANCELLED
    await box.outbox.decide(gone, Fail("why"))
    assert await box.outbox.begin(box.intent(gone)) is GONE
    await box.outbox.decide(waiting, RetryAt(box.clock.now_ms + 1000))
    assert await box.outbox.begin(box.intent(waiting)) is GONE
    assert await box.outbox.begin(box.intent(999_999)) is GONE
    box.clock.turn(49 * 3_600_000)
    assert await box.outbox.begin(box.intent(late)) is BeginVerdict.EXPIRED
    assert await box.store.fetch_all("SELECT * FROM journal") == []


async def test_two_intents_for_one_segment_are_never_open_together(box):
    message = await box.accept(on_unknown=OnUnknown.RESEND)
    verdicts = await asyncio.gather(
        box.outbox.begin(box.intent(message, sim=1)), box.outbox.begin(box.intent(message, n=2, sim=2))
    )
    assert verdicts == [GO, GONE]


async def test_a_settlement_submitted_before_the_next_intent_is_committed_with_it(box):
    first, second = await box.accept(), await box.accept()
    intent = box.intent(first)
    await box.outbox.begin(intent)
    box.settle(intent, tp_mr=1)
    await box.outbox.begin(box.intent(second))
    kinds = await box.store.fetch_all("SELECT kind, message_id FROM journal ORDER BY id")
    assert kinds in ([(1, first), (2, first), (1, second)], [(1, second)])  # or the fold was there already


async def test_an_unknown_segment_is_held_or_sent_again_by_policy(box):
    held, again = await box.accept(), await box.accept(on_unknown=OnUnknown.RESEND)
    for message in (held, again):
        intent = box.intent(message)
        await box.outbox.begin(intent)
        box.settle(intent, AttemptOutcome.UNKNOWN, cause="no_final: silence after Ctrl-Z")
    assert await box.row(held, "state, ready, cause") == (60, None, "no_final: silence after Ctrl-Z")
    assert await box.row(again, "state, ready") == (40, 1)
    assert await box.outbox.begin(box.intent(held, n=2)) is GONE
    assert await box.outbox.begin(box.intent(again, n=2)) is GO


async def test_resending_ends_after_a_few_tries(box):
    message = await box.accept(on_unknown=OnUnknown.RESEND)
    tries = 0
    while (queued := await box.outbox.load_one(message)) is not None:
        intent = box.intent(message, n=queued.tries + 1)
        assert await box.outbox.begin(intent) is GO
        box.settle(intent, AttemptOutcome.UNKNOWN)
        await box.outbox.flush()
        tries += 1
    assert tries == 4
    assert await box.state(message) is MessageState.UNKNOWN


async def test_a_rejected_attempt_leaves_the_message_ready_for_a_decision(box):
    message = await box.accept()
    intent = box.intent(message)
    await box.outbox.begin(intent)
    box.settle(intent, AttemptOutcome.REJECTED, cause="cms_38: network out of order")
    assert await box.row(message, "state, ready, tries, cause") == (40, 1, 1, "cms_38: network out of order")
    await box.outbox.decide(message, RetryAt(box.clock.now_ms + 10_000, "cms_38: network out of order"))
    assert await box.row(message, "state, ready, not_before") == (40, 2, box.clock.now_ms + 10_000)
    await box.check_counts()


async def test_decision_and_fold_in_either_order_end_alike(box):
    for first in ("decide", "fold"):
        message = await box.accept()
        intent = box.intent(message)
        await box.outbox.begin(intent)
        box.settle(intent, AttemptOutcome.REJECTED, cause="cms_1: unassigned number")
        if first == "fold":
            await box.outbox.flush()
        await box.outbox.decide(message, Fail("cms_1: unassigned number"))
        assert await box.row(message, "state, ready, tries, cause") == (74, None, 1, "cms_1: unassigned number")
    await box.check_counts()


async def test_a_decision_that_comes_too_late_changes_nothing(box):
    message = await box.accept()
    intent = box.intent(message)
    await box.outbox.begin(intent)
    await box.outbox.decide(message, Expire())  # in flight
    box.settle(intent, tp_mr=9)
    await box.outbox.decide(message, Fail("late"))
    assert await box.state(message) is MessageState.SENT


async def test_only_untouched_messages_may_be_cancelled(box):
    untouched, open_, tried = [await box.accept() for _ in range(3)]
    await box.outbox.begin(box.intent(open_))
    intent = box.intent(tried)
    await box.outbox.begin(intent)
    box.settle(intent, AttemptOutcome.NOT_SENT)
    await box.outbox.flush()
    answers = await box.store.read(lambda conn: [may_cancel(conn, one) for one in (untouched, open_, tried)])
    assert answers == [True, False, False]


async def test_without_a_report_asked_for_none_is_awaited(box):
    message = await box.accept(flags=MessageFlags.NONE)
    intent = box.intent(message)
    await box.outbox.begin(intent)
    box.settle(intent, tp_mr=1)
    await box.outbox.flush()
    assert [attempt.awaiting for attempt in await box.attempts(message)] == [False]


async def test_a_command_refused_before_its_gate_is_recorded_too(box):
    message = await box.accept()
    from modembank.messages.model import Settlement

    settlement = Settlement(box.intent(message), AttemptOutcome.REJECTED, box.clock.now_ms, cause="cms_304: bad PDU")
    await box.outbox.record_refused(settlement)
    assert await box.row(message, "state, tries") == (40, 1)
