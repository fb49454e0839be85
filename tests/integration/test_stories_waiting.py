"""Stories 6 to 8: a message says why it waits, its status never goes backwards, and none is without a trace."""

import asyncio
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from fakes.boxes import box_on, emulated, running
from fakes.outboxes import known
from fakes.stories import CALM
from modembank.config import LimitsConfig
from modembank.events import MessageStateChanged
from modembank.messages.model import TERMINAL, MessageState
from modembank_emulator import PLANS, FaultKind, Stage

TO = "+19990000001"


def local(moment):
    return moment.astimezone()


def soon(text, box, **ahead):
    """Whether a time of day (with its date on another day) is at most so far ahead, and not past."""
    now = local(datetime.fromtimestamp(box.clock.now(), UTC))
    form = "%Y-%m-%d %H:%M:%S" if "-" in text else "%H:%M:%S"
    said = datetime.strptime(text, form).replace(tzinfo=now.tzinfo)
    if "-" not in text:
        said = said.replace(year=now.year, month=now.month, day=now.day)
    return now - timedelta(seconds=1) <= said <= now + timedelta(**ahead)


async def test_story_06_no_modem_is_registered(tmp_path):
    async with box_on(tmp_path, timings=CALM) as box:
        box.bank.network.cell(up=False)
        await box.until(lambda: not any(view.able_to_send for view in box.app.bank.modems()))
        sent = await box.send(TO)
        assert await box.waiting_for(sent["id"], "no") == "no modem is registered"
        named = await box.send(TO, sim="slot-02")
        reason = await box.waiting_for(named["id"], "SIM")
        assert reason.startswith("SIM slot-02 is in no registered modem (the modem is searching")
        await box.patch_sim(1, label="alarm")
        pooled = await box.send(TO, pool="alarm")
        assert await box.waiting_for(pooled["id"], "no") == "no SIM of the pool alarm is in a registered modem"


async def test_story_06_a_limit_says_how_much_is_used_and_when_it_goes_on(tmp_path):
    async with box_on(tmp_path, limits=LimitsConfig(min_interval_s=0, per_minute=0, per_hour=2, per_day=0)) as box:
        for _ in range(2):
            done = await box.send(TO, sim="slot-01")
            done = await box.until_status(done["id"], "delivered")
        waits = await box.send(TO, sim="slot-01")
        reason = await box.waiting_for(waits["id"], "SIM slot-01: ")
        assert reason.startswith("SIM slot-01: 2 of 2 this hour, next ")
        free = datetime.fromisoformat(done["attempts"][0]["started_at"]) + timedelta(hours=1)
        shown = {f"{local(free + timedelta(minutes=more)):%H:%M}" for more in range(3)}
        assert re.search(r"(\d\d:\d\d)$", reason)[1] in shown
        await box.limit(1, per_hour=0)
        behind = await box.send(TO)
        await box.until_status(behind["id"], "delivered")
        assert (await box.message(behind["id"]))["sim"] == box.bank.cards[1].iccid


async def test_story_06_all_sims_at_their_limits(tmp_path):
    async with box_on(tmp_path, limits=LimitsConfig(min_interval_s=0, per_minute=1, per_hour=0, per_day=0)) as box:
        await box.send([f"+1999000{place:04d}" for place in range(2)])
        await box.until(lambda: len(box.seen()) == 2)
        waits = await box.send(TO)
        reason = await box.waiting_for(waits["id"], "SIM slot-0")
        found = re.fullmatch(r"SIM slot-0[12]: 1 of 1 this minute, next at (\S+) \(and 1 other SIM waits too\)", reason)
        assert found, reason
        assert soon(found[1] if found[1].count(":") == 2 else f"{found[1]}:00", box, minutes=2)
        await box.turn(62)
        await box.until_status(waits["id"], "delivered")


@pytest.mark.parametrize("sims", [1, 2])
async def test_story_06_a_paused_sim(tmp_path, sims):
    async with box_on(tmp_path, modems=sims) as box:
        for place in range(sims):
            await box.patch_sim(place, paused=True, paused_reason="out of credit")
        sent = await box.send(TO)
        more = " (and 1 other SIM waits too)" if sims == 2 else ""
        reason = await box.waiting_for(sent["id"], "SIM")
        assert reason == f"SIM slot-01 is paused: out of credit{more}"
        named = await box.send(TO, sim="slot-01")
        assert await box.waiting_for(named["id"], "SIM") == "SIM slot-01 is paused: out of credit"
        await box.patch_sim(0, paused=False)
        await box.until_status(sent["id"], "delivered")
        await box.until_status(named["id"], "delivered")


async def test_story_06_outside_its_window(tmp_path):
    async with box_on(tmp_path) as box:
        now = local(datetime.fromtimestamp(box.clock.now(), UTC))
        opens, closes = now + timedelta(hours=2), now + timedelta(hours=3)
        window = f"{opens:%H:%M}-{closes:%H:%M}"
        sent = await box.send(TO, window=window)
        reason = await box.waiting_for(sent["id"], "outside")
        day = "" if opens.date() == now.date() else f"{opens:%Y-%m-%d} "
        assert reason == f"outside its window {window}, which opens at {day}{opens:%H:%M}:00"
        await box.turn(2 * 3600)
        await box.until_status(sent["id"], "delivered")


