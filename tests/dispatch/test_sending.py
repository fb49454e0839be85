"""Messages meet SIMs: order, fairness, limits, segments, windows."""

import asyncio
from collections import Counter

from structlog.testing import capture_logs

from fakes.lines import not_sent, refused, unknown
from fakes.outboxes import HOUR, route_spec
from modembank.events import BatchGrown
from modembank.ids import public_id
from modembank.messages.model import MessageFlags, MessageState, OnUnknown
from modembank.modem.outcome import AttemptOutcome, CauseClass

LONG = "x" * 400  # three segments


async def test_a_message_goes_out_through_the_only_sim(box):
    line = await box.line()
    message = await box.accept("+447911000001", "hello")
    await box.until(lambda: box.air)
    assert await box.state(message) is MessageState.SENT
    (sent,) = box.air
    assert (sent.sim_id, sent.number) == (line.sim_id, "+447911000001")
    assert sent.tpdu.status_report
    await box.check_counts()


async def test_offered_content_reaches_the_modem_within_two_turns_of_the_loop(box):
    line = await box.line()
    await box.accept()
    await box.settled()
    line.release = asyncio.Event()
    before = line.submits
    message = await box.accept(publish=False, offer=True)
    from modembank.events import MessagesReady

    box.bus.publish(MessagesReady(box.clock.now_ms, ((1, 4, message),)))
    for _ in range(2):
        await asyncio.sleep(0)
    assert line.submits == before + 1
    line.release.set()


async def test_by_priority_then_age(box):
    low = await box.accept("+447911000009", rank=9)
    first, second = await box.accept("+447911000001"), await box.accept("+447911000002")
    high = await box.accept("+447911000000", rank=0)
    await box.line()
    await box.until(lambda: len(box.air) == 4)
    assert [sent.number[-1] for sent in box.air] == ["0", "1", "2", "9"]
    assert low < first < second < high


async def test_idle_sims_share_evenly_when_messages_trickle(box):
    lines = [await box.line(number) for number in range(1, 9)]
    for count in range(80):
        await box.accept()
        await box.until(lambda count=count: len(box.air) == count + 1)
    shares = Counter(sent.sim_id for sent in box.air)
    assert all(9 <= shares[line.sim_id] <= 11 for line in lines), shares


async def test_idle_sims_share_evenly_a_burst(box):
    lines = [await box.line(number) for number in range(1, 9)]
    for line in lines:
        line.takes_s = 0.01
    for _ in range(80):
        await box.accept(publish=False)
    box.dispatcher._loader.reload()
    await box.until(lambda: len(box.air) == 80)
    shares = Counter(sent.sim_id for sent in box.air)
    assert all(8 <= shares[line.sim_id] <= 12 for line in lines), shares


async def test_limits_hold_and_the_message_behind_waits_for_the_time(box):
    await box.line(per_minute=3)
    for _ in range(5):
        await box.accept()
    await box.until(lambda: len(box.air) == 3)
    await box.settled()
    assert len(box.air) == 3
    await box.turn(61_000)
    await box.until(lambda: len(box.air) == 5)


async def test_a_limit_ends_by_itself_without_anybody_looking(box):
    await box.line(min_interval_s=0.05)
    await box.accept()
    await box.accept()
    await box.until(lambda: len(box.air) == 1)
    box.clock.turn(60)  # nobody is told: the sender's own timer must fire
    await box.until(lambda: len(box.air) == 2)


async def test_lowered_and_raised_limits_are_live(box):
    line = await box.line(per_hour=1)
    for _ in range(3):
        await box.accept()
    await box.until(lambda: len(box.air) == 1)
    await box.settled()
    assert len(box.air) == 1
    await box.sims.set_limits(line.sim_id, {"per_hour": 2})
    await box.until(lambda: len(box.air) == 2)
    await box.settled()
    assert len(box.air) == 2


