"""Stories 27 and 28: every delivery report finds its message, whenever and however it comes."""

import pytest

from fakes.boxes import box_on, emulated, running
from fakes.stories import CALM
from modembank.events import MessageStateChanged
from modembank.messages.model import MessageState
from modembank_emulator import FaultKind, ReportPlan, SeenSubmit, Step

TO = "+19990000001"
FAILED, PENDING = 0x42, 0x30
DIALECTS = ("generic", "huawei", "quectel", "simcom")


def later(seconds, status=0):
    return ReportPlan((Step(status, delay=seconds),))


def watch(box):
    """The states of all messages in the order of the events."""
    states = []
    box.app.bus.subscribe(MessageStateChanged, lambda event: states.append(MessageState(event.state)))
    return states


async def matches(box):
    return {kind: n for (kind,), n in (await box.metrics("modembank_delivery_reports_total")).items()}


async def orphans(box):
    return await box.app.store.fetch_one("SELECT count(*) FROM orphan_reports")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_story_28_around_the_final_result(tmp_path, dialect):
    """Before it, in one read with it, after it, later, in the national form, first pending, and twice."""
    plans = ("before_cmgs", "glued_before", "glued_after", "delivered", "national", "pending_then_delivered", "twice")
    async with box_on(tmp_path, modems=1, dialect=dialect) as box:
        states = watch(box)
        sent = {}
        for place, plan in enumerate(plans):
            number = f"+1999000010{place}"
            box.bank.network.plan_reports(number, plan)
            sent[plan] = await box.send(number)
        for plan, accepted in sent.items():
            message = await box.until_status(accepted["id"], "delivered")
            (attempt,) = message["attempts"]
            assert (attempt["outcome"], attempt["report_status"]) == ("accepted", 0), plan
            assert message["report"]["status"] == "delivered"
        assert len(box.seen()) == len(plans)
        await box.until(lambda: reported(box, 9))
        assert states.count(MessageState.DELIVERED) == len(plans)
        assert await orphans(box) == (0,)


async def test_story_28_a_report_handed_to_nobody_comes_again(tmp_path):
    """The daemon is down when it comes: unanswered, the modem would stop routing, and the ones behind were lost too."""
    async with emulated(tmp_path / "tty", modems=1) as bank:
        bank.network.default_plan = later(300)
        async with running(bank, tmp_path / "data") as box:
            sent = [await box.send(f"+1999000000{place}") for place in range(3)]
            for accepted in sent:
                await box.until_status(accepted["id"], "sent")
        bank.advance(301)
        async with running(bank, tmp_path / "data") as box:
            bank.advance(3)  # until the centre tries again, well before the modem gives up waiting
            for accepted in sent:
                assert (await box.until_status(accepted["id"], "delivered"))["report"]["reported"] == 1
            assert {report.where for report in bank.network.reports} == {"direct"}


async def reported(box, amount):
    return sum((await matches(box)).values()) == amount


async def test_story_28_minutes_later_and_never(tmp_path):
    async with box_on(tmp_path, modems=1) as box:
        box.bank.network.plan_reports(TO, "after_minutes")
        box.bank.network.plan_reports("+19990000002", "never")
        late, never = await box.send(TO), await box.send("+19990000002")
        for accepted in (late, never):
            message = await box.until_status(accepted["id"], "sent")
            assert message["report"]["status"] == "pending"
            assert message["waiting_for"] is None
        await box.turn(301)
        await box.until_status(late["id"], "delivered")
        await box.turn(5 * 86400)
        await box.app.dispatcher._outbox.sweep()
        message = await box.message(never["id"])
        assert (message["status"], message["cause"]) == ("sent", None)
        assert box.seen() == [TO, "+19990000002"]


async def test_story_28_twice_counts_once(tmp_path):
    async with box_on(tmp_path, modems=1) as box:
        states = watch(box)
        box.bank.network.plan_reports(TO, ReportPlan((Step(delay=0.0), Step(delay=60.0))))
        sent = await box.send(TO)
        before = await box.until_status(sent["id"], "delivered")
        await box.turn(61)
        await box.until(lambda: reported(box, 2))
        assert await matches(box) == {"matched": 1, "duplicate": 1}
        assert await box.message(sent["id"]) == before
        assert states.count(MessageState.DELIVERED) == 1


async def test_story_28_failed_and_then_delivered_after_all(tmp_path):
    async with box_on(tmp_path, modems=1) as box:
        states = watch(box)
        box.bank.network.plan_reports(TO, ReportPlan((Step(FAILED, delay=0.0), Step(delay=60.0))))
        sent = await box.send(TO)
        message = await box.until_status(sent["id"], "undelivered")
        assert message["cause"].startswith("report_42: ")
        await box.turn(61)
        message = await box.until_status(sent["id"], "delivered")
        assert message["cause"] is None
        assert states == sorted(states)


