"""Story 13 in full: every kind of hang, idle and in mid-send, each ended by the rung that can, all others going on."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from fakes.boxes import box_on, emulated, running
from fakes.stories import BRISK, CALM, modems, sent_to, until_final, until_inbox, until_modem
from fakes.usb import FakeUsb
from modembank_emulator import Ending, FaultKind, Fixed, LatencyModel, Mute, Stage
from modembank_emulator.control import ControlServer

OTHERS = [f"+1888{number:07d}" for number in range(30)]
LASTING = BRISK.scaled(quarantine_s=600.0)
"""A quarantine that does not end within a test."""


async def others_send(box, slot):
    """Thirty messages through a modem that is well, each once."""
    batch = await box.send(OTHERS, sim=slot)
    await until_final(box, batch["messages"], "delivered")
    taken = Counter(sent_to(box.bank))
    assert all(taken[number] == 1 for number in OTHERS)


async def serves(box, slot, number="+17770000000"):
    await until_modem(box, slot, lambda modem: modem["able_to_send"])
    sent = await box.send(number, "as before", sim=slot)
    await box.until_status(sent["id"], "delivered")


@asynccontextmanager
async def chatter(modem):
    """Unsolicited codes keep coming."""

    async def talk():
        while True:
            modem.urc("^RSSI: 17")
            await asyncio.sleep(0.02)

    task = asyncio.create_task(talk())
    try:
        yield
    finally:
        task.cancel()


# -- told apart


async def test_story_13_every_kind_of_hang_is_told_apart_while_the_others_send(tmp_path):
    async with box_on(tmp_path, timings=LASTING, modems=6) as box:
        silent, deaf, mirror, jammed, confused, _ = box.bank.modems
        async with chatter(deaf):
            silent.hang(Mute.ALL)
            deaf.hang(Mute.COMMANDS)
            mirror.hang(Mute.ECHO)
            jammed.terminal.jam()
            confused.faults.arm(FaultKind.ANSWER_WITH_NEXT, command="", times=None)
            kinds = ("silent", "deaf", "echo_only", "write_stuck", "confused")
            for number, kind in enumerate(kinds, 1):
                seen = await until_modem(box, f"slot-{number:02d}", lambda modem: modem["recovery"])
                assert seen["recovery"][0]["trouble"] == kind
                assert not seen["able_to_send"]
            await others_send(box, "slot-06")
        for number in range(1, 6):
            box.bank.modems[number - 1].heal()
            assert (await box.client.post(f"/api/v1/modems/slot-{number:02d}/reset")).status_code == 200
            await serves(box, f"slot-{number:02d}")
        assert (await modems(box))["slot-06"]["recovery"] == []


# -- in mid-send

HANGS = (FaultKind.HANG, FaultKind.HANG_URCS_FLOW, FaultKind.ECHO_ONLY, FaultKind.UNPLUG)


async def hang_in_mid_send(box, stage):
    """Let each of the first modems hang in its own way inside a message of its own; return the messages."""
    sent = []
    for number, kind in enumerate(HANGS, 1):
        box.bank.modems[number - 1].faults.arm(kind, stage=stage)
        sent.append(await box.send(f"+1999000000{number}", sim=f"slot-{number:02d}"))
    await others_send(box, "slot-05")
    return sent


async def heal_all(box):
    for number in range(1, len(HANGS) + 1):
        modem = box.bank.modems[number - 1]
        modem.heal()
        if not modem.plugged:
            modem.replug()
        await box.client.post(f"/api/v1/modems/slot-{number:02d}/reset")
    await box.until_registered()


def outcomes(message):
    return [attempt["outcome"] for attempt in message["attempts"]]


async def test_story_13_a_hang_before_ctrl_z_is_not_sent_and_goes_out_later_once(tmp_path):
    async with box_on(tmp_path, timings=LASTING, modems=5) as box:
        sent = await hang_in_mid_send(box, Stage.COMMAND)
        for message in sent:
            await until_outcome(box, message["id"], "not_sent")
        assert not [number for number in sent_to(box.bank) if number not in OTHERS]
        await heal_all(box)
        for message in await until_final(box, sent, "delivered"):
            assert outcomes(message)[0] == "not_sent"
            assert outcomes(message)[-1] == "accepted"
            assert sent_to(box.bank).count(message["to"]) == 1


async def until_outcome(box, identifier, outcome):
    async def ended():
        return outcome in outcomes(await box.message(identifier))

    await box.until(ended)


async def test_story_13_a_hang_after_ctrl_z_is_unknown_and_never_sent_again(tmp_path):
    async with box_on(tmp_path, timings=LASTING, modems=5) as box:
        sent = await hang_in_mid_send(box, Stage.CTRL_Z)
        await until_final(box, sent, "unknown")
        await heal_all(box)
        for number in range(1, 5):
            await serves(box, f"slot-{number:02d}", f"+1777000000{number}")
        for message in await until_final(box, sent, "unknown"):
            assert outcomes(message) == ["unknown"]
            assert message["to"] not in sent_to(box.bank)


async def test_story_13_a_hang_after_the_network_took_it_is_settled_by_its_report(tmp_path):
    async with box_on(tmp_path, timings=LASTING, modems=5) as box:
        for number in range(1, 5):
            box.bank.network.plan_reports(f"+1999000000{number}", "after_minutes")
        sent = await hang_in_mid_send(box, Stage.SENT)
        await until_final(box, sent, "unknown")
        await heal_all(box)
        await box.turn(400)
        for message in await until_final(box, sent, "delivered"):
            assert outcomes(message) == ["unknown"]
            assert sent_to(box.bank).count(message["to"]) == 1


async def test_story_13_a_modem_that_stopped_routing_while_it_was_mute_is_noticed_at_once(tmp_path):
    """What it passed on could not be acknowledged meanwhile: after 15 s a modem stops (3GPP TS 27.005 3.4.4)."""
    async with box_on(tmp_path, timings=CALM.scaled(verify_s=600.0, sweep_s=600.0), modems=1) as box:
        modem = box.bank.modems[0]
        box.bank.network.plan_reports("+17770000000", "never")
        modem.faults.arm(FaultKind.HANG, stage=Stage.SENT, lasts_s=CALM.final_s / 2)
        sent = await box.send("+17770000000", on_unknown="hold")
        await box.until(lambda: modem.faults.mute is Mute.ALL)
        modem.settings.cnmi = (2, 0, 0, 0, 0)
        await box.until_status(sent["id"], "unknown")
        box.bank.network.inject(box.bank.cards[0].msisdn, "are you there?")
        assert await until_inbox(box, 1) == ["are you there?"]
        assert modem.settings.cnmi[:4] == (2, 1, 0, 1)


async def test_story_13_an_answer_that_comes_with_the_next_command_still_counts(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=2) as box:
        for modem in box.bank.modems:
            modem.faults.arm(FaultKind.ANSWER_WITH_NEXT)
        sent = [await box.send(f"+1999000000{number}", sim=f"slot-{number:02d}") for number in (1, 2)]
        for message in await until_final(box, sent, "delivered"):
            assert outcomes(message) == ["accepted"]
        assert sorted(sent_to(box.bank)) == ["+19990000001", "+19990000002"]


async def test_story_13_writes_that_block_behind_the_prompt_are_unknown_and_never_sent_twice(tmp_path):
    latency = LatencyModel(prompt=Fixed(0.3))
    async with box_on(tmp_path, timings=LASTING, modems=2, latency=latency) as box:
        jammed = box.bank.modems[0]
        sent = await box.send("+19990000001", sim="slot-01")
        await box.until(lambda: jammed.cmgs_count)
        jammed.terminal.jam()  # the prompt still comes; what is written behind it does not arrive
        await others_send(box, "slot-02")
        message = await box.until_status(sent["id"], "unknown")
        assert outcomes(message) == ["unknown"]
        seen = await until_modem(box, "slot-01", lambda modem: modem["recovery"])
        assert seen["recovery"][0]["trouble"] == "write_stuck"
        jammed.heal()
        jammed.replug()
        await serves(box, "slot-01")
        assert sent_to(box.bank).count("+19990000001") <= 1


async def test_story_19_a_sim_that_fails_in_mid_send_costs_no_message(tmp_path):
    latency = LatencyModel(submit=Fixed(0.5))
    async with box_on(tmp_path, timings=CALM, modems=2, latency=latency) as box:
        failing = box.bank.modems[0]
        sent = await box.send("+19990000001", sim="slot-01")
        await box.until(lambda: failing.cmgs_count)
        failing.remove_sim(13)
        message = await box.until_status(sent["id"], "delivered")
        assert outcomes(message)[0] == "rejected"
        assert outcomes(message)[-1] == "accepted"
        assert sent_to(box.bank) == ["+19990000001"]
        (step,) = (await modems(box))["slot-01"]["recovery"]
        assert (step["rung"], step["trouble"], step["result"]) == ("radio_cycle", "sim_dropped", "served")


# -- ended by its rung


async def test_story_13_each_hang_is_ended_by_its_rung_and_what_nothing_ends_is_quarantined(tmp_path):
    usb = FakeUsb(tmp_path / "usb")
    usb.switchable("1-1.4", {1: 0, 2: 1, 3: 2, 4: 3})
    socket = tmp_path / "control.sock"
    usb.rule(socket=str(socket))
    async with emulated(tmp_path / "tty", modems=4) as bank, ControlServer(bank, socket):
        for number, modem in enumerate(bank.modems, 1):
            usb.plug(modem.path, f"1-1.4.{number}")
        async with running(bank, tmp_path / "data", timings=LASTING, usb=usb.options) as box:
            obedient, powered, hopeless, _ = bank.modems
            obedient.hang(ends_with=Ending.RESTART)
            powered.hang(ends_with=Ending.POWER)
            usb.switchable("1-1.4", {1: 0, 2: 1, 3: None, 4: 3})  # its port only seems to switch
            hopeless.hang(ends_with=Ending.POWER)
            await others_send(box, "slot-04")
            climbed = {
                "slot-01": [("reopen", "in_vain"), ("restart", "served")],
                "slot-02": [("reopen", "in_vain"), ("restart", "in_vain"), ("power", "served")],
            }
            for slot, steps in climbed.items():
                back = await until_modem(box, slot, lambda modem: modem["recovery"] and modem["able_to_send"])
                assert [(step["rung"], step["result"]) for step in back["recovery"]] == steps
                await serves(box, slot)
            out = await until_modem(box, "slot-03", lambda modem: modem["failed"] == "quarantined")
            assert out["state"] == "failed"
            assert [step["rung"] for step in out["recovery"]] == ["reopen", "restart", "power", "quarantine"]
            counted = await box.metrics("modembank_recovery_rungs_total")
            assert counted[("served", "power", "slot-02", "silent")] == 1
            assert counted[("in_vain", "reopen", "slot-01", "silent")] == 1
            assert "-N -l 1-1.4 -p 2 -a cycle -d 2" in usb.calls
            # A person's reset is tried at once, whatever rests.
            hopeless.heal()
            assert (await box.client.post("/api/v1/modems/slot-03/reset")).status_code == 200
            await serves(box, "slot-03")
            assert (await modems(box))["slot-04"]["recovery"] == []


@pytest.mark.parametrize("reenumerate", [False, True], ids=["it only says that it starts", "its port goes"])
async def test_story_13_a_modem_that_went_down_is_given_its_time(tmp_path, reenumerate):
    timings = LASTING.scaled(restart_s=20.0, boot_s=20.0)
    async with box_on(tmp_path, timings=timings, modems=1, dialect="quectel") as box:
        modem = box.bank.modems[0]
        modem.caps = modem.caps.but(reset_reenumerates=reenumerate)
        modem.hang(ends_with=Ending.RESTART)
        await until_modem(box, "slot-01", lambda modem: modem["recovery"])
        await modem.wait_running()
        while modem.faults.mute is not Mute.NOT:
            await asyncio.sleep(0.01)
        modem.hang()  # it is silent for long while it starts
        for _ in range(5):
            await asyncio.sleep(0.5)
        assert [step["rung"] for step in (await modems(box))["slot-01"]["recovery"]] == ["reopen", "restart"]
        modem.heal()
        back = await until_modem(box, "slot-01", lambda modem: modem["able_to_send"])
        assert [step["result"] for step in back["recovery"]] == ["in_vain", "served"]


async def test_story_14_a_quarantined_modem_that_is_plugged_in_again_needs_no_order(tmp_path):
    async with box_on(tmp_path, timings=LASTING, modems=2) as box:
        modem = box.bank.modems[0]
        modem.hang(ends_with=Ending.POWER)
        await until_modem(box, "slot-01", lambda modem: modem["failed"] == "quarantined")
        modem.unplug()
        await until_modem(box, "slot-01", lambda modem: modem["state"] == "gone")
        modem.replug()
        await serves(box, "slot-01")


async def test_story_14_a_modem_that_is_plugged_in_again_is_the_same_under_another_name(tmp_path):
    async with box_on(tmp_path, timings=LASTING, modems=2) as box:
        modem = box.bank.modems[0]
        was, pts = (await modems(box))["slot-01"], modem.pts
        modem.unplug()
        await until_modem(box, "slot-01", lambda modem: modem["state"] == "gone")
        await others_send(box, "slot-02")
        modem.replug()
        now = await until_modem(box, "slot-01", lambda modem: modem["able_to_send"])
        assert modem.pts != pts
        assert (now["imei"], now["sim"], now["recovery"]) == (was["imei"], was["sim"], [])
        await serves(box, "slot-01")


@pytest.mark.parametrize("usb_power", [True, False])
async def test_story_15_a_modem_that_a_restart_sent_away_for_good_is_brought_back_by_power(tmp_path, usb_power):
    usb = FakeUsb(tmp_path / "usb")
    socket = tmp_path / "control.sock"
    usb.rule(socket=str(socket))
    if usb_power:
        usb.switchable("1-1.4", {1: 0})
    timings = LASTING.scaled(restart_s=0.5, boot_s=0.2)
    async with emulated(tmp_path / "tty", modems=1) as bank, ControlServer(bank, socket):
        (modem,) = bank.modems
        modem.caps = modem.caps.but(reset_reenumerates=True)
        usb.plug(modem.path, "1-1.4.1")
        async with running(bank, tmp_path / "data", timings=timings, usb=usb.options) as box:
            modem.hang(ends_with=Ending.RESTART)
            while modem.terminal.is_open:
                await asyncio.sleep(0.01)
            modem.unplug()  # and it does not start
            await until_modem(box, "slot-01", lambda modem: modem["state"] == "gone")
            if usb_power:
                back = await until_modem(box, "slot-01", lambda modem: modem["able_to_send"])
                steps = [(step["rung"], step["trouble"], step["result"]) for step in back["recovery"]]
                assert steps[-1] == ("power", "vanished", "served")
                assert len(usb.calls) == 1
            else:
                await box.until(lambda: usb.calls)  # tried once, then left: a port that is gone is only looked for
                await asyncio.sleep(1.0)
                gone = (await modems(box))["slot-01"]
                assert (gone["state"], [step["rung"] for step in gone["recovery"]]) == ("gone", ["reopen", "restart"])
                assert len(usb.calls) == 1