async def test_a_long_message_goes_back_to_back_through_one_sim(box):
    for number in (1, 2):
        await box.line(number)
    messages = [await box.accept(text=LONG, segments=3) for _ in range(6)]
    await box.until(lambda: len(box.air) == 18)
    by_number = {}
    for sent in box.air:
        by_number.setdefault(sent.number, []).append(sent)
    assert len(by_number) == len(messages)
    for parts in by_number.values():
        assert len({part.sim_id for part in parts}) == 1
        assert [part.part[1:] for part in parts] == [(3, 1), (3, 2), (3, 3)]
        assert len({part.part[0] for part in parts}) == 1
    for sim in (1, 2):
        numbers = [sent.number for sent in box.air if sent.sim_id == sim]
        assert [numbers[at : at + 3] for at in range(0, len(numbers), 3)] == [
            [numbers[at]] * 3 for at in range(0, len(numbers), 3)
        ]


async def test_two_long_messages_to_one_number_have_different_references(box):
    await box.line()
    for _ in range(4):
        await box.accept("+447911000001", LONG, segments=3)
    await box.until(lambda: len(box.air) == 12)
    assert len({sent.part[0] for sent in box.air}) == 4


async def test_story_09_segments_are_counted(box):
    await box.line(per_hour=4)
    for _ in range(2):
        await box.accept(text=LONG, segments=3)
    await box.until(lambda: len(box.air) == 3)
    await box.settled()
    assert len(box.air) == 3
    await box.turn(HOUR + 61_000)
    await box.until(lambda: len(box.air) == 6)


async def test_a_message_larger_than_a_limit_goes_segment_by_segment(box):
    await box.line(per_minute=2)
    message = await box.accept(text=LONG, segments=3)
    await box.until(lambda: len(box.air) == 2)
    await asyncio.sleep(0.05)
    assert len(box.air) == 2
    await box.turn(61_000)
    await box.until(lambda: len(box.air) == 3)
    assert await box.state(message) is MessageState.SENT


async def test_the_rest_of_a_long_message_follows_through_its_sim_only(box):
    first = await box.line(1)
    script = iter([None, not_sent()])
    first.answer = lambda _: next(script, None)
    message = await box.accept(text=LONG, segments=3)
    await box.until(lambda: len(box.air) == 1)
    await box.settled()
    await box.line(2)
    await box.settled()
    assert len(box.air) == 1
    other = await box.accept()  # what is bound blocks nobody
    await box.until(lambda: len(box.air) == 2)
    assert box.air[-1].sim_id != first.sim_id
    box.dispatcher.line_down(first.sim_id, "unplugged")
    await box.settled()
    box.dispatcher.line_up(first)
    await box.until(lambda: len(box.air) == 4)
    assert [sent.part for sent in box.air if sent.sim_id == first.sim_id] == [
        (box.air[0].part[0], 3, number) for number in (1, 2, 3)
    ]
    assert [await box.state(one) for one in (message, other)] == [MessageState.SENT] * 2


async def test_the_rest_keeps_its_reference_over_a_crash(box):
    line = await box.line()
    script = iter([None])
    line.answer = lambda _: next(script, not_sent())
    message = await box.accept(text=LONG, segments=3)
    await box.until(lambda: len(box.air) == 1)
    await box.settled()
    await box.crash()
    await box.line()
    await box.until(lambda: len(box.air) == 3)
    assert len({sent.part[0] for sent in box.air}) == 1
    assert await box.state(message) is MessageState.SENT


async def test_routes_name_sims_and_pools(box):
    one, two = await box.line(1, "red"), await box.line(2, "blue")
    named = await box.accept("+447911000001", route=await box.route(route_spec(two.sim_id)))
    pooled = await box.accept("+447911000002", route=await box.route(route_spec(pool="red")))
    nowhere = await box.accept("+447911000003", route=await box.route(route_spec(99)))
    await box.until(lambda: len(box.air) == 2)
    await box.settled()
    assert {sent.number[-1]: sent.sim_id for sent in box.air} == {"1": two.sim_id, "2": one.sim_id}
    assert await box.state(nowhere) is MessageState.QUEUED
    assert named != pooled


