"""Stories 13 to 20: modems hang, vanish, renumber, restart and babble, and the box goes on through the others."""

import asyncio
import errno
import os
import pty
import sys
from collections import Counter
from types import SimpleNamespace

import pytest

from fakes.boxes import box_on, emulated, running
from fakes.stories import BRISK, CALM, modems, sent_to, until_final, until_inbox, until_modem
from modembank.config import SimConfig
from modembank.port import open_port
from modembank.port.serial import failure_of
from modembank_emulator import FLOOD, URC_NOISE, FaultKind, Fixed, LatencyModel, Mute, Stage

NUMBERS = [f"+1999{number:07d}" for number in range(100)]


async def delivers(box, count=20, **more):
    """So many messages are delivered, each once."""
    before = len(box.bank.network.ledger)
    batch = await box.send(NUMBERS[:count], **more)
    await until_final(box, batch["messages"], "delivered")
    taken = [number for number in sent_to(box.bank)[before:] if number in NUMBERS]
    assert sorted(taken) == NUMBERS[:count]


async def serves(box, slot):
    """The slot is in service and sends."""
    await until_modem(box, slot, lambda modem: modem["able_to_send"])
    before = len(box.bank.network.ledger)
    sent = await box.send(NUMBERS[0], "as before", sim=slot)
    message = await box.until_status(sent["id"], "delivered")
    assert message["attempts"][-1]["slot"] == slot
    assert len(box.bank.network.ledger) == before + 1


# -- 13: hangs


@pytest.mark.parametrize("mute", [Mute.ALL, Mute.COMMANDS, Mute.ECHO])
async def test_story_13_a_modem_hangs_and_comes_back_while_the_others_send(tmp_path, mute):
    async with box_on(tmp_path, timings=BRISK, modems=3) as box:
        hung = box.bank.modems[0]
        hung.faults.mute = mute
        await delivers(box)
        seen = await until_modem(box, "slot-01", lambda modem: len(modem["recovery"]) >= 2)
        assert [step["rung"] for step in seen["recovery"][:2]] == ["reopen", "restart"]
        assert not seen["able_to_send"]
        hung.heal()
        await serves(box, "slot-01")


async def test_story_13_a_hang_after_ctrl_z_is_held_as_unknown_and_delays_nobody(tmp_path):
    async with box_on(tmp_path, timings=BRISK, modems=2) as box:
        box.bank.modems[0].faults.arm(FaultKind.HANG, stage=Stage.CTRL_Z)
        held = await box.send("+19998887777", sim="slot-01")
        await delivers(box)
        message = await box.until_status(held["id"], "unknown")
        assert [attempt["outcome"] for attempt in message["attempts"]] == ["unknown"]
        box.bank.modems[0].heal()
        await serves(box, "slot-01")
        assert "+19998887777" not in sent_to(box.bank)


# -- 14: other names, other places


async def test_story_14_ports_renumber_and_every_sim_keeps_its_account(tmp_path):
    async with box_on(tmp_path, timings=BRISK) as box:
        first, second = box.bank.modems
        await delivers(box, 3, sim="slot-01")
        was = await modems(box)
        for modem in (first, second):
            modem.unplug()
        await until_modem(box, "slot-01", lambda modem: modem["state"] == "gone")
        await until_modem(box, "slot-02", lambda modem: modem["state"] == "gone")
        # What was ttyUSB0 comes back as ttyUSB1 and the other way round.
        first.terminal.link, second.terminal.link = second.terminal.link, first.terminal.link
        second.replug()
        first.replug()
        for slot, other in (("slot-01", "slot-02"), ("slot-02", "slot-01")):
            now = await until_modem(box, slot, lambda modem: modem["able_to_send"])
            assert (now["imei"], now["sim"]) == (was[other]["imei"], was[other]["sim"])
        assert [(await box.sim(place))["used"]["per_hour"] for place in (0, 1)] == [3, 0]
        await serves(box, "slot-01")
        assert [(await box.sim(place))["used"]["per_hour"] for place in (0, 1)] == [3, 1]


async def test_story_14_two_cards_are_swapped_and_limits_go_with_the_card(tmp_path):
    async with box_on(tmp_path, timings=BRISK) as box:
        first, second = box.bank.modems
        one, two = box.bank.cards
        await box.limit(0, per_hour=3)
        await delivers(box, 3, sim=one.iccid)
        for modem in (first, second):
            modem.remove_sim()
        await until_modem(box, "slot-01", lambda modem: modem["failed"] == "sim_absent")
        await until_modem(box, "slot-02", lambda modem: modem["failed"] == "sim_absent")
        first.insert_sim(two)
        second.insert_sim(one)
        await until_modem(box, "slot-01", lambda modem: modem["able_to_send"] and modem["sim"] == two.iccid)
        await until_modem(box, "slot-02", lambda modem: modem["able_to_send"] and modem["sim"] == one.iccid)
        waiting = await box.send(NUMBERS[0], "one too many", sim=one.iccid)
        await box.waiting_for(waiting["id"], "")
        await delivers(box, 5, sim=two.iccid)
        assert (await box.sim(0))["slot"] == "slot-02"


