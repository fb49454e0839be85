"""Nothing is dispatched to who has opted out, at whatever moment the opt-out comes."""

import asyncio

from fakes.lines import not_sent
from modembank.dispatch import withdrawals
from modembank.events import OptOutsChanged
from modembank.messages.model import MessageFlags, MessageState
from modembank.optouts import Change, Source
from modembank.optouts.writing import change

NUMBER, OTHER = "+447911123456", "+447911123457"


async def put_out(box, *, tell=True, number=NUMBER):
    await box.store.write(lambda conn: change(conn, Change(number, True, box.clock.now_ms, Source.API)))
    if tell:
        box.bus.publish(OptOutsChanged(box.clock.now_ms, (number,), True))


async def ended(box, message):
    await box.until(lambda: True)
    for _ in range(2000):
        if await box.state(message) is MessageState.FAILED:
            break
        await asyncio.sleep(0.0025)
    state, cause = await box.row(message, "state, cause")
    assert state == MessageState.FAILED
    assert cause.startswith("opted_out: ")
    await box.check_counts()


async def test_the_gate_alone_keeps_it_back(box):
    """Nobody was told, as when the command line wrote beside the daemon."""
    message = await box.accept(NUMBER)
    await put_out(box, tell=False)
    await box.line()
    await ended(box, message)
    assert box.air == []


async def test_what_waits_is_ended_though_no_sim_serves_it(box):
    message, other = await box.accept(NUMBER), await box.accept("+447911123457")
    await box.settled()
    await put_out(box)
    await ended(box, message)
    assert await box.state(other) is MessageState.QUEUED


async def test_what_waits_is_ended_soon_though_nobody_told_the_daemon(box, monkeypatch):
    """The command line writes beside it, and the message waits for next week."""
    monkeypatch.setattr(withdrawals, "LOOK_S", 0.01)
    message = await box.accept(NUMBER, not_before=box.clock.now_ms + 7 * 86_400_000)
    await box.settled()
    box.clock.turn(-3_600_000)
    await box.store.write(lambda conn: change(conn, Change(OTHER, True, box.clock.now_ms, Source.API)))
    box.bus.publish(OptOutsChanged(box.clock.now_ms, (OTHER,), True))  # the last look of the long kind
    box.clock.turn(1)
    await put_out(box, tell=False)
    await ended(box, message)


async def test_what_was_not_ended_before_a_crash_is_after_it(box):
    message = await box.accept(NUMBER)
    await put_out(box, tell=False)
    await box.crash()
    await ended(box, message)


async def test_it_comes_between_the_segments_of_a_message(box):
    line = await box.line()
    line.release = asyncio.Event()
    message = await box.accept(NUMBER, "x" * 400, segments=3)
    await box.until(lambda: len(box.air) == 1)
    await put_out(box)
    line.release.set()
    await ended(box, message)
    assert len(box.air) == 1
    assert (await box.row(message, "cause"))[0].endswith("after 1 of 3 segments were sent")


async def test_the_line_goes_on_with_the_next_message(box):
    for _ in range(3):
        await box.accept(NUMBER)
    await put_out(box, tell=False)
    await box.accept("+447911123457")
    await box.line()
    await box.until(lambda: len(box.air) == 1)
    assert box.air[0].number == "+447911123457"


async def test_the_confirmation_goes_out(box):
    await put_out(box)
    message = await box.accept(NUMBER, flags=MessageFlags.CONSENT)
    await box.line()
    await box.until(lambda: len(box.air) == 1)
    await box.settled()
    assert await box.state(message) is MessageState.SENT


async def test_a_retry_asks_again(box):
    line = await box.line()
    line.answers = [not_sent()]
    message = await box.accept(NUMBER)
    await box.until(lambda: line.submits == 1)
    await put_out(box, tell=False)
    await box.turn(3_600_000)
    await ended(box, message)
    assert box.air == []
