"""The service and the dispatcher together: what is accepted goes out once, and says why while it does not."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest

from fakes.lines import DispatchBox, unknown
from fakes.senders import ANNE, NUMBER
from modembank.config import SendingConfig
from modembank.errors import Conflict
from modembank.ids import row_id
from modembank.messages import Admission, MessageFilter, Messages, SubmitRequest


@pytest.fixture
async def box(tmp_path):
    opened = await DispatchBox(tmp_path / "box.db").open()
    admission = Admission(opened.sims, SendingConfig(), "GB")
    opened.messages = Messages(opened.store, opened.bus, opened.clock, opened.metrics, admission, opened.dispatcher)
    opened.messages.lend_to(opened.outbox.offer)
    yield opened
    await opened.close()


async def submit(box, to=NUMBER, **fields):
    return await box.messages.submit(ANNE, SubmitRequest(**({"to": to, "text": "hi"} | fields)))


async def test_what_is_accepted_goes_out_and_is_shown_as_sent(box):
    await box.line(1)
    receipt = await submit(box)
    await box.until(lambda: len(box.air) == 1)
    await box.settled()
    view = await box.messages.get(ANNE, receipt.messages[0].id)
    assert (view.status, view.waiting_for, len(view.attempts)) == ("sent", None, 1)
    assert box.air[0].number == NUMBER


async def test_its_content_is_not_read_back(box, monkeypatch):
    await box.line(1)
    await submit(box)
    await box.until(lambda: len(box.air) == 1)

    async def never(ids):
        pytest.fail("read back from the store")

    monkeypatch.setattr(box.outbox, "load_some", never)
    for _ in range(3):
        await submit(box)
    await box.until(lambda: len(box.air) == 4)


async def test_what_waits_says_for_what(box):
    sim = await box.sim(3, "alarm")
    receipt = await submit(box, sim="alarm")
    await box.settled()
    view = await box.messages.get(ANNE, receipt.messages[0].id)
    assert view.waiting_for == "SIM alarm is in no registered modem"
    [listed] = (await box.messages.list(ANNE, MessageFilter())).items
    assert listed == view
    await box.line(3, "alarm")
    await box.until(lambda: len(box.air) == 1)
    assert box.air[0].sim_id == sim


async def test_a_scheduled_one_is_sent_when_its_time_comes_and_not_before(box):
    await box.line(1)
    later = datetime.fromtimestamp(box.clock.now() + 3600, UTC)
    receipt = await submit(box, send_at=later)
    await box.settled()
    view = await box.messages.get(ANNE, receipt.messages[0].id)
    assert view.status == "scheduled"
    assert view.waiting_for.startswith("scheduled for ")
    assert box.air == []
    await box.turn(3_600_000)
    await box.until(lambda: len(box.air) == 1)


async def test_an_unknown_one_is_held_with_words_on_what_to_do(box):
    line = await box.line(1)
    line.answers = [unknown()]
    receipt = await submit(box)
    await box.until(lambda: len(box.air) == 1)
    await box.settled()
    view = await box.messages.get(ANNE, receipt.messages[0].id)
    assert view.status == "unknown"
    assert view.waiting_for.startswith("unknown whether it was sent")
    assert "settle" in view.waiting_for
    assert view.attempts[0].outcome == "unknown"
    with pytest.raises(Conflict):
        await box.messages.cancel(ANNE, view.id)
    assert len(box.air) == 1


async def test_in_flight_it_can_be_seen_and_not_cancelled(box):
    line = await box.line(1)
    line.release = asyncio.Event()
    receipt = await submit(box)
    await box.until(lambda: len(box.air) == 1)
    public = receipt.messages[0].id
    view = await box.messages.get(ANNE, public)
    assert (view.status, view.attempts[0].outcome) == ("sending", "in_flight")
    assert view.waiting_for == "being sent through SIM slot-1"
    with pytest.raises(Conflict, match="being sent now"):
        await box.messages.cancel(ANNE, public)
    line.release.set()
    await box.settled()
    assert (await box.messages.get(ANNE, public)).status == "sent"


async def test_a_batch_larger_than_memory_goes_out_whole(box):
    for number in (1, 2, 3):
        await box.line(number)
    receipt = await submit(box, [f"+4479{n:08d}" for n in range(1300)])
    await box.until(lambda: len(box.air) == 1300)
    await box.settled()
    assert Counter(sent.number for sent in box.air).most_common(1)[0][1] == 1
    page = await box.messages.list(ANNE, MessageFilter(batch=receipt.batch, status=("sent",)), limit=500)
    assert len(page.items) == 500
    assert (await box.messages.counts())["sent"] == 1300


async def test_what_is_cancelled_is_never_on_the_air_and_all_else_is(box):
    """Cancelling while three lines send: each message is either cancelled or sent, never both, never neither."""
    receipt = await submit(box, [f"+4479{n:08d}" for n in range(120)])
    cancelled: set[str] = set()

    async def cancel(public: str) -> None:
        try:
            await box.messages.cancel(ANNE, public)
        except Conflict:
            return
        cancelled.add(public)

    for number in (1, 2, 3):
        await box.line(number)
    await asyncio.gather(*(cancel(each.id) for each in receipt.messages[::-2]))
    await box.until(lambda: len(box.air) == 120 - len(cancelled))
    await box.settled()
    on_air = {sent.number for sent in box.air}
    for each in receipt.messages:
        assert (each.id in cancelled) is not (each.to in on_air)
    found = await box.messages.recount()
    assert found.holds
    assert (found.counted["cancelled"], found.counted["sent"]) == (len(cancelled), 120 - len(cancelled))


async def test_story_04_a_repeated_request_is_on_the_air_once(box):
    from modembank.messages import IdempotencyKey

    await box.line(1)
    request = SubmitRequest(to=NUMBER, text="hi")
    key = IdempotencyKey.of("order-1", b"{}")
    answers = await asyncio.gather(*(box.messages.submit(ANNE, request, key) for _ in range(5)))
    await box.settled()
    again = await box.messages.submit(ANNE, request, key)
    await box.settled()
    assert {answer.messages for answer in answers} == {again.messages}
    assert len(box.air) == 1
    assert row_id("msg", again.messages[0].id) is not None