async def test_a_label_set_later_opens_a_pool(box):
    line = await box.line()
    await box.accept(route=await box.route(route_spec(pool="green")))
    await box.settled()
    assert not box.air
    await box.sims.set_label(line.sim_id, "green")
    await box.until(lambda: box.air)


async def test_a_paused_sim_sends_nothing_until_resumed(box):
    line = await box.line()
    await box.sims.pause(line.sim_id, "by hand")
    await box.accept()
    await box.settled()
    assert not box.air
    await box.sims.resume(line.sim_id)
    await box.until(lambda: box.air)


async def test_distinct_recipients_are_limited_and_block_no_others(box):
    await box.line(1, recipients_per_month=1)
    await box.accept("+447911000001")
    await box.until(lambda: len(box.air) == 1)
    await box.accept("+447911000002")
    await box.accept("+447911000001")
    await box.until(lambda: len(box.air) == 2)
    assert [sent.number for sent in box.air] == ["+447911000001"] * 2
    await box.line(2)
    await box.until(lambda: len(box.air) == 3)


async def test_scheduled_messages_wait_for_their_time(box):
    await box.line()
    await box.accept(not_before=box.clock.now_ms + HOUR)
    await box.settled()
    assert not box.air
    await box.turn(HOUR)
    await box.until(lambda: box.air)


async def test_story_03_validity_is_checked_when_sending(box):
    messages = [await box.accept(valid_ms=HOUR) for _ in range(3)]
    box.clock.turn(2 * HOUR)
    await box.line()
    await box.settled()
    assert not box.air
    assert [await box.state(message) for message in messages] == [MessageState.EXPIRED] * 3


async def test_the_validity_period_is_what_is_left(box):
    await box.accept(valid_ms=2 * HOUR)
    box.clock.turn(HOUR)
    await box.line()
    await box.until(lambda: box.air)
    assert box.air[0].tpdu.validity.duration.total_seconds() == 3600


async def test_nothing_is_sent_before_the_start_and_all_of_it_after(tmp_path):
    from fakes.lines import DispatchBox

    box = await DispatchBox(tmp_path / "box.db").open(start=False)
    await box.line()
    await box.accept()
    await box.settled()
    assert not box.air
    await box.dispatcher.start()
    await box.until(lambda: box.air)
    await box.close()


async def test_flags_become_bits(box):
    await box.line()
    await box.accept(text="hi", flags=MessageFlags.FLASH | MessageFlags.FORCE_UCS2)
    await box.until(lambda: box.air)
    tpdu = box.air[0].tpdu
    assert tpdu.user_data.alphabet.name == "UCS2"
    assert tpdu.dcs.message_class == 0
    assert not tpdu.status_report


async def test_a_text_that_cannot_be_encoded_fails_and_blocks_nobody(box):
    bad = await box.accept(text="日本", flags=MessageFlags.FORCE_GSM7)
    wrong_count = await box.accept(text="short", segments=4)
    good = await box.accept()
    await box.line()
    await box.until(lambda: box.air)
    await box.settled()
    states = [await box.state(message) for message in (bad, wrong_count, good)]
    assert states == [MessageState.FAILED, MessageState.FAILED, MessageState.SENT]


async def test_a_cancelled_message_is_not_sent(box):
    message = await box.accept()
    await box.settled()
    from modembank.events import MessageStateChanged

    await box.store.write(lambda conn: conn.execute("UPDATE messages SET state = 76, ready = NULL"))
    await box.store.write(lambda conn: conn.execute("UPDATE state_counts SET state = 76 WHERE state <> 0"))
    line = await box.line()
    await box.settled()
    assert not box.air
    assert line.submits == 1  # the gate said no; told in time, it would not even have asked
    box.bus.publish(MessageStateChanged(0, message, 1, 76))
    assert box.dispatcher._desk.known() == frozenset()


async def test_a_batch_that_grows_by_timed_messages_has_the_next_time_looked_up(box):
    box.dispatcher._rearm.clear()
    box.bus.publish(BatchGrown(0, 1, 5, 1, int(MessageState.QUEUED)))
    assert not box.dispatcher._rearm.is_set()
    box.bus.publish(BatchGrown(0, 1, 5, 1, int(MessageState.SCHEDULED)))
    assert box.dispatcher._rearm.is_set()


