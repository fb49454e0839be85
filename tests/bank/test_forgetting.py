"""A slot that was found is forgotten once its modem is gone for good, and found anew when one comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.banks import opened
from fakes.modem_hosts import QUICK, eventually
from fakes.usb import FakeUsb
from modembank.bank import NoSuchSlot, NotNow
from modembank.config import PortEntry
from modembank.events import ModemForgotten
from modembank.modem import ModemState
from modembank_emulator import Bank as EmulatedBank

FOUND, LISTED = "usb-1-1.1", "usb-1-1.2"


@pytest.fixture
def usb(tmp_path: Path) -> FakeUsb:
    return FakeUsb(tmp_path / "usb")


async def test_only_what_was_found_and_is_gone_is_forgotten(tmp_path: Path, usb: FakeUsb) -> None:
    def plug(emulated: EmulatedBank) -> None:
        usb.stick(
            "1-1.1",
            {0: "ttyUSB0", 2: "ttyUSB2"},
            far={"ttyUSB2": emulated.modems[0].path, "ttyUSB0": Path("/dev/null")},
        )

    ports = (PortEntry(path="usb:1-1.2"),)
    async with opened(tmp_path, 1, timings=QUICK, ports=lambda _: ports, before=plug, usb=usb) as box:
        told: list[ModemForgotten] = []
        box.bank._bus.subscribe(ModemForgotten, told.append)
        assert box.bank.add(PortEntry(path="usb:1-1.1")) == FOUND
        await box.all_up()
        box.bank.observe()
        assert (box.bank.is_found(FOUND), box.bank.is_found(LISTED)) == (True, False)
        with pytest.raises(NotNow, match="is registered and not gone"):
            await box.bank.forget(FOUND)
        with pytest.raises(NotNow, match="is listed in the configuration"):
            await box.bank.forget(LISTED)
        with pytest.raises(NoSuchSlot):
            await box.bank.forget("usb-9-9")
        box.emulated.modems[0].unplug()
        usb.unplug("1-1.1")
        await eventually(lambda: box.bank.modem(FOUND).state is ModemState.GONE)
        await box.bank.forget(FOUND)
        assert [view.slot for view in box.bank.modems()] == [LISTED]
        assert box.bank.slots() == {LISTED: "usb:1-1.2"}
        assert [event.slot for event in told] == [FOUND]
        with pytest.raises(NoSuchSlot):
            box.bank.modem(FOUND)
        assert f'signal_dbm{{slot="{FOUND}"}}' not in str(list(box.metrics.signal.collect()))
        box.bank.observe()
        box.emulated.modems[0].replug()
        plug(box.emulated)
        assert box.bank.add(PortEntry(path="usb:1-1.1")) == FOUND
        await box.all_up()
        box.bank.observe()  # its counters begin anew, those of the metrics only grow
        assert box.bank.modem(FOUND).able_to_send


async def test_a_slot_that_is_out_of_service_says_so(tmp_path: Path, usb: FakeUsb) -> None:
    async with opened(tmp_path, 1, timings=QUICK, ports=lambda _: (), usb=usb) as box:
        box.bank.add(PortEntry(path="usb:1-1.1"))
        await eventually(lambda: box.bank.modem(FOUND).state is ModemState.GONE)
        await box.bank.disable(FOUND)
        with pytest.raises(NotNow, match="is disabled"):
            await box.bank.forget(FOUND)
        box.bank.enable(FOUND)
        await eventually(lambda: box.bank.modem(FOUND).state is ModemState.GONE)
        await box.bank.forget(FOUND)
        assert box.bank.modems() == []
