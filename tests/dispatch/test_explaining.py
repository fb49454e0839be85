"""Every waiting message can say why it waits, with names and times."""

import asyncio

from fakes.lines import not_sent, refused
from fakes.outboxes import HOUR, route_spec
from modembank.dispatch.explaining import moment
from modembank.messages.model import MessageState
from modembank.messages.waiting import WaitingMessage
from modembank.modem.outcome import CauseClass


async def why(box, message):
    columns = "id, route_id, rank, state, ready, not_before, window, cause"
    row = await box.row(message, columns)
    return box.dispatcher.explain(WaitingMessage(*row[:3], MessageState(row[3]), row[4] == 1, *row[5:]))


async def test_no_modem(box):
    message = await box.accept()
    await box.settled()
    assert await why(box, message) == "no modem is registered"


async def test_a_named_sim_that_is_not_there(box):
    sim = await box.sim(3, "alarm")
    message = await box.accept(route=await box.route(route_spec(sim)))
    await box.line(1)
    await box.settled()
    assert await why(box, message) == "SIM alarm is in no registered modem"
    line = await box.line(3)
    box.dispatcher.line_down(line.sim_id, "no network")
    message = await box.accept(route=await box.route(route_spec(sim)))
    await box.settled()
    assert await why(box, message) == "SIM alarm is in no registered modem (no network)"


async def test_several_named_sims_and_a_pool(box):
    one, two = await box.sim(3, "red"), await box.sim(4)
    named = await box.accept(route=await box.route(route_spec(one, two)))
    pooled = await box.accept(route=await box.route(route_spec(pool="blue")))
    await box.settled()
    assert await why(box, named) == "SIM red, SIM slot-4 are in no registered modem"
    assert await why(box, pooled) == "no SIM of the pool blue is in a registered modem"


async def test_the_first_message_of_a_route_is_not_judged_by_another_route(box):
    await box.settled()
    waiting = WaitingMessage(1, 99, 0, MessageState.QUEUED, ready=True, not_before=None, window=None, cause=None)
    assert box.dispatcher.explain(waiting) == "the SIMs that may send it are being looked up"


async def test_a_limit_with_its_counts_and_time(box):
    await box.line(3, per_hour=2)
    messages = [await box.accept() for _ in range(4)]
    await box.until(lambda: len(box.air) == 2)
    await box.settled()
    reason = await why(box, messages[2])
    assert reason.startswith("SIM slot-3: 2 of 2 this hour, next at "), reason
    await box.line(4, per_minute=1)
    await box.until(lambda: len(box.air) == 3)
    await box.settled()
    reason = await why(box, messages[3])
    assert reason.startswith("SIM slot-4: 1 of 1 this minute, next at "), reason
    assert reason.endswith(" (and 1 other SIM waits too)")


async def test_a_paused_sim_with_its_reason(box):
    line = await box.line(3)
    await box.sims.pause(line.sim_id, "no credit")
    message = await box.accept()
    await box.settled()
    assert await why(box, message) == "SIM slot-3 is paused: no credit"


async def test_a_paused_sim_whose_line_the_bank_has_taken_down(box):
    first, second = await box.line(3), await box.line(4)
    for line in (first, second):
        await box.sims.pause(line.sim_id, "no credit")
        box.dispatcher.line_down(line.sim_id, "the SIM is paused: no credit")
    message = await box.accept()
    await box.settled()
    assert await why(box, message) == "SIM slot-3 is paused: no credit (and 1 other SIM waits too)"


async def test_a_schedule_a_retry_and_a_hold(box):
    scheduled = await box.accept(not_before=box.clock.now_ms + 48 * HOUR)
    assert (await why(box, scheduled)).startswith("scheduled for 2027-01-")
    line = await box.line()
    line.answers = [refused(CauseClass.NETWORK, "cms_38", "+CMS ERROR 38: network out of order")]
    tried = await box.accept()
    await box.until(lambda: line.submits == 1)
    await box.settled()
    reason = await why(box, tried)
    assert reason.startswith("will be tried again at ")
    assert reason.endswith(", after cms_38: +CMS ERROR 38: network out of order")
    held = await box.accept(publish=False)
    await box.outbox.begin(box.intent(held))
    await box.store.write(
        lambda conn: conn.execute("UPDATE messages SET state = 60, cause = 'x: y' WHERE id = ?", (held,))
    )
    assert (await why(box, held)).startswith("unknown whether it was sent (x: y): a delivery report settles it, or")


async def test_outside_its_window(box):
    hour = 8 if not 7 <= __import__("time").localtime(box.clock.now_ms / 1000).tm_hour <= 9 else 20
    await box.line()
    message = await box.accept(window=f"{hour:02d}:00-{hour:02d}:30")
    await box.settled()
    reason = await why(box, message)
    assert reason.startswith(f"outside its window {hour:02d}:00-{hour:02d}:30, which opens at ")
    assert f"{hour:02d}:00:00" in reason
    assert not box.air


async def test_its_place_and_its_sending(box):
    line = await box.line()
    line.release = asyncio.Event()
    messages = [await box.accept() for _ in range(4)]
    await box.until(lambda: len(box.air) == 1)
    assert await why(box, messages[0]) == "being sent through SIM slot-1"
    assert await why(box, messages[1]) == "it is next"
    assert await why(box, messages[2]) == "1 message is before it"
    assert await why(box, messages[3]) == "2 messages are before it"
    line.release.set()
    await box.until(lambda: len(box.air) == 4)
    assert await why(box, messages[0]) is None


async def test_a_resting_modem(box):
    line = await box.line()
    line.answers = [not_sent()]
    message = await box.accept()
    await box.until(lambda: line.submits == 1)
    await box.settled()
    assert (await why(box, message)).startswith("the modem of SIM slot-1 rests until ")


async def test_the_rest_of_a_long_message_whose_sim_is_gone(box):
    line = await box.line()
    script = iter([None, not_sent()])
    line.answer = lambda _: next(script, None)
    message = await box.accept(text="x" * 400, segments=3)
    await box.until(lambda: line.submits == 2)
    box.dispatcher.line_down(line.sim_id, "unplugged")
    await box.line(2)
    await box.settled()
    assert await why(box, message) == (
        "a part of it went through SIM slot-1, which is in no registered modem: the rest must follow through it"
    )
    await box.sims.pause(line.sim_id, "no credit")
    assert await why(box, message) == "a part of it went through SIM slot-1, which is paused: no credit"


async def test_a_full_list_of_recipients_names_the_limit(box):
    await box.line(recipients_per_month=1)
    await box.accept("+447911000001")
    await box.until(lambda: box.air)
    message = await box.accept("+447911000002")
    await box.settled()
    assert (await why(box, message)).startswith("SIM slot-1: 1 of 1 recipients in 31 days, next on ")


async def test_before_the_start(box):
    message = await box.accept()
    box.dispatcher._desk.open = False
    assert await why(box, message) == "sending has not started yet, or is being stopped"


def test_times_are_said_as_people_do():
    """The time of day on the same day, else with the date; never earlier than it is true."""
    now = 1_800_000_000_000
    assert len(moment(now + 1, now)) == len("HH:MM:SS")
    assert len(moment(now + 48 * HOUR, now)) == len("2027-01-17 08:00:00")
    assert moment(now + 1, now) == moment(now + 1000, now)
