"""When and how much is folded, and what happens when the store cannot take it."""

import asyncio

import pytest

from fakes.outboxes import OutboxBox
from modembank.events import MessageStateChanged
from modembank.messages.model import Fail, MessageState, ReportMatch
from modembank.messages.outbox import fold
from modembank.modem.outcome import AttemptOutcome
from modembank.store import StoreError, Urgency


def failing_once(store, urgency):
    """Have the next write of an urgency fail as a full disk would."""
    original, failed = store.submit, []

    def submit(fn, asked=Urgency.NOW, **how):
        if asked is urgency and not failed:
            failed.append(True)
            future = asyncio.get_running_loop().create_future()
            future.set_exception(StoreError(detail="disk I/O error"))
            return future
        return original(fn, asked, **how)

    store.submit = submit
    return failed


async def until(condition):
    for _ in range(4000):
        if condition():
            return
        await asyncio.sleep(0.0025)
    raise AssertionError


async def sent(box, **how):
    message = await box.accept(**how)
    intent = box.intent(message)
    await box.outbox.begin(intent)
    box.settle(intent, tp_mr=1)
    return message


async def test_more_rows_than_one_fold_takes(box, monkeypatch):
    monkeypatch.setattr(fold, "FOLD_LIMIT", 5)
    messages = [await sent(box) for _ in range(12)]
    await box.outbox.flush()
    assert await box.store.fetch_all("SELECT * FROM journal") == []
    assert {await box.state(message) for message in messages} == {MessageState.SENT}
    assert await box.store.fetch_all("SELECT sum(segments) FROM sim_usage") == [(12,)]


async def test_a_fold_cut_between_intent_and_settlement_counts_once(box, monkeypatch):
    monkeypatch.setattr(fold, "FOLD_LIMIT", 3)
    message = await box.accept()
    for n in (1, 2, 3):
        intent = box.intent(message, n=n)
        await box.outbox.begin(intent)
        box.settle(intent, AttemptOutcome.REJECTED, cause="cms_38: x")
        box.clock.turn(5000)  # the third intent is old enough to be folded open
    await box.outbox.flush()
    assert await box.row(message, "state, tries") == (MessageState.SENDING, 3)
    assert await box.store.fetch_all("SELECT sum(segments) FROM sim_usage") == [(3,)]
    assert [attempt.outcome for attempt in await box.attempts(message)] == [AttemptOutcome.REJECTED] * 3


async def test_much_that_is_settled_does_not_wait_for_the_lazy_window(tmp_path, monkeypatch):
    monkeypatch.setattr("modembank.messages.outbox.folding.EARLY_ROWS", 5)
    box = OutboxBox(tmp_path / "box.db", lazy_s=3600)
    await box.open()
    told = []
    box.bus.subscribe(MessageStateChanged, told.append)
    messages = [await sent(box) for _ in range(4)]
    await box.settle(box.intent(messages[0], n=9))  # all before it is durable, and it is too few yet
    assert not told
    messages += [await sent(box) for _ in range(4)]
    await until(lambda: told)
    assert {event.message for event in told} <= set(messages)
    await box.close()


async def test_a_fold_that_fails_is_made_again(box, monkeypatch):
    monkeypatch.setattr("modembank.messages.outbox.folding.AGAIN_S", 0.01)
    failed = failing_once(box.store, Urgency.LAZY)
    told = []
    box.bus.subscribe(MessageStateChanged, told.append)
    await sent(box)
    await until(lambda: told)
    assert failed
    assert told[0].state == MessageState.SENT


async def test_story_02_a_settlement_that_could_not_be_written_is_written_later(box, monkeypatch):
    monkeypatch.setattr("modembank.messages.outbox.outbox.RETRY_S", 0.01)
    message = await box.accept()
    intent = box.intent(message)
    await box.outbox.begin(intent)
    failed = failing_once(box.store, Urgency.SOON)
    await box.settle(intent, tp_mr=5)
    assert failed
    assert await box.state(message) is MessageState.SENT


async def test_a_decision_that_could_not_be_written_is_told_by_a_reload(box):
    from modembank.events import MessagesReady

    message = await box.accept()
    failing_once(box.store, Urgency.LAZY)
    await box.outbox.decide(message, Fail("x"))
    assert await box.outbox.load_one(message) is not None
    assert [event.entries for event in box.events if isinstance(event, MessagesReady)][-1] == ()


async def test_after_the_close_nothing_is_raised_and_the_attempt_is_unknown_at_the_next_start(box):
    message, other = await box.accept(), await box.accept()
    intent = box.intent(message)
    await box.outbox.begin(intent)
    await box.store.close()
    assert box.settle(intent, tp_mr=1).cancelled()
    assert box.outbox.decide(other, Fail("x")).cancelled()
    await box.reopen()
    assert await box.state(message) is MessageState.UNKNOWN
    assert await box.state(other) is MessageState.QUEUED


async def test_attempts_and_reports_are_counted(box):
    message = await sent(box, recipient="+447911000001")
    await box.outbox.flush()
    await box.outbox.report(1, box.facts("+447911000001", 1), 1)
    await box.outbox.report(1, box.facts("+447911000009", 1), 1)
    await box.outbox.flush()
    value = box.metrics.registry.get_sample_value
    assert value("modembank_attempts_total", {"outcome": "accepted"}) == 1
    assert value("modembank_delivery_reports_total", {"match": ReportMatch.MATCHED}) == 1
    assert value("modembank_delivery_reports_total", {"match": ReportMatch.ORPHAN}) == 1
    assert await box.state(message) is MessageState.DELIVERED


@pytest.mark.parametrize("order", ["isr", "irs"])
async def test_intent_settlement_and_report_in_any_order_that_can_be(box, order):
    """A report may overtake the settlement; the intent is always first."""
    message = await box.accept("+447911000001")
    intent = box.intent(message)
    for step in order:
        if step == "i":
            await box.outbox.begin(intent)
        elif step == "s":
            box.settle(intent, tp_mr=1)
        else:
            await box.outbox.report(1, box.facts("+447911000001", 1), 1)
        await box.outbox.flush()
    assert await box.state(message) is MessageState.DELIVERED
    await box.check_counts()
