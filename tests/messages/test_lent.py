"""Messages that are only lent: they begin before their deadline or not at all, and can be taken back until then."""

import pytest

from fakes.outboxes import HOUR, OutboxBox
from modembank.messages.lent import Lending
from modembank.messages.model import BeginVerdict, Intent, MessageState, Settlement
from modembank.modem.outcome import AttemptOutcome


@pytest.fixture
async def box(tmp_path):
    opened = await OutboxBox(tmp_path / "box.db").open()
    yield opened
    await opened.close()


def intent(box, message, segment=1, n=1):
    return Intent(message, segment, n, 1, "slot-01", box.clock.now_ms)


async def lending(box):
    made = Lending(box.bus, box.clock)
    made.deadlines = box.outbox.deadlines
    return made


async def test_the_gate_is_shut_from_the_deadline_on_whatever_the_wall_clock_says(box):
    message = await box.accept(valid_ms=1000 * HOUR)
    box.outbox.deadlines.put(message, box.clock.monotonic() + 10)
    assert not box.outbox.deadlines.is_over(message)
    box.clock.turn(10_000)
    assert await box.outbox.begin(intent(box, message)) is BeginVerdict.EXPIRED
    box.outbox.deadlines.forget(message)
    assert await box.outbox.begin(intent(box, message)) is BeginVerdict.GO


async def test_the_rest_of_a_message_follows_what_went_in_time(box):
    message = await box.accept(segments=2, text="x" * 200)
    box.outbox.deadlines.put(message, box.clock.monotonic() + 10)
    first = intent(box, message)
    assert await box.outbox.begin(first) is BeginVerdict.GO
    await box.outbox.settle(Settlement(first, AttemptOutcome.ACCEPTED, box.clock.now_ms, 1))
    box.clock.turn(10_000)
    assert await box.outbox.begin(intent(box, message, 2)) is BeginVerdict.GO


async def test_what_the_network_refused_is_not_tried_again_after_the_deadline(box):
    message = await box.accept()
    box.outbox.deadlines.put(message, box.clock.monotonic() + 10)
    first = intent(box, message)
    assert await box.outbox.begin(first) is BeginVerdict.GO
    await box.outbox.settle(Settlement(first, AttemptOutcome.REJECTED, box.clock.now_ms))
    box.clock.turn(10_000)
    assert await box.outbox.begin(intent(box, message, n=2)) is BeginVerdict.EXPIRED


async def test_it_is_taken_back_while_no_modem_had_it(box):
    lent, message = await lending(box), await box.accept()
    standing = await box.store.read(lambda conn: lent.standing(conn, message))
    assert (standing.state, standing.tried, standing.out) == (MessageState.QUEUED, False, False)
    events = await box.store.write(lambda conn: lent.take_back(conn, message, "pool: test", box.clock.now_ms))
    assert [event.state for event in events] == [MessageState.CANCELLED]
    assert await box.outbox.begin(intent(box, message)) is BeginVerdict.CANCELLED
    assert await box.store.write(lambda conn: lent.take_back(conn, message, "pool: test", 0)) is None


async def test_it_is_not_taken_back_when_a_modem_has_it(box):
    lent, message = await lending(box), await box.accept()
    assert await box.outbox.begin(intent(box, message)) is BeginVerdict.GO
    assert await box.store.write(lambda conn: lent.take_back(conn, message, "pool: test", 0)) is None
    standing = await box.store.read(lambda conn: lent.standing(conn, message))
    assert (standing.tried, standing.out) == (True, True)
    assert await box.store.read(lambda conn: lent.standing(conn, 999_999)) is None