async def test_story_06_scheduled(tmp_path):
    async with box_on(tmp_path) as box:
        when = datetime.fromtimestamp(box.clock.now(), UTC).replace(microsecond=0) + timedelta(days=1, hours=1)
        sent = await box.send(TO, send_at=when.isoformat())
        assert sent["status"] == "scheduled"
        assert await box.waiting_for(sent["id"], "sch") == f"scheduled for {local(when):%Y-%m-%d %H:%M:%S}"
        await box.turn(25 * 3600 + 1)
        await box.until_status(sent["id"], "delivered")


async def test_story_06_after_a_refusal(tmp_path):
    async with box_on(tmp_path, modems=1) as box:
        box.bank.network.refuse(TO, 42)
        sent = await box.send(TO)
        reason = await box.waiting_for(sent["id"], "will")
        found = re.fullmatch(r"will be tried again at (\S+), after cms_42: \+CMS ERROR 42: congestion", reason)
        assert found, reason
        assert soon(found[1], box, seconds=15)


async def test_story_06_the_rest_of_a_long_message_waits_for_its_sim(tmp_path):
    async with box_on(tmp_path, timings=CALM) as box:
        for modem in box.bank.modems:
            modem.faults.arm(FaultKind.UNPLUG, nth=2, stage=Stage.COMMAND)
        sent = await box.send(TO, "x" * 300)
        reason = await box.waiting_for(sent["id"], "a part")
        place = int(re.search(r"slot-0(\d)", reason)[1]) - 1
        assert reason == (
            f"a part of it went through SIM slot-0{place + 1}, which is in no registered modem:"
            " the rest must follow through it"
        )
        box.bank.modems[place].replug()
        await box.until_status(sent["id"], "delivered")
        assert len({seen.iccid for seen in box.bank.network.ledger}) == 1
        assert len(box.seen()) == 2


async def test_story_07_and_08_no_status_goes_backwards_and_none_is_lost(tmp_path):
    """Every plan of reports and many faults at once; every change of state is seen on the bus."""
    faults = [
        {"kind": FaultKind.DROP_FINAL, "nth": 4},
        {"kind": FaultKind.CMS_ERROR, "nth": 6, "code": 42},
        {"kind": FaultKind.CMS_ERROR, "nth": 9, "code": 500, "sent": True},
        {"kind": FaultKind.PLAIN_ERROR, "nth": 11},
        {"kind": FaultKind.NO_PROMPT, "nth": 13},
        {"kind": FaultKind.RESET, "nth": 15, "stage": Stage.SENT},
        {"kind": FaultKind.LATE_FINAL, "nth": 19, "seconds": 0.3},
    ]
    async with box_on(tmp_path, timings=CALM, modems=4) as box:
        states = {}
        box.app.bus.subscribe(MessageStateChanged, lambda event: states.setdefault(event.message, []).append(event))
        for number, modem in enumerate(box.bank.modems):
            for fault in faults[number % 2 :: 2] if number < 3 else faults:
                modem.faults.arm(**fault)
        plans = [*PLANS, None, None]
        numbers = [f"+1999000{place:04d}" for place in range(130)]
        for place, number in enumerate(numbers):
            if (plan := plans[place % len(plans)]) is not None:
                box.bank.network.plan_reports(number, plan)
        box.bank.network.refuse(numbers[7], 1)
        sent = [await box.send(numbers, "hello", on_unknown=policy) for policy in ("hold", "resend")]
        sent.append(await box.send(numbers[:10], "in three parts " * 25))
        async with asyncio.timeout(60):
            while await unsettled(box):
                await asyncio.sleep(0.3)
                await box.turn(30)
        for events in states.values():
            values = [event.state for event in events]
            assert values == sorted(set(values), key=known)
            ended = [state for state in values if state in TERMINAL]
            assert len(ended) <= 1 or ended[-1] == MessageState.DELIVERED
        by_state = await box.metrics("modembank_messages")
        counted = {state.word: 0 for state in MessageState}
        for last in (events[-1].state for events in states.values()):
            counted[MessageState(last).word] += 1
        assert {state: n for (state,), n in by_state.items()} == counted
        assert sum(by_state.values()) == 270 == (await box.metrics("modembank_messages_accepted_total"))[()]
        assert counted["failed"] == 3
        assert counted["sent"] >= 1
        batches = [[await box.message(one["id"]) for one in batch["messages"]] for batch in sent]
    for message in batches[0]:  # those under hold
        assert "unknown" not in [attempt["outcome"] for attempt in message["attempts"][:-1]]
    tried = Counter(message["to"] for batch in batches for message in batch for _ in message["attempts"])
    assert Counter(box.seen()) <= tried


async def unsettled(box):
    by_state = await box.metrics("modembank_messages")
    return sum(n for (state,), n in by_state.items() if state in {"accepted", "scheduled", "queued", "sending"})


async def test_story_08_every_message_is_counted_also_after_a_restart(tmp_path):
    async with emulated(tmp_path / "tty") as bank:
        bank.network.refuse("+19990000003", 1)
        async with running(bank, tmp_path / "data") as box:
            sent = await box.send([f"+1999000{place:04d}" for place in range(10)])
            for accepted in sent["messages"]:
                await box.until_status(accepted["id"], "delivered", "failed")
            await box.send(TO, window="00:00-00:01")
            before = await box.metrics("modembank_messages")
        async with running(bank, tmp_path / "data") as box:
            assert await box.metrics("modembank_messages") == before
    assert sum(before.values()) == 11
    assert before["delivered",] == 9
    assert before["failed",] == 1
