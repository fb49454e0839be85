"""Where a tty hangs on the USB, from trees laid out as the kernel lays out /sys."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.usb import FakeUsb
from modembank.port import UsbPlace, UsbTree, place_in


@pytest.fixture
def usb(tmp_path: Path) -> FakeUsb:
    return FakeUsb(tmp_path)


@pytest.mark.parametrize(
    ("device", "hub", "port"),
    [("1-1.4.3", "1-1.4", 3), ("1-1.12", "1-1", 12), ("3-2", "3", 2), ("12-1.1.1.1.1", "12-1.1.1.1", 1)],
)
@pytest.mark.parametrize("serial", [True, False], ids=["usb-serial", "cdc-acm"])
def test_a_tty_is_found_at_its_hub_and_port(usb: FakeUsb, device: str, hub: str, port: int, serial: bool) -> None:
    usb.plug("/dev/ttyUSB7", device, serial=serial)
    place = UsbTree(usb.sysfs).place_of("/dev/ttyUSB7")
    assert place == UsbPlace(hub, port)
    assert place.device == device


def test_a_stable_link_leads_to_the_device_of_now(usb: FakeUsb, tmp_path: Path) -> None:
    tree, link = UsbTree(usb.sysfs), tmp_path / "slot-01"
    for name, device in (("ttyUSB0", "1-1.1"), ("ttyUSB4", "1-1.2")):
        target = tmp_path / name
        target.touch()
        usb.plug(target, device)
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        place = tree.place_of(str(link))
        assert place is not None
        assert place.device == device


@pytest.mark.parametrize("tty", ["/dev/ttyS0", "/dev/pts/5", "/dev/missing", "socket://127.0.0.1:2000", ""])
def test_what_is_not_on_the_usb_has_no_place(usb: FakeUsb, tty: str) -> None:
    (usb.sysfs / "devices" / "platform" / "serial8250").mkdir(parents=True)
    (usb.sysfs / "class" / "tty" / "ttyS0").mkdir()
    (usb.sysfs / "class" / "tty" / "ttyS0" / "device").symlink_to(usb.sysfs / "devices" / "platform" / "serial8250")
    assert UsbTree(usb.sysfs).place_of(tty) is None


@pytest.mark.parametrize(("file", "text"), [("devpath", "0"), ("devpath", "1.x"), ("devpath", ""), ("busnum", "-1")])
def test_what_the_kernel_never_writes_is_not_believed(usb: FakeUsb, file: str, text: str) -> None:
    usb.plug("/dev/ttyUSB7", "1-2")
    (usb.device("1-2") / file).write_text(text)
    assert UsbTree(usb.sysfs).place_of("/dev/ttyUSB7") is None


@pytest.mark.parametrize("device", ["1-1.4.3", "3-2"])
def test_a_place_is_itself_whether_or_not_something_is_there(usb: FakeUsb, device: str) -> None:
    place = UsbTree(usb.sysfs).place_of(f"usb:{device}")
    assert place is not None
    assert (place.device, place.interface) == (device, None)
    assert place_in(f"usb:{device}:1.2") == UsbPlace(place.hub, place.port, 2)


@pytest.mark.parametrize(
    "path", ["usb:", "usb:1", "usb:1-0", "usb:1-1.", "usb:usb1", "usb:1-1/../x", "usb:1-1:2", "1-1"]
)
def test_what_the_kernel_would_not_name_is_no_place(path: str) -> None:
    assert place_in(path) is None


def test_a_device_is_read_with_its_interfaces_and_ttys(usb: FakeUsb) -> None:
    usb.stick(
        "1-1.4.3", {2: "ttyUSB11", 10: "ttyUSB9"}, kinds={0: "08/06/50", 2: "ff/01/02"}, text="HUAWEI \x1b[31mStick\n"
    )
    device = UsbTree(usb.sysfs).device_of(UsbPlace("1-1.4", 3))
    assert device is not None
    assert (device.name, device.vendor, device.product) == ("1-1.4.3", "2c7c", "0125")
    assert device.text == "HUAWEI [31mStick"
    assert [(tty.name, tty.interface.number, tty.interface.kind) for tty in device.ttys] == [
        ("ttyUSB11", 2, "ff/01/02"),
        ("ttyUSB9", 10, "ff/00/00"),
    ]
    assert [interface.driver for interface in device.interfaces] == ["", "option", "option"]
    assert device.is_disk
    number = device.number
    usb.unplug("1-1.4.3")
    assert UsbTree(usb.sysfs).device_of(UsbPlace("1-1.4", 3)) is None
    usb.stick("1-1.4.3", {0: "ttyACM0"}, driver="cdc_acm")
    again = UsbTree(usb.sysfs).device_of(UsbPlace("1-1.4", 3))
    assert again is not None
    assert again.number != number
    assert [tty.name for tty in again.ttys] == ["ttyACM0"]


def test_all_devices_are_listed_as_people_count_except_hubs(usb: FakeUsb) -> None:
    for name in ("1-1.10", "1-1.9", "2-1"):
        usb.stick(name, {})
    assert [device.name for device in UsbTree(usb.sysfs).devices()] == ["1-1.9", "1-1.10", "2-1"]
    assert UsbTree(usb.sysfs / "nothing").devices() == []


def test_everything_below_a_hub_is_seen_except_hubs_and_interfaces(usb: FakeUsb) -> None:
    usb.plug("/dev/ttyUSB0", "1-1.1")
    usb.plug("/dev/ttyUSB1", "1-1.4.3")
    usb.device("1-2")
    usb.device("1-11.1")
    usb.device("2-1")
    (usb.sysfs / "bus" / "usb" / "devices" / "1-1.1:1.0").mkdir()
    tree = UsbTree(usb.sysfs)
    assert tree.below("1-1") == ["1-1.1", "1-1.4.3"]
    assert tree.below("1") == ["1-1.1", "1-1.4.3", "1-11.1", "1-2"]
    assert tree.below("2") == ["2-1"]
    assert tree.below("1-1.1") == []


def test_the_board_is_named_where_the_firmware_names_it(tmp_path: Path) -> None:
    (tmp_path / "pi").mkdir()
    (tmp_path / "pc").mkdir()
    assert UsbTree(FakeUsb(tmp_path / "pi", "Raspberry Pi 4 Model B Rev 1.4").sysfs).board().endswith("Rev 1.4")
    assert UsbTree(FakeUsb(tmp_path / "pc").sysfs).board() == ""
    assert UsbTree(tmp_path / "nothing").below("1-1") == []
