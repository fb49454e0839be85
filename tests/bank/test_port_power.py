"""Whose power is cut: one slot's, a whole board's when nobody there works, and never a disk's."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.usb import FakeUsb
from modembank.bank import PortPower
from modembank.port import Uhubctl, UsbTree

PI_4 = "Raspberry Pi 4 Model B Rev 1.4"
PATHS = {"slot-01": "/dev/ttyUSB0", "slot-02": "/dev/ttyUSB1", "slot-03": "/dev/ttyUSB2"}


def power_on(usb: FakeUsb, *at_work: str) -> PortPower:
    return PortPower(PATHS, UsbTree(usb.sysfs), Uhubctl(str(usb.program)), lambda slot: slot in at_work)


async def test_a_port_of_a_hub_that_switches_each_is_cycled_whoever_else_works(tmp_path: Path) -> None:
    usb = FakeUsb(tmp_path, PI_4)  # the hub hangs on the board, and is none of its own
    usb.switchable("1-1.4", {1: None, 3: None})
    for path, device in zip(PATHS.values(), ("1-1.4.1", "1-1.4.3", "1-1.2"), strict=True):
        usb.plug(path, device)
    power = power_on(usb, "slot-01", "slot-03")
    assert await power.cycle("slot-02")
    assert usb.calls == ["-N -l 1-1.4 -p 3 -a cycle -d 2"]
    outlook = await power.outlook("slot-02")
    assert (outlook.able, outlook.text) == (True, "hub 1-1.4, port 3")


async def test_a_modem_that_is_gone_is_cycled_where_it_was_seen_last(tmp_path: Path) -> None:
    usb = FakeUsb(tmp_path)
    usb.switchable("1-1.4", {3: None})
    usb.plug("/dev/ttyUSB0", "1-1.4.3")
    power = power_on(usb)
    await power.seen("slot-01")
    await power.seen("slot-02")  # was never there
    (usb.sysfs / "class" / "tty" / "ttyUSB0" / "device").unlink()
    assert await power.cycle("slot-01")
    assert not await power.cycle("slot-02")
    assert usb.calls == ["-N -l 1-1.4 -p 3 -a cycle -d 2"]


async def test_a_slot_that_is_a_place_is_cycled_there_whether_or_not_its_modem_shows(tmp_path: Path) -> None:
    usb = FakeUsb(tmp_path)
    usb.switchable("1-1.4", {2: None, 3: None})
    usb.stick("1-1.4.2", {2: "ttyUSB2"})
    paths = {"upper": "usb:1-1.4.3", "lower": "usb:1-1.4.2"}
    power = PortPower(paths, UsbTree(usb.sysfs), Uhubctl(str(usb.program)), lambda slot: slot == "lower")
    assert await power.cycle("upper")
    assert (await power.outlook("lower")).text == "hub 1-1.4, port 2"
    assert await power.cycle("lower")
    assert usb.calls[0] == "-N -l 1-1.4 -p 3 -a cycle -d 2"


async def test_a_modem_at_a_root_hub(tmp_path: Path) -> None:
    usb = FakeUsb(tmp_path)
    usb.switchable("3", {2: None})
    usb.plug("/dev/ttyUSB0", "3-2")
    assert await power_on(usb).cycle("slot-01")
    assert usb.calls == ["-N -l 3 -p 2 -a cycle -d 2"]


async def test_without_usb_hub_or_program_the_rung_is_not_there(tmp_path: Path) -> None:
    usb = FakeUsb(tmp_path)
    power = power_on(usb)
    assert not await power.cycle("slot-01")  # not plugged in
    assert (await power.outlook("slot-01")).text == "it is not on the USB of this machine"
    assert usb.calls == []
    usb.plug("/dev/ttyUSB0", "1-1.4.1")
    assert not await power.cycle("slot-01")  # a hub that cannot
    outlook = await power.outlook("slot-01")
    assert not outlook.able
    assert "No compatible devices detected at location 1-1.4" in outlook.text
    missing = PortPower(PATHS, UsbTree(usb.sysfs), Uhubctl("uhubctl-that-nobody-has"), lambda _: False)
    assert not await missing.cycle("slot-01")
    assert (await missing.outlook("slot-01")).text == "uhubctl-that-nobody-has is not installed"


async def test_a_port_that_the_hub_does_not_list_is_said(tmp_path: Path) -> None:
    usb = FakeUsb(tmp_path)
    usb.switchable("1-1", {1: None})
    usb.plug("/dev/ttyUSB0", "1-1.7")
    outlook = await power_on(usb).outlook("slot-01")
    assert (outlook.able, outlook.text) == (False, "hub 1-1 does not switch its port 7")


@pytest.fixture
def board(tmp_path: Path) -> FakeUsb:
    """Three modems on a Raspberry Pi 4, one of them behind a hub that cannot switch."""
    usb = FakeUsb(tmp_path, PI_4)
    usb.switchable("1-1", {1: None, 2: None, 3: None, 4: None}, "2109:3431, USB 2.10, 4 ports, ppps")
    for path, device in zip(PATHS.values(), ("1-1.1", "1-1.2", "1-1.3.4"), strict=True):
        usb.plug(path, device)
    return usb


@pytest.mark.parametrize("working", ["slot-02", "slot-03"])
async def test_ports_that_switch_together_are_left_while_another_modem_works(board: FakeUsb, working: str) -> None:
    assert not await power_on(board, "slot-01", working).cycle("slot-01")
    assert board.calls == []


async def test_ports_that_switch_together_are_cycled_when_all_are_down(board: FakeUsb) -> None:
    power = power_on(board, "slot-01")  # whatever is said of the one that asks
    assert await power.cycle("slot-01")
    assert board.calls == ["-N -l 1-1 -a cycle -d 2"]
    assert "when no other modem there works" in (await power.outlook("slot-01")).text


@pytest.mark.parametrize("device", ["1-1.4", "2-1"])
async def test_a_disk_on_the_same_switch_keeps_its_power(board: FakeUsb, device: str) -> None:
    board.device(device)
    assert not await power_on(board).cycle("slot-01")
    assert board.calls == []


@pytest.mark.parametrize(
    ("model", "device"),
    [
        ("Raspberry Pi 5 Model B Rev 1.0", "1-2"),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", "1-1.1.2"),
        ("Raspberry Pi 3 Model B Rev 1.2", "1-1.3"),
    ],
)
async def test_a_board_whose_ports_only_seem_to_switch_is_left(tmp_path: Path, model: str, device: str) -> None:
    usb = FakeUsb(tmp_path, model)
    usb.switchable(device.rpartition("." if "." in device else "-")[0], {2: None, 3: None})
    usb.plug("/dev/ttyUSB0", device)
    power = power_on(usb)
    assert not await power.cycle("slot-01")
    assert usb.calls == []
    assert "put a hub that can between" in (await power.outlook("slot-01")).text


async def test_a_modem_that_shares_its_device_with_one_that_works_is_left(tmp_path: Path) -> None:
    """An adapter with several serial ports is one USB device: its power is every modem's behind it."""
    usb = FakeUsb(tmp_path)
    usb.switchable("1-1.4", {3: None})
    usb.plug("/dev/ttyUSB0", "1-1.4.3")
    usb.plug("/dev/ttyUSB1", "1-1.4.3")
    assert not await power_on(usb, "slot-02").cycle("slot-01")
    assert usb.calls == []
    assert await power_on(usb, "slot-01").cycle("slot-01")