async def test_more_messages_than_fit_in_memory(box):
    lines = [await box.line(number, up=False) for number in range(1, 5)]

    for _ in range(700):
        await box.accept(publish=False)
    for line in lines:
        box.dispatcher.line_up(line)
    box.dispatcher._loader.reload()
    await box.until(lambda: len(box.air) == 700)
    await box.settled()
    assert len({sent.number for sent in box.air}) == 700
    assert await box.check_counts() == {50: 700}


async def test_drain_lets_the_exchange_in_flight_end_and_gives_out_no_more(box):
    line = await box.line()
    line.release = asyncio.Event()
    first, second = await box.accept(), await box.accept()
    await box.until(lambda: len(box.air) == 1)
    draining = asyncio.create_task(box.dispatcher.drain())
    await asyncio.sleep(0.02)
    assert not draining.done()
    line.release.set()
    assert await draining
    assert len(box.air) == 1
    assert [await box.state(message) for message in (first, second)] == [MessageState.SENT, MessageState.QUEUED]


async def test_a_line_that_goes_down_in_flight_still_gives_its_result(box):
    line = await box.line()
    line.release = asyncio.Event()
    message = await box.accept()
    await box.until(lambda: box.air)
    box.dispatcher.line_down(line.sim_id, "unplugged")
    line.release.set()
    await box.settled()
    assert await box.state(message) is MessageState.SENT


async def test_story_05_one_bad_number_blocks_nobody(box):
    line = await box.line()
    bad = refused(CauseClass.NETWORK, "cms_38", "+CMS ERROR 38: network out of order")
    line.answer = lambda tpdu: bad if tpdu.destination.number == "+447911000001" else None
    stuck = await box.accept("+447911000001")
    for _ in range(5):
        await box.accept()
    await box.until(lambda: len(box.air) == 5)
    await box.settled()
    state, ready, cause = await box.row(stuck, "state, ready, cause")
    assert (state, ready) == (MessageState.SENDING, 2)
    assert cause == "cms_38: +CMS ERROR 38: network out of order"


async def test_story_02_an_unknown_segment_is_not_sent_twice_under_hold(box):
    line = await box.line()
    line.answers = [unknown()]
    with capture_logs() as logs:
        held = await box.accept()
        await box.until(lambda: box.air)
        await box.settled()
    assert await box.state(held) is MessageState.UNKNOWN
    [ended] = [one for one in logs if one["event"] == "segment_ended"]
    assert (ended["log_level"], ended["message"]) == ("warning", public_id("msg", held))
    await box.turn(HOUR)
    await box.settled()
    assert len(box.air) == 1
    line.answers = [unknown()]
    again = await box.accept(on_unknown=OnUnknown.RESEND)
    await box.until(lambda: len(box.air) == 2)
    await box.settled()
    await box.turn(10 * 60_000)
    await box.until(lambda: len(box.air) == 3)
    assert await box.state(again) is MessageState.SENT
    assert box.air[1].outcome is AttemptOutcome.UNKNOWN


async def test_a_sender_that_breaks_starts_again_and_loses_nothing(box):
    """A fault of ours before the gate: the message is found in the store again."""
    line = await box.line()
    broken = [True]

    def break_once(_tpdu):
        if broken:
            broken.clear()
            raise RuntimeError

    line.answer = break_once
    message = await box.accept()
    await box.until(lambda: box.air)
    assert await box.state(message) is MessageState.SENT
    assert len(box.air) == 1


async def test_a_store_that_cannot_be_read_for_a_while_delays_and_loses_nothing(box):
    from modembank.store import StoreError

    original, broken = box.outbox.load, [True]

    async def load(*args, **how):
        if broken:
            broken.clear()
            raise StoreError(detail="disk I/O error")
        return await original(*args, **how)

    box.outbox.load = load
    await box.line()
    await box.accept()
    await box.until(lambda: box.air)