async def test_story_28_a_repeated_report_proves_no_other_message(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        box.bank.network.plan_reports(TO, ReportPlan((Step(delay=0.0), Step(delay=60.0))))
        first = await box.send(TO, "first")
        await box.until_status(first["id"], "delivered")
        box.bank.network.plan_reports(TO, "never")
        box.bank.modems[0].faults.arm(FaultKind.DROP_FINAL)
        second = await box.send(TO, "second")
        await box.until_status(second["id"], "unknown")
        await box.turn(61)
        await box.until(lambda: reported(box, 2))
        assert await matches(box) == {"matched": 1, "duplicate": 1}
        assert (await box.message(second["id"]))["status"] == "unknown"


async def test_story_28_delivered_and_then_failed_stays_delivered(tmp_path):
    async with box_on(tmp_path, modems=1) as box:
        box.bank.network.plan_reports(TO, ReportPlan((Step(delay=0.0), Step(FAILED, delay=60.0))))
        sent = await box.send(TO)
        before = await box.until_status(sent["id"], "delivered")
        await box.turn(61)
        await box.until(lambda: reported(box, 2))
        assert await box.message(sent["id"]) == before


async def test_story_28_after_a_retry_the_first_try_is_proved(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1) as box:
        states = watch(box)
        box.bank.network.plan_reports(TO, "after_minutes")
        box.bank.modems[0].faults.arm(FaultKind.DROP_FINAL)
        sent = await box.send(TO, on_unknown="resend")
        await box.waiting_for(sent["id"], "will be tried again at ")
        await box.turn(90)
        await box.until(lambda: len(box.seen()) == 2)
        await box.until(lambda: ended(box, sent["id"], 2))
        await box.turn(212)
        message = await box.until_status(sent["id"], "delivered")
        assert [attempt["outcome"] for attempt in message["attempts"]] == ["unknown", "accepted"]
        await box.turn(90)
        await box.until(lambda: reported(box, 2))
        assert (await box.message(sent["id"]))["status"] == "delivered"
        assert states == sorted(set(states))


async def ended(box, identifier, attempts):
    outcomes = [attempt["outcome"] for attempt in (await box.message(identifier))["attempts"]]
    return len(outcomes) == attempts and "in_flight" not in outcomes


async def test_story_27_references_wrap_and_numbers_repeat(tmp_path):
    """256 messages later the same reference comes again, here even to the same number."""
    async with box_on(tmp_path, modems=1) as box:
        card = box.bank.cards[0]
        box.bank.network.plan_reports(TO, later(3600.0, FAILED))
        first = await box.send(TO, "first")
        await box.until_status(first["id"], "sent")
        reference = card.last_reference
        batch = await box.send([f"+1999001{place:04d}" for place in range(255)])
        await box.until(lambda: len(box.seen()) == 256)
        await box.turn(1200)
        box.bank.network.plan_reports(TO, later(600.0))
        second = await box.send(TO, "second")
        await box.until_status(second["id"], "sent")
        assert card.last_reference == reference
        box.bank.network.plan_reports("+19990000009", "delivered")
        card.last_reference = (reference - 1) % 256
        third = await box.send("+19990000009")
        await box.until_status(third["id"], "delivered")
        await box.turn(601)
        await box.until_status(second["id"], "delivered")
        assert (await box.message(first["id"]))["status"] == "sent"
        await box.turn(1900)
        await box.until_status(first["id"], "undelivered")
        assert (await box.message(second["id"]))["status"] == "delivered"
        assert (await box.metrics("modembank_messages"))["delivered",] == len(batch["messages"]) + 2


async def test_story_27_the_older_report_comes_first(tmp_path):
    async with box_on(tmp_path, modems=1) as box:
        card = box.bank.cards[0]
        box.bank.network.plan_reports(TO, later(1800.0, FAILED))
        first = await box.send(TO, "first")
        await box.until_status(first["id"], "sent")
        await box.turn(1200)
        card.last_reference = (card.last_reference - 1) % 256
        box.bank.network.plan_reports(TO, later(1200.0))
        second = await box.send(TO, "second")
        await box.until_status(second["id"], "sent")
        await box.turn(601)
        await box.until_status(first["id"], "undelivered")
        assert (await box.message(second["id"]))["status"] == "sent"
        await box.turn(601)
        await box.until_status(second["id"], "delivered")


async def test_story_27_the_sim_sits_in_another_modem_by_then(tmp_path):
    async with box_on(tmp_path, timings=CALM) as box:
        box.bank.network.plan_reports(TO, "after_minutes")
        sent = await box.send(TO, sim="slot-01")
        await box.until_status(sent["id"], "sent")
        card = box.bank.cards[0]
        for modem in box.bank.modems:
            modem.unplug()
        await box.until(lambda: not any(view.able_to_send for view in box.app.bank.modems()))
        box.bank.modems[1].replug(card)
        await box.until(lambda: box.app.bank.modem("slot-02").able_to_send)
        await box.turn(301)
        message = await box.until_status(sent["id"], "delivered")
        assert message["attempts"][0]["slot"] == "slot-01"


async def test_story_27_a_stranger_s_report_settles_nothing_now_or_later(tmp_path):
    async with box_on(tmp_path, modems=1) as box:
        network, card = box.bank.network, box.bank.cards[0]
        network.plan_reports(TO, "never")
        waiting = await box.send(TO)
        await box.until_status(waiting["id"], "sent")
        reference = (card.last_reference + 1) % 256
        for number, mr in (("+19998887777", card.last_reference), (TO, reference), (TO, 200)):
            seen = SeenSubmit(box.bank.schedule.now(), card.imsi, card.iccid, number, mr, "", "accepted", True)
            network.offer(card, network._report(card, seen, 0, national=False))
        await box.until(lambda: reported(box, 3))
        assert await matches(box) == {"orphan": 3}
        assert (await box.message(waiting["id"]))["status"] == "sent"
        await box.turn(10)
        behind = await box.send(TO)  # gets the reference of a report that came before it
        await box.until_status(behind["id"], "sent")
        assert card.last_reference == reference
        await box.turn(60)
        await box.app.store.flush()
        assert (await box.message(behind["id"]))["status"] == "sent"
        assert await box.inbox() == []


async def test_story_28_without_a_report_asked_for_none_is_awaited(tmp_path):
    async with box_on(tmp_path, modems=1) as box:
        sent = await box.send(TO, delivery_report=False)
        message = await box.until_status(sent["id"], "sent")
        assert message["report"] is None
        assert not box.bank.network.ledger[0].wants_report
        assert not message["attempts"][0]["report_at"]