@pytest.mark.parametrize("now_there", ["1-1.4.3", "1-1.4.3.2"])
async def test_another_modem_in_the_place_of_one_that_is_gone_keeps_its_power(tmp_path: Path, now_there: str) -> None:
    """Somebody pulled the dead one and plugged a good one, or a hub with a good one, into the same port."""
    usb = FakeUsb(tmp_path)
    usb.switchable("1-1.4", {3: None})
    usb.plug("/dev/ttyUSB0", "1-1.4.3")
    power = power_on(usb, "slot-02")
    await power.seen("slot-01")
    (usb.sysfs / "class" / "tty" / "ttyUSB0" / "device").unlink()
    usb.plug("/dev/ttyUSB1", now_there)
    assert not await power.cycle("slot-01")
    assert usb.calls == []


async def test_a_disk_behind_a_hub_in_the_place_of_one_that_is_gone_keeps_its_power(tmp_path: Path) -> None:
    usb = FakeUsb(tmp_path)
    usb.switchable("1-1.4", {3: None})
    usb.plug("/dev/ttyUSB0", "1-1.4.3")
    power = power_on(usb)
    await power.seen("slot-01")
    (usb.sysfs / "class" / "tty" / "ttyUSB0" / "device").unlink()
    usb.device("1-1.4.3.1")
    assert not await power.cycle("slot-01")
    assert usb.calls == []