# -- 15: resets


@pytest.mark.parametrize(("stage", "status", "taken"), [("command", "delivered", 1), ("ctrl_z", "unknown", 0)])
@pytest.mark.parametrize("reenumerate", [False, True])
async def test_story_15_a_reset_in_mid_send(tmp_path, stage, status, taken, reenumerate):
    async with box_on(tmp_path, timings=CALM, modems=2, dialect="quectel") as box:
        box.bank.modems[0].faults.arm(FaultKind.RESET, stage=stage, reenumerate=reenumerate)
        sent = await box.send("+19998887777", sim="slot-01")
        await delivers(box, 10, sim="slot-02")
        await box.until_status(sent["id"], status)
        assert sent_to(box.bank).count("+19998887777") == taken
        await serves(box, "slot-01")


async def test_story_15_a_reset_after_the_network_took_it_is_settled_by_the_report(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1, dialect="huawei") as box:
        box.bank.network.plan_reports(NUMBERS[0], "after_minutes")
        box.bank.modems[0].faults.arm(FaultKind.RESET, stage=Stage.SENT)
        sent = await box.send(NUMBERS[0])
        await box.until_status(sent["id"], "unknown")
        await box.until_registered()
        await box.turn(400)
        message = await box.until_status(sent["id"], "delivered")
        assert [attempt["outcome"] for attempt in message["attempts"]] == ["unknown"]
        assert sent_to(box.bank) == [NUMBERS[0]]


async def test_story_15_what_is_merely_absent_is_not_reset(tmp_path):
    async with box_on(tmp_path, timings=BRISK) as box:
        box.bank.modems[0].unplug()
        gone = await until_modem(box, "slot-01", lambda modem: modem["state"] == "gone")
        await delivers(box)
        assert gone["recovery"] == []
        assert (await modems(box))["slot-01"]["recovery"] == []
        box.bank.modems[0].replug()
        await serves(box, "slot-01")


async def test_story_15_a_restart_that_was_asked_for_costs_no_message(tmp_path):
    async with box_on(tmp_path, timings=CALM, modems=1, dialect="huawei") as box:
        answer = await box.client.post("/api/v1/modems/slot-01/reset")
        assert answer.status_code == 200
        await delivers(box, 5)
        assert [step["rung"] for step in (await modems(box))["slot-01"]["recovery"]] == ["restart"]


# -- 16: noise


@pytest.mark.parametrize(("chance", "payloads"), [(0.01, URC_NOISE), (0.002, ())], ids=["codes", "bytes"])
async def test_story_16_a_hundred_messages_through_noise_are_neither_lost_nor_doubled(tmp_path, chance, payloads):
    timings = CALM.scaled(sweep_s=0.5, verify_s=0.5, beat_s=0.2)
    async with box_on(tmp_path, timings=timings, modems=4, seed=7) as box:
        for modem in box.bank.modems:
            modem.faults.noise(chance, *payloads)
        inbound = [f"{number} into the storm" for number in range(20)]
        for text in inbound:
            box.bank.network.inject(box.bank.cards[0].msisdn, text)
        batch = await box.send(NUMBERS)
        messages = await until_final(box, batch["messages"], "sent", "delivered", "unknown")
        for modem in box.bank.modems:
            modem.heal()
        # A modem whose report was broken on its way, and so not acknowledged, stops its routing after 15 s.
        await box.turn(20)
        await box.until(lambda: all(modem.settings.cnmi[3] == 1 for modem in box.bank.modems))
        await box.until_registered()
        taken = Counter(sent_to(box.bank))
        assert max(taken.values()) == 1
        for message in messages:
            if message["status"] != "unknown":
                assert taken[message["to"]] == 1, message
        assert sum(message["status"] != "unknown" for message in messages) >= 60
        assert sorted(await until_inbox(box, 20)) == sorted(inbound)
        for slot in ("slot-01", "slot-02", "slot-03", "slot-04"):
            await serves(box, slot)


async def test_story_16_a_flood_without_line_ends_disturbs_nobody_else(tmp_path):
    async with box_on(tmp_path, timings=BRISK, modems=3) as box:
        modem = box.bank.modems[0]
        modem.faults.noise(0.2, FLOOD)
        modem.urc("RING")
        for slot in ("slot-02", "slot-03"):
            await delivers(box, 20, sim=slot)
        modem.heal()
        await serves(box, "slot-01")


# -- 17: ports in other hands, and what is no port

_HOLD = (
    "import fcntl,os,sys\nport = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)\n"
    "fcntl.flock(port, fcntl.LOCK_EX)\nprint('held', flush=True)\nsys.stdin.read()"
)


