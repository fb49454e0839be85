"""What doctor says of port power: per slot, as configured, without switching anything."""

from fakes.usb import FakeUsb
from modembank.config import BankConfig, PortEntry, load_config
from modembankd.doctor import examine
from modembankd.power_doctor import power_outlooks, power_summary

PATHS = {"upper": "/dev/ttyUSB0", "slot-02": "/dev/ttyUSB1"}
PORTS = (PortEntry(path="/dev/ttyUSB0", label="upper"), PortEntry(path="/dev/ttyUSB1"))


async def look(usb, wish):
    bank = BankConfig(usb_power=wish, port=PORTS)
    return power_summary(bank, await power_outlooks(bank, PATHS, usb.sysfs, str(usb.program)))


async def test_each_slot_is_named_with_its_hub_or_the_reason(tmp_path):
    usb = FakeUsb(tmp_path)
    usb.switchable("1-1.4", {1: None})
    usb.plug("/dev/ttyUSB0", "1-1.4.1")
    usb.plug("/dev/ttyUSB1", "1-1.2")
    good, text, notes = await look(usb, "auto")
    assert (good, text) == (True, "can be cycled for 1 of 2 slots")
    assert notes[0] == "upper: can be cycled: hub 1-1.4, port 1"
    assert notes[1].startswith("slot-02: cannot be cycled: uhubctl: No compatible devices detected at location 1-1")
    assert not [call for call in usb.calls if "-a" in call]
    assert not (await look(usb, "uhubctl"))[0]  # asked for, and not there for every slot


async def test_nothing_is_looked_at_when_it_is_never_wanted(tmp_path):
    usb = FakeUsb(tmp_path)
    assert await look(usb, "none") == (True, 'is never cycled (usb_power = "none")', ())
    assert usb.calls == []


def test_doctor_has_a_line_for_it(tmp_path):
    config = tmp_path / "modembank.toml"
    config.write_text(f'[box]\ndata_dir = "{tmp_path / "data"}"\n[[bank.port]]\npath = "{tmp_path / "missing"}"\n')
    (finding,) = [found for found in examine(load_config(config), config) if found.what == "port power"]
    assert finding.good
    assert finding.notes == ("slot-01: cannot be cycled: it is not on the USB of this machine",)
