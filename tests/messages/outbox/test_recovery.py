"""After a crash: what was open is UNKNOWN, what was journalled is folded, nothing is lost or counted twice."""

import pytest

from modembank.messages.model import BeginVerdict, MessageState, OnUnknown
from modembank.modem.outcome import AttemptOutcome


async def test_story_01_an_interrupted_attempt_is_unknown_and_held(box):
    message = await box.accept()
    await box.outbox.begin(box.intent(message))
    await box.reopen()
    assert (box.recovery.interrupted, box.recovery.held, box.recovery.resending) == (1, 1, 0)
    state, ready, cause = await box.row(message, "state, ready, cause")
    assert (state, ready) == (MessageState.UNKNOWN, None)
    assert cause.startswith("interrupted: ")
    assert await box.outbox.load_one(message) is None
    assert await box.outbox.begin(box.intent(message, n=2)) is BeginVerdict.GONE
    assert await box.store.fetch_all("SELECT segments FROM sim_usage") == [(1,)]
    await box.check_counts()


async def test_the_policy_resend_makes_it_ready_again(box):
    message = await box.accept(on_unknown=OnUnknown.RESEND)
    await box.outbox.begin(box.intent(message))
    await box.reopen()
    assert (box.recovery.interrupted, box.recovery.held, box.recovery.resending) == (1, 0, 1)
    queued = await box.outbox.load_one(message)
    assert (queued.tries, queued.done) == (1, frozenset())


@pytest.mark.parametrize("crash_after", ["settle", "fold"])
async def test_story_02_segments_that_were_taken_are_never_sent_again(box, crash_after):
    message = await box.accept(segments=3)
    first = box.intent(message)
    await box.outbox.begin(first)
    await box.settle(first, tp_mr=1)
    if crash_after == "fold":
        await box.outbox.flush()
    await box.outbox.begin(box.intent(message, segment=2))
    await box.reopen()
    queued = await box.outbox.load_one(message)
    assert queued.done == {1, 2}  # 2 may have been sent: under HOLD it counts as done, the third follows
    assert (queued.sim_id, queued.tries) == (1, 1)
    for segment in (1, 2):
        assert await box.outbox.begin(box.intent(message, segment=segment, n=2)) is BeginVerdict.GONE
    last = box.intent(message, segment=3, n=2)
    assert await box.outbox.begin(last) is BeginVerdict.GO
    box.settle(last, tp_mr=3)
    assert await box.state(message) is MessageState.UNKNOWN


async def test_recovering_twice_changes_nothing_more(box):
    messages = [await box.accept() for _ in range(4)]
    for sim, message in enumerate(messages, 1):
        intent = box.intent(message, sim=sim)
        await box.outbox.begin(intent)
        if sim % 2:
            await box.settle(intent, AttemptOutcome.ACCEPTED, tp_mr=sim)
    await box.reopen()
    before = await box.store.fetch_all("SELECT * FROM messages ORDER BY id")
    usage = await box.store.fetch_all("SELECT * FROM sim_usage")
    await box.reopen()
    assert box.recovery.interrupted == box.recovery.folded == 0
    assert await box.store.fetch_all("SELECT * FROM messages ORDER BY id") == before
    assert await box.store.fetch_all("SELECT * FROM sim_usage") == usage
    await box.check_counts()


async def test_a_message_that_was_only_ready_is_ready_after_the_restart(box):
    message = await box.accept()
    await box.reopen()
    assert (await box.outbox.load_one(message)).id == message
    assert [route.id for route in await box.outbox.routes()] == [1]
