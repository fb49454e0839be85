"""Stories 9 to 11: what a SIM may send is never exceeded, wherever it sits, and one without credit hurts nobody."""

import itertools

import pytest

from fakes.boxes import NO_LIMITS, TurnedClock, box_on, emulated, running
from fakes.stories import CALM
from modembank.config import LimitsConfig, SimConfig, SimLimitsConfig
from modembank_emulator import FaultKind
from modembank_emulator.identities import iccid

LONG = "x" * 300  # two segments


def limits(**values):
    return LimitsConfig(**{"min_interval_s": 0, "per_minute": 0, "per_hour": 0, "per_day": 0, "per_month": 0, **values})


def numbers(count, start=0):
    return [f"+1999000{place:04d}" for place in range(start, start + count)]


def through(box, place):
    return [seen for seen in box.bank.network.ledger if seen.iccid == box.bank.cards[place].iccid and seen.accepted]


async def test_story_09_limits_count_segments(tmp_path):
    async with box_on(tmp_path, modems=1, limits=limits(per_hour=5)) as box:
        batch = await box.send(numbers(3), LONG)
        reason = await box.waiting_for(batch["messages"][2]["id"], "SIM")
        assert reason.startswith("SIM slot-01: 4 of 5 this hour, next ")
        assert len(box.seen()) == 4  # the third does not begin with the one segment that is left
        assert (await box.sim(0))["used"]["per_hour"] == 4
        await box.turn(3661)
        await box.until_status(batch["messages"][2]["id"], "delivered")
        assert len(box.seen()) == 6


async def test_story_09_a_message_larger_than_the_limit_goes_segment_by_segment(tmp_path):
    async with box_on(tmp_path, modems=1, limits=limits(per_minute=2)) as box:
        sent = await box.send("+19990000001", "y" * 700)
        assert sent["segments"] == 5
        for so_far in (2, 4):
            await box.until(lambda so_far=so_far: len(box.seen()) == so_far)
            await box.until(lambda so_far=so_far: used(box, so_far))
            await box.turn(62)
        await box.until_status(sent["id"], "delivered")
        times = [seen.at for seen in box.bank.network.ledger]
        assert all(later - earlier >= 60 for earlier, later in zip(times, times[2:], strict=False))


async def used(box, segments):
    return (await box.sim(0))["used"]["per_month"] == segments


async def test_story_09_attempts_that_the_network_may_have_count(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1, limits=limits(per_hour=3)) as box:
        box.bank.modems[0].faults.arm(FaultKind.DROP_FINAL)
        box.bank.network.refuse("+19990000001", 42)
        for number in numbers(3):
            await box.send(number)
        await box.until(lambda: used(box, 3))
        last = await box.send("+19990000009")
        assert (await box.waiting_for(last["id"], "SIM slot-01: ")).startswith("SIM slot-01: 3 of 3 this hour")


async def test_story_09_the_interval_between_messages(tmp_path):
    async with box_on(tmp_path, modems=1, limits=limits(min_interval_s=300)) as box:
        batch = await box.send(numbers(3), LONG)
        for message in batch["messages"]:
            await box.until_status(message["id"], "delivered")
            await box.turn(301)
        starts = [seen.at for seen in box.bank.network.ledger][::2]
        assert all(later - earlier >= 300 for earlier, later in itertools.pairwise(starts))


async def test_story_10_a_cap_on_recipients(tmp_path):
    async with box_on(tmp_path, modems=1, limits=limits(recipients_per_month=3)) as box:
        batch = await box.send(numbers(5))
        for message in batch["messages"][:3]:
            await box.until_status(message["id"], "delivered")
        again = await box.send(numbers(1)[0], "a second time")
        await box.until_status(again["id"], "delivered")
        for message in batch["messages"][3:]:
            reason = await box.waiting_for(message["id"], "SIM")
            assert reason.startswith("SIM slot-01: 3 of 3 recipients in 31 days, next on ")
        await box.limit(0, recipients_per_month=4)
        await box.until_status(batch["messages"][3]["id"], "delivered")
        assert (await box.sim(0))["used"]["recipients_per_month"] == 4
        assert box.seen() == [*numbers(3), numbers(1)[0], numbers(4)[3]]


async def test_story_10_recipients_are_known_after_a_restart(tmp_path):
    async with emulated(tmp_path / "tty", modems=1) as bank:
        for start in (0, 2):
            async with running(bank, tmp_path / "data", limits=limits(recipients_per_month=3)) as box:
                batch = await box.send(numbers(2, start))
                await box.until_status(batch["messages"][0]["id"], "delivered")
                if start == 0:
                    await box.until_status(batch["messages"][1]["id"], "delivered")
                else:
                    await box.waiting_for(batch["messages"][1]["id"], "SIM slot-01: 3 of 3 recipients")
        assert [seen.destination for seen in bank.network.ledger] == numbers(3)


@pytest.mark.parametrize("code", [21, 38])
async def test_story_11_a_sim_like_one_without_credit_is_paused_and_others_take_over(tmp_path, code):
    async with box_on(tmp_path, timings=CALM) as box:
        broke = box.bank.cards[0]
        broke.credit, broke.no_credit_code = False, code
        sent = []
        for number in numbers(40):
            sent.append(await box.send(number))
            if (await box.sim(0))["paused"]:
                break
            await box.until(lambda: len(box.bank.network.ledger) >= len(sent))
        sim = await box.until(lambda: paused(box))
        assert f"last with +CMS ERROR {code}: " in sim["paused_reason"]
        assert "check its credit" in sim["paused_reason"]
        refused = {seen.destination for seen in box.bank.network.ledger if not seen.accepted}
        assert len(refused) == (3 if code == 21 else 5)
        for accepted in sent:  # what was refused once waits for its time, what was refused twice takes the other SIM
            await box.until(lambda accepted=accepted: a_minute_later(box, accepted["id"]))
        assert {seen.iccid for seen in box.bank.network.ledger if seen.accepted} == {box.bank.cards[1].iccid}
        assert sorted(box.seen()) == sorted(accepted["to"] for accepted in sent)
        broke.credit = True
        await box.patch_sim(0, paused=False)
        back = await box.send("+19990009999", sim="slot-01")
        await box.until_status(back["id"], "delivered")