async def test_a_merged_sim_serves_routes_that_name_its_old_row(box):
    """A SIM first known by its IMSI gets its ICCID later: messages for the old row go out through the card."""
    from modembank.sim import SimIdentity

    by_imsi = await box.sims.identify(SimIdentity(imsi="262011234567890"), "slot-1")
    route = await box.route(route_spec(by_imsi.id))
    message = await box.accept(route=route)
    whole = await box.sims.identify(SimIdentity(iccid="89490200001234567890", imsi="262011234567890"), "slot-1")
    from fakes.lines import ScriptedLine

    box.lines[whole.id] = ScriptedLine(whole.id, "slot-1", box.air, box.clock)
    box.dispatcher.line_up(box.lines[whole.id])
    await box.until(lambda: box.air)
    assert await box.state(message) is MessageState.SENT


async def test_story_02_a_first_segment_that_is_resent_keeps_its_reference(box):
    """The phone may have it already: with another reference it would wait there for a rest that never comes."""
    line = await box.line()
    line.answers = [unknown()]
    await box.accept("+447911000001", text="x" * 200, segments=2, on_unknown=OnUnknown.RESEND)
    await box.until(lambda: len(box.air) == 1)
    await box.settled()
    await box.turn(120_000)
    await box.until(lambda: len(box.air) == 3)
    assert [sent.part[2] for sent in box.air] == [1, 1, 2]
    assert len({sent.part[0] for sent in box.air}) == 1


async def test_a_report_that_proves_a_segment_stops_its_resending(box):
    line = await box.line()
    line.answers = [unknown()]
    message = await box.accept("+447911000001", on_unknown=OnUnknown.RESEND)
    await box.until(lambda: box.air)
    await box.settled()
    await box.outbox.report(line.sim_id, box.facts("+447911000001", 42), 1)
    await box.settled()
    await box.turn(10 * 60_000)
    await box.settled()
    assert len(box.air) == 1
    assert await box.state(message) is MessageState.DELIVERED


async def test_a_pool_of_two_keeps_both_busy(box):
    lines = [await box.line(number, "red") for number in (1, 2)]
    for line in lines:
        line.release = asyncio.Event()
    route = await box.route(route_spec(pool="red"))
    for _ in range(4):
        await box.accept(route=route)
    await box.until(lambda: len(box.air) == 2)
    assert {sent.sim_id for sent in box.air} == {line.sim_id for line in lines}
    for line in lines:
        line.release.set()
    await box.until(lambda: len(box.air) == 4)


async def test_a_request_with_more_recipients_than_fit_goes_out_best_first(box):
    from modembank.events import MessagesReady

    line = await box.line()
    await box.accept()
    await box.until(lambda: len(box.air) == 1)
    line.release = asyncio.Event()
    await box.accept()
    await box.until(lambda: len(box.air) == 2)
    ids = [await box.accept(publish=False) for _ in range(600)]
    urgent = await box.accept("+447911999999", rank=0, publish=False)
    ready = [(1, 4, message) for message in ids] + [(1, 0, urgent)]
    box.bus.publish(MessagesReady(box.clock.now_ms, tuple(ready)))
    await box.until(lambda: len(box.dispatcher._desk.routes[1]) > 0)
    assert len(box.dispatcher._desk.known()) <= 513
    line.release.set()
    await box.until(lambda: len(box.air) == 603)
    assert box.air[2].number == "+447911999999"
    assert len({sent.number for sent in box.air}) == 603


async def test_a_message_known_from_outdated_reading_is_read_again_and_not_forgotten(box):
    message = await box.accept(publish=False)
    stale = await box.outbox.load_one(message)
    intent = box.intent(message)
    await box.outbox.begin(intent)
    await box.settle(intent, AttemptOutcome.REJECTED, cause="cms_38: network out of order")
    await box.outbox.flush()
    queue = box.dispatcher._desk.add_route(await box.outbox.route(1))
    box.dispatcher._desk.loaded(queue, [stale], exhausted=True)
    line = await box.line()
    await box.until(lambda: box.air)
    assert line.submits == 2  # the gate refused what was outdated
    assert await box.row(message, "state, tries") == (MessageState.SENT, 2)
