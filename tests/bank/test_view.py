"""What faces see of a slot, from before its modem was found until after it left."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.banks import opened
from fakes.modem_hosts import QUICK, eventually, go, submit_pdu
from modembank.bank import NoSuchSlot, NotNow
from modembank.bank.bank import slot_name
from modembank.config import PortEntry
from modembank.modem import AdminState, FailedReason, ModemState, UssdFailed
from modembank_emulator import Bank as EmulatedBank


def test_slots_are_named_by_label_or_place() -> None:
    assert slot_name(PortEntry(path="/dev/x", label="reminders"), 4) == "reminders"
    assert slot_name(PortEntry(path="/dev/x"), 4) == "slot-05"
    assert slot_name(PortEntry(path="usb:1-1.4.3"), 4) == "usb-1-1.4.3"
    assert slot_name(PortEntry(path="usb:1-1.4.3:1.2", label="left"), 4) == "left"


async def test_a_slot_without_a_modem_is_shown_empty(tmp_path: Path) -> None:
    def before(emulated: EmulatedBank) -> None:
        emulated.modems[0].unplug()

    async with opened(tmp_path, before=before) as box:
        await eventually(lambda: box.bank.modem("slot-01").state is ModemState.GONE)
        view = box.bank.modem("slot-01")
        assert (view.imei, view.manufacturer, view.vendor, view.sim_id) == ("", "", "", None)
        assert (view.capabilities, dict(view.lacks), view.storage, view.recovery) == ((), {}, (), ())
        assert not view.able_to_send
        assert view.counters.accepted == 0
        assert view.last_error is not None
        box.emulated.modems[0].replug()
        await box.all_up()
        assert box.bank.modem("slot-01").imei == box.emulated.modems[0].imei


async def test_what_a_slot_has_sent_and_received_is_counted(tmp_path: Path) -> None:
    async with opened(tmp_path) as box:
        await box.all_up()
        line = box.line_of(0)
        await line.submit(*submit_pdu("+15559990001"), go)
        box.emulated.network.refuse("+15559990002", 1)
        await line.submit(*submit_pdu("+15559990002"), go)
        box.emulated.network.inject(box.emulated.cards[0].msisdn, "in")
        await eventually(lambda: box.bank.modem("slot-01").counters.received == 1)
        counters = box.bank.modem("slot-01").counters
        assert (counters.accepted, counters.rejected, counters.unknown, counters.not_sent) == (1, 1, 0, 0)
        assert counters.commands["ok"] > 10
        assert (box.bank.modem("slot-01").last_error or "").startswith("+CMS ERROR 1: ")


async def test_counters_and_knowledge_outlive_a_stretch_of_service(tmp_path: Path) -> None:
    async with opened(tmp_path, timings=QUICK) as box:
        await box.all_up()
        await box.line_of(0).submit(*submit_pdu("+15559990001"), go)
        before = box.bank.modem("slot-01")
        box.emulated.modems[0].unplug()
        await eventually(lambda: box.bank.modem("slot-01").state is ModemState.GONE)
        view = box.bank.modem("slot-01")
        assert view.counters.accepted == 1
        assert (view.imei, view.sim_id) == (before.imei, before.sim_id)
        assert (view.registration, view.signal_dbm, view.storage) == ("", None, ())


async def test_a_disabled_slot_is_left_alone_and_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as box:
        await box.all_up()
        await box.bank.disable("slot-01")
        view = box.bank.modem("slot-01")
        assert (view.admin, view.state) == (AdminState.DISABLED, ModemState.DETECTED)
        assert not box.lines.up
        for order in (box.bank.reset, box.bank.drain):
            with pytest.raises(NotNow):
                order("slot-01")
        with pytest.raises(UssdFailed):
            await box.bank.ussd("slot-01", "*100#")
        await box.bank.disable("slot-01")  # twice is once
        box.bank.enable("slot-01")
        box.bank.enable("slot-01")
        await box.all_up()


async def test_a_draining_slot_receives_and_is_given_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as box:
        await box.all_up()
        box.bank.drain("slot-01")
        assert box.lines.downs[-1][1] == "the modem is draining"
        box.emulated.network.inject(box.emulated.cards[0].msisdn, "in")
        await eventually(lambda: len(box.sink.stored) == 1)
        box.bank.enable("slot-01")
        await box.all_up()


async def test_a_slot_that_is_not_there(tmp_path: Path) -> None:
    async with opened(tmp_path) as box:
        for ask in (box.bank.modem, box.bank.reset, box.bank.enable, box.bank.drain, box.bank.transcript):
            with pytest.raises(NoSuchSlot):
                ask("slot-99")
        with pytest.raises(NoSuchSlot):
            await box.bank.disable("slot-99")
        with pytest.raises(NoSuchSlot):
            await box.bank.ussd("slot-99", "*100#")


async def test_why_a_sim_is_not_served_is_said(tmp_path: Path) -> None:
    async with opened(tmp_path) as box:
        await box.all_up()
        box.emulated.modems[0].remove_sim()
        box.bank.reset("slot-01")
        await eventually(lambda: box.bank.modem("slot-01").failed is FailedReason.SIM_ABSENT)
        view = box.bank.modem("slot-01")
        assert view.detail == "no SIM in the modem"
        assert not view.able_to_send


async def test_the_transcript_is_bounded_and_masked(tmp_path: Path) -> None:
    async with opened(tmp_path) as box:
        await box.all_up()
        lines = box.bank.transcript("slot-01", 5)
        assert len(lines) == 5
        whole = "\n".join(line.text for line in box.bank.transcript("slot-01"))
        card = box.emulated.cards[0]
        for secret in (card.imsi, card.iccid, card.msisdn, box.emulated.modems[0].imei):
            assert secret not in whole
