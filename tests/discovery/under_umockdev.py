"""Run by test_hotplug.py under ``umockdev-wrapper``: the real monitor over a real libudev, on a mocked USB."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fakes.banks import Box, opened
from fakes.modem_hosts import QUICK, eventually, go, submit_pdu
from fakes.umockdev import MockedUsb
from modembank.config import BankConfig
from modembank.discovery import Discovery, Periods, Standing, UsbWatch
from modembank.modem import AttemptOutcome, ModemState
from modembank.port import SYSFS, UsbPorts, UsbTree
from modembank_emulator import FaultKind

NUMBER = "+15559990001"
QUECTEL, HUAWEI, KEYBOARD = "2c7c:0125", "12d1:1001", "046d:c31c"
NEVER = Periods(settle_s=0.05, calm_s=3600.0, poll_s=3600.0)
"""So that what is seen was told."""
RARELY = QUICK.scaled(reopen_s=3600.0, missing_most_s=3600.0, restart_s=60.0)
"""So that a port that is opened again was woken."""


@pytest.fixture(scope="module")
def usb(tmp_path_factory: pytest.TempPathFactory) -> MockedUsb:
    return MockedUsb(tmp_path_factory.mktemp("dev"))


@asynccontextmanager
async def finding(tmp_path: Path, usb: MockedUsb, modems: int, timings=QUICK) -> AsyncIterator[tuple[Box, Discovery]]:
    """A bank without ports of its own and a discovery that fills it."""
    async with opened(tmp_path, modems, timings=timings, ports=lambda _: (), usb=Mocked(usb)) as box:
        tree = UsbTree(SYSFS, usb.dev)
        config = BankConfig(discovery="usb")
        discovery = Discovery(config, box.bank, tree, UsbPorts(tree, settle_s=0.3), UsbWatch(), NEVER)
        await discovery.start()
        assert discovery.watching
        try:
            yield box, discovery
        finally:
            await discovery.stop()


class Mocked:
    """Where a bank looks for places."""

    def __init__(self, usb: MockedUsb) -> None:
        self.options = {"sysfs": SYSFS, "dev": usb.dev}


async def quectel(usb: MockedUsb, place: str, first: int, far: Path) -> None:
    ttys = {number: f"ttyUSB{first + number}" for number in range(4)}
    await usb.plug(place, QUECTEL, ttys, far={ttys[2]: far})


async def test_modems_that_are_plugged_in_serve_and_what_is_none_does_not(tmp_path: Path, usb: MockedUsb) -> None:
    async with finding(tmp_path, usb, 2) as (box, discovery):
        assert box.bank.modems() == []
        await quectel(usb, "1-1", 0, box.emulated.modems[0].path)
        await box.all_up(1)
        await usb.plug("1-2", KEYBOARD, {})
        huawei = {number: f"ttyUSB{4 + number}" for number in range(3)}
        await usb.plug("1-3", HUAWEI, huawei, far={"ttyUSB6": box.emulated.modems[1].path})
        await box.all_up(2)
        assert box.bank.slots() == {"usb-1-1": "usb:1-1", "usb-1-3": "usb:1-3"}
        for index in range(2):
            result = await box.line_of(index).submit(*submit_pdu(NUMBER), go)
            assert result.outcome is AttemptOutcome.ACCEPTED
        seen = {one.device.name: one.standing for one in await discovery.sightings()}
        assert seen == {"1-1": Standing.SERVED, "1-2": Standing.NO_PORT, "1-3": Standing.SERVED}
        for place in ("1-1", "1-2", "1-3"):
            await usb.unplug(place)


async def test_a_modem_that_comes_back_is_opened_because_udev_said_so(tmp_path: Path, usb: MockedUsb) -> None:
    async with finding(tmp_path, usb, 1, RARELY) as (box, _):
        modem = box.emulated.modems[0]
        await quectel(usb, "1-1", 0, modem.path)
        await box.all_up(1)
        modem.faults.arm(FaultKind.HANG, stage="sent")
        sending = asyncio.create_task(box.line_of(0).submit(*submit_pdu(NUMBER, "once"), go))
        await eventually(lambda: len(box.emulated.network.ledger) == 1)
        await usb.unplug("1-1")
        modem.unplug()
        assert (await sending).outcome is AttemptOutcome.UNKNOWN
        await eventually(lambda: box.bank.modem("usb-1-1").state is ModemState.GONE)
        assert not box.lines.up
        modem.replug()
        await eventually(modem.path.exists)
        await quectel(usb, "1-1", 8, modem.path)
        await box.all_up(1)
        view = box.bank.modem("usb-1-1")
        assert (view.slot, view.tty) == ("usb-1-1", str(usb.dev / "ttyUSB10"))
        assert [one.text for one in box.emulated.network.ledger] == ["once"]
        await usb.unplug("1-1")


async def test_two_sticks_that_are_swapped(tmp_path: Path, usb: MockedUsb) -> None:
    async with finding(tmp_path, usb, 2, RARELY) as (box, _):
        for index, place in enumerate(("1-1", "1-2")):
            await quectel(usb, place, 4 * index, box.emulated.modems[index].path)
        await box.all_up()
        rows = [box.line_of(index).sim_id for index in (0, 1)]
        for index, place in enumerate(("1-1", "1-2")):
            await usb.unplug(place)
            box.emulated.modems[index].unplug()
        await box.all_up(0)
        await eventually(lambda: all(view.state is ModemState.GONE for view in box.bank.modems()))
        for index, place in enumerate(("1-2", "1-1")):
            box.emulated.modems[index].replug()
            await eventually(box.emulated.modems[index].path.exists)
            await quectel(usb, place, 4 * index, box.emulated.modems[index].path)
        await box.all_up()
        assert [box.line_of(index).slot for index in (0, 1)] == ["usb-1-2", "usb-1-1"]
        assert [box.line_of(index).sim_id for index in (0, 1)] == rows
        for place in ("1-1", "1-2"):
            await usb.unplug(place)


async def test_many_events_are_taken_in_and_what_came_with_them_is_seen(tmp_path: Path, usb: MockedUsb) -> None:
    async with finding(tmp_path, usb, 1) as (box, _):
        await usb.plug("1-2", KEYBOARD, {})
        for _turn in range(100):
            await usb.event("1-2")
        await quectel(usb, "1-1", 0, box.emulated.modems[0].path)
        await box.all_up()
        for place in ("1-1", "1-2"):
            await usb.unplug(place)