async def test_story_17_another_program_at_the_port_is_named_until_it_leaves(tmp_path):
    async with emulated(tmp_path / "tty") as bank:
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _HOLD, bank.modems[0].path, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert await program.stdout.readline() == b"held\n"
        async with running(bank, tmp_path / "data", timings=CALM, wait=False) as box:
            await serves(box, "slot-02")
            busy = await until_modem(box, "slot-01", lambda modem: modem["failed"] is not None)
            assert (busy["state"], busy["failed"]) == ("failed", "port_busy")
            assert f"({program.pid})" in busy["detail"]
            program.stdin.close()
            await program.wait()
            await serves(box, "slot-01")


async def test_story_17_ports_that_are_none_are_named_and_the_rest_works(tmp_path):
    silent, theirs = pty.openpty()
    plain = tmp_path / "plain"
    plain.write_text("no tty")
    forbidden = tmp_path / "forbidden"

    async def opener(config, *, on_data, on_lost):
        if config.path == str(forbidden):  # what a user without the group dialout gets; the superuser never does
            raise failure_of(OSError(errno.EACCES, os.strerror(errno.EACCES)), config.path)
        return await open_port(config, on_data=on_data, on_lost=on_lost)

    try:
        async with emulated(tmp_path / "tty", modems=1) as bank:
            ports = [bank.modems[0].path, tmp_path / "missing", plain, forbidden, os.ttyname(theirs)]
            stub = SimpleNamespace(modems=[SimpleNamespace(path=path) for path in ports], network=bank.network)
            async with running(stub, tmp_path / "data", timings=BRISK, wait=False, opener=opener) as box:
                await serves(box, "slot-01")
                await until_modem(box, "slot-05", lambda modem: modem["state"] == "failed")
                seen = await modems(box)
                found = [(seen[f"slot-{n:02d}"]["state"], seen[f"slot-{n:02d}"]["failed"]) for n in range(1, 6)]
                assert found == [
                    ("registered", None),
                    ("gone", None),
                    ("failed", "port_not_a_tty"),
                    ("failed", "port_permission"),
                    ("failed", "not_a_modem"),
                ]
                assert all(str(ports[n]) in (seen[f"slot-{n + 1:02d}"]["last_error"] or "") for n in (1, 2, 3))
                await delivers(box)
    finally:
        os.close(silent)
        os.close(theirs)


# -- 18 and 19: the SIM


async def test_story_18_a_wrong_pin_is_tried_once_even_across_restarts(tmp_path):
    async with emulated(tmp_path / "tty") as bank:
        card = bank.cards[0]
        bank.modems[0].require_pin("4711")
        sims = (SimConfig(iccid=card.iccid, pin="0000"),)
        for _ in range(3):
            async with running(bank, tmp_path / "data", timings=CALM, wait=False, sims=sims) as box:
                locked = await until_modem(box, "slot-01", lambda modem: modem["state"] == "locked")
                assert locked["failed"] == "pin_wrong"
                assert card.pin_tries == 2
                await serves(box, "slot-02")
        sims = (SimConfig(iccid=card.iccid, pin="4711"),)
        async with running(bank, tmp_path / "data", timings=CALM, wait=False, sims=sims) as box:
            # Two tries are left: the last but one is a person's.
            locked = await until_modem(box, "slot-01", lambda modem: modem["state"] == "locked")
            assert locked["failed"] == "pin_at_risk"
            assert "2 PIN tries left" in locked["detail"]
            card.enter_pin("4711")
            bank.modems[0].radio.update()
            await serves(box, "slot-01")


async def test_story_19_a_sim_that_drops_off_is_brought_back_by_a_radio_cycle(tmp_path):
    async with box_on(tmp_path, timings=BRISK, modems=2) as box:
        box.bank.modems[0].remove_sim(13)
        await delivers(box, 20, sim="slot-02")
        back = await until_modem(box, "slot-01", lambda modem: modem["recovery"] and modem["able_to_send"])
        (step,) = back["recovery"]
        assert (step["rung"], step["trouble"], step["result"]) == ("radio_cycle", "sim_dropped", "served")
        await serves(box, "slot-01")


# -- 20: all at once


async def test_story_20_all_modems_lose_the_cell_and_all_come_back(tmp_path):
    latency = LatencyModel(registration=Fixed(0.3))
    async with box_on(tmp_path, timings=BRISK, modems=8, dialect="mixed", latency=latency) as box:
        box.bank.network.cell(up=False)
        for number in range(1, 9):
            await until_modem(box, f"slot-{number:02d}", lambda modem: modem["state"] == "searching")
        batch = await box.send(NUMBERS[:40])
        await box.waiting_for(batch["messages"][0]["id"], "")
        assert not box.bank.network.ledger
        box.bank.network.cell(up=True)
        await until_final(box, batch["messages"], "delivered")
        assert sorted(sent_to(box.bank)) == NUMBERS[:40]
        assert all(modem["recovery"] == [] for modem in (await modems(box)).values())
