"""Where a tty hangs on the USB, from trees laid out as the kernel lays out /sys."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.usb import FakeUsb
from modembank.port import UsbPlace, UsbTree


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