async def paused(box):
    sim = await box.sim(0)
    return sim if sim["paused"] else None


async def a_minute_later(box, identifier):
    if not any(modem.reception.unanswered for modem in box.bank.modems):  # they wait 15 s, then stop routing
        await box.turn(60)
    return (await box.message(identifier))["status"] == "delivered"


async def test_story_11_the_only_sim_without_credit_waits_for_a_person(tmp_path):
    async with box_on(tmp_path, modems=1) as box:
        box.bank.cards[0].credit, box.bank.cards[0].no_credit_code = False, 21
        batch = await box.send(numbers(5))
        sim = await box.until(lambda: paused(box))
        assert sim["paused_reason"].startswith("refused 3 numbers in a row, last with +CMS ERROR 21: ")
        last = batch["messages"][-1]["id"]
        assert await box.waiting_for(last, "SIM") == f"SIM slot-01 is paused: {sim['paused_reason']}"
        box.bank.cards[0].credit = True
        await box.patch_sim(0, paused=False)
        await box.turn(100)
        for message in batch["messages"]:
            await box.until_status(message["id"], "delivered")
        assert sorted(box.seen()) == numbers(5)


async def test_limits_follow_the_sim_to_another_modem(tmp_path):
    async with box_on(tmp_path, timings=CALM, limits=limits(per_hour=2)) as box:
        for message in (await box.send(numbers(2), sim="slot-01"))["messages"]:
            await box.until_status(message["id"], "delivered")
        first, second = box.bank.cards
        for modem in box.bank.modems:
            modem.unplug()
        await box.until(lambda: not any(view.able_to_send for view in box.app.bank.modems()))
        box.bank.modems[1].replug(first)
        box.bank.modems[0].replug(second)
        await box.until_registered()
        held = await box.send("+19990000100", sim=first.iccid)
        assert (await box.waiting_for(held["id"], "SIM slot-02: ")).startswith("SIM slot-02: 2 of 2 this hour")
        free = await box.send("+19990000101", sim=second.iccid)
        message = await box.until_status(free["id"], "delivered")
        assert message["attempts"][0]["slot"] == "slot-01"
        assert len(through(box, 0)) == 2
        await box.turn(3661)
        message = await box.until_status(held["id"], "delivered")
        assert message["attempts"][0]["slot"] == "slot-02"


async def test_limits_hold_over_a_restart(tmp_path):
    clock = TurnedClock()
    async with emulated(tmp_path / "tty", modems=1) as bank:
        async with running(bank, tmp_path / "data", limits=limits(per_hour=3, per_day=4), clock=clock) as box:
            batch = await box.send(numbers(5))
            for message in batch["messages"][:3]:
                await box.until_status(message["id"], "delivered")
        async with running(bank, tmp_path / "data", limits=limits(per_hour=3, per_day=4), clock=clock) as box:
            fourth, fifth = batch["messages"][3:]
            reason = await box.waiting_for(fourth["id"], "SIM")
            assert reason.startswith("SIM slot-01: 3 of 3 this hour, next ")
            await box.turn(3661)
            await box.until_status(fourth["id"], "delivered")
            reason = await box.waiting_for(fifth["id"], "SIM")
            assert reason.startswith("SIM slot-01: 4 of 4 in 24 hours, next ")
            assert box.seen() == numbers(4)


async def test_limits_are_changed_live_and_kept(tmp_path):
    async with emulated(tmp_path / "tty", modems=1) as bank:
        async with running(bank, tmp_path / "data", limits=limits(per_hour=1)) as box:
            batch = await box.send(numbers(4))
            await box.waiting_for(batch["messages"][1]["id"], "SIM slot-01: 1 of 1 this hour")
            changed = await box.limit(0, per_hour=3)
            assert changed["limits"]["per_hour"] == 3
            assert changed["overrides"] == {"per_hour": 3}
            await box.waiting_for(batch["messages"][3]["id"], "SIM slot-01: 3 of 3 this hour")
        async with running(bank, tmp_path / "data", limits=limits(per_hour=1)) as box:
            await box.waiting_for(batch["messages"][3]["id"], "SIM slot-01: 3 of 3 this hour")
            back = await box.limit(0, per_hour=None)
            assert back["limits"]["per_hour"] == 1
            await box.limit(0, per_hour=0)
            await box.until_status(batch["messages"][3]["id"], "delivered")
            assert box.seen() == numbers(4)


async def test_limits_of_a_sim_in_the_file_hold_for_it_alone(tmp_path):
    sims = (SimConfig(iccid=iccid(0), label="small", limits=SimLimitsConfig(per_hour=2)),)
    async with box_on(tmp_path, limits=NO_LIMITS, sims=sims) as box:
        batch = await box.send(numbers(30))
        for message in batch["messages"]:
            await box.until_status(message["id"], "delivered")
        assert len(through(box, 0)) <= 2
        assert len(box.seen()) == 30
        held = [await box.send("+19990000500", pool="small") for _ in range(3)]
        reason = await box.waiting_for(held[-1]["id"], "SIM small: ")
        assert reason.startswith("SIM small: 2 of 2 this hour")
