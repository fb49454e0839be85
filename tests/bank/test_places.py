"""Slots that are places on the USB: whatever tty their modem has now, and whichever modem is there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fakes.banks import Box, opened
from fakes.modem_hosts import QUICK, eventually, go, submit_pdu
from fakes.usb import FakeUsb
from modembank.bank import NoSuchSlot
from modembank.config import PortEntry
from modembank.modem import AttemptOutcome, ModemState
from modembank_emulator import Bank as EmulatedBank
from modembank_emulator import FaultKind

NUMBER = "+15559990001"
PLACES = ("1-1.1", "1-1.2")


@pytest.fixture
def usb(tmp_path: Path) -> FakeUsb:
    return FakeUsb(tmp_path / "usb")


def plug(usb: FakeUsb, emulated: EmulatedBank, index: int, place: str, first: int) -> None:
    """A Quectel with four ttys from ttyUSB<first> on; the emulated modem answers on the third."""
    ttys = {number: f"ttyUSB{first + number}" for number in range(4)}
    far = {ttys[2]: emulated.modems[index].path, ttys[3]: Path("/dev/null")}
    usb.stick(place, ttys, far=far)


def box_on(tmp_path: Path, usb: FakeUsb, modems: int = 1):
    def before(emulated: EmulatedBank) -> None:
        for index in range(modems):
            plug(usb, emulated, index, PLACES[index], 4 * index)

    def ports(_: EmulatedBank) -> tuple[PortEntry, ...]:
        return tuple(PortEntry(path=f"usb:{place}") for place in PLACES[:modems])

    return opened(tmp_path, modems, timings=QUICK, ports=ports, before=before, usb=usb)


def replug(box: Box, usb: FakeUsb, index: int, place: str, first: int) -> None:
    box.emulated.modems[index].replug()
    plug(usb, box.emulated, index, place, first)


async def test_a_place_serves_and_shows_its_tty(tmp_path: Path, usb: FakeUsb) -> None:
    async with box_on(tmp_path, usb) as box:
        await box.all_up()
        view = box.bank.modem("usb-1-1.1")
        assert (view.path, view.tty) == ("usb:1-1.1", str(usb.dev / "ttyUSB2"))
        assert any(f"opened usb:1-1.1 ({usb.dev}/ttyUSB2)" in line.text for line in box.bank.transcript("usb-1-1.1"))
        assert (await box.line_of(0).submit(*submit_pdu(NUMBER), go)).outcome is AttemptOutcome.ACCEPTED
        await box.bank.disable("usb-1-1.1")
        assert box.bank.modem("usb-1-1.1").tty == ""


async def test_a_modem_that_comes_back_under_another_name_serves_again(tmp_path: Path, usb: FakeUsb) -> None:
    async with box_on(tmp_path, usb) as box:
        await box.all_up()
        for first in (4, 0):
            box.emulated.modems[0].unplug()
            usb.unplug(PLACES[0])
            await box.all_up(0)
            await eventually(lambda: box.bank.modem("usb-1-1.1").detail == "nothing is plugged in there")
            assert box.bank.modem("usb-1-1.1").state is ModemState.GONE
            replug(box, usb, 0, PLACES[0], first)
            await box.all_up()
            assert box.bank.modem("usb-1-1.1").tty == str(usb.dev / f"ttyUSB{first + 2}")
        assert box.bank.modem("usb-1-1.1").recovery == ()


async def test_unplugged_in_mid_send_is_unknown_and_nothing_is_sent_twice(tmp_path: Path, usb: FakeUsb) -> None:
    async with box_on(tmp_path, usb) as box:
        await box.all_up()
        box.emulated.modems[0].faults.arm(FaultKind.HANG, stage="sent")
        sending = asyncio.create_task(box.line_of(0).submit(*submit_pdu(NUMBER, "once"), go))
        await eventually(lambda: len(box.emulated.network.ledger) == 1)
        box.emulated.modems[0].unplug()
        usb.unplug(PLACES[0])
        assert (await sending).outcome is AttemptOutcome.UNKNOWN
        replug(box, usb, 0, PLACES[0], 8)
        await box.all_up()
        assert [seen.text for seen in box.emulated.network.ledger] == ["once"]


async def test_two_sticks_swapped_keep_their_sims_and_the_places_their_names(tmp_path: Path, usb: FakeUsb) -> None:
    async with box_on(tmp_path, usb, 2) as box:
        await box.all_up()
        rows = [box.line_of(index).sim_id for index in (0, 1)]
        assert [box.line_of(index).slot for index in (0, 1)] == ["usb-1-1.1", "usb-1-1.2"]
        for index, place in enumerate(PLACES):
            box.emulated.modems[index].unplug()
            usb.unplug(place)
        await box.all_up(0)
        for index, place in enumerate(reversed(PLACES)):
            replug(box, usb, index, place, 4 * index)
        await box.all_up()
        assert [box.line_of(index).slot for index in (0, 1)] == ["usb-1-1.2", "usb-1-1.1"]
        assert [box.line_of(index).sim_id for index in (0, 1)] == rows


async def test_a_modem_that_is_a_disk_first_is_waited_for(tmp_path: Path, usb: FakeUsb) -> None:
    def disk(emulated: EmulatedBank) -> None:
        usb.stick(PLACES[0], {}, "12d1:1f01", kinds={0: "08/06/50"}, text="HUAWEI Mobile")

    def ports(_: EmulatedBank) -> tuple[PortEntry, ...]:
        return (PortEntry(path="usb:1-1.1", label="upper"),)

    async with opened(tmp_path, timings=QUICK, ports=ports, before=disk, usb=usb) as box:
        await eventually(lambda: "has just been plugged in" in box.bank.modem("upper").detail)
        await eventually(lambda: "shows itself as a disk" in box.bank.modem("upper").detail)
        usb.unplug(PLACES[0])
        kinds = {0: "ff/02/01", 1: "ff/02/03", 2: "ff/02/02"}
        ttys = {number: f"ttyUSB{number}" for number in kinds}
        far = {"ttyUSB2": box.emulated.modems[0].path}
        usb.stick(PLACES[0], ttys, "12d1:15ff", kinds=kinds, far=far)
        await box.all_up()
        assert box.bank.modem("upper").recovery == ()


async def test_a_slot_can_be_added_while_the_bank_runs(tmp_path: Path, usb: FakeUsb) -> None:
    async with opened(tmp_path, 2, timings=QUICK, ports=lambda _: (PortEntry(path="usb:1-1.1"),), usb=usb) as box:
        for index, place in enumerate(PLACES):
            plug(usb, box.emulated, index, place, 4 * index)
        await box.all_up(1)
        assert box.bank.add(PortEntry(path="usb:1-1.2")) == "usb-1-1.2"
        await box.all_up()
        assert box.bank.slots() == {"usb-1-1.1": "usb:1-1.1", "usb-1-1.2": "usb:1-1.2"}
        assert [view.slot for view in box.bank.modems()] == ["usb-1-1.1", "usb-1-1.2"]
        assert (await box.line_of(1).submit(*submit_pdu(NUMBER), go)).outcome is AttemptOutcome.ACCEPTED
        box.bank.observe()
        assert box.metrics.registry.get_sample_value("modembank_modems", {"state": "registered"}) == 2
        assert box.bank.add(PortEntry(path="/dev/x", label="usb-1-1.1")) is None, "that name is taken"
        await box.bank.disable("usb-1-1.2")
        assert box.bank.modem("usb-1-1.2").state is ModemState.DETECTED


async def test_a_slot_that_waits_is_woken_and_one_that_serves_is_not_disturbed(tmp_path: Path, usb: FakeUsb) -> None:
    timings = QUICK.scaled(reopen_s=3600.0, missing_most_s=3600.0)

    def ports(_: EmulatedBank) -> tuple[PortEntry, ...]:
        return (PortEntry(path="usb:1-1.1"),)

    async with opened(tmp_path, timings=timings, ports=ports, usb=usb) as box:
        await eventually(lambda: box.bank.modem("usb-1-1.1").state is ModemState.GONE)
        plug(usb, box.emulated, 0, PLACES[0], 0)
        box.bank.wake("usb-1-1.1")
        await box.all_up()
        box.bank.wake("usb-1-1.1")
        assert (await box.line_of(0).submit(*submit_pdu(NUMBER), go)).outcome is AttemptOutcome.ACCEPTED
        assert not box.lines.downs
        with pytest.raises(NoSuchSlot):
            box.bank.wake("usb-9-9")


async def test_a_slot_added_before_the_start_waits_for_it(tmp_path: Path, usb: FakeUsb) -> None:
    async with opened(tmp_path, ports=lambda _: (), usb=usb) as box:
        assert await box.bank.stop()
        assert box.bank.add(PortEntry(path="usb:1-1.1")) == "usb-1-1.1"
        assert box.bank.modem("usb-1-1.1").state is ModemState.DETECTED
        await box.bank.start()
        await eventually(lambda: box.bank.modem("usb-1-1.1").state is ModemState.GONE)
