"""Resets from outside: off the USB and on again, or the port's power; and where that cannot or must not be."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest

from fakes.banks import Box, opened
from fakes.modem_hosts import QUICK, eventually, go, submit_pdu
from fakes.usb import FakeUsb
from modembank.bank import CannotReset, NoSuchSlot, NotNow, ResetLevel
from modembank.bank.bank import USB_NOTES
from modembank.modem import AttemptOutcome
from modembank.port import HubError, UsbAuthority
from modembank_emulator import Bank as EmulatedBank
from modembank_emulator.control import ControlServer

NUMBER = "+15559990001"


@pytest.fixture
def usb(tmp_path: Path) -> FakeUsb:
    usb = FakeUsb(tmp_path / "usb")
    usb.switchable("1-1.4", {1: 0, 2: 1})
    usb.rule(socket=str(tmp_path / "control.sock"))
    return usb


def authorized(usb: FakeUsb, device: str) -> Path:
    return usb.sysfs / "bus" / "usb" / "devices" / device / "authorized"


def box_on(tmp_path: Path, usb: FakeUsb, places: tuple[str, ...] = ("1-1.4.1", "1-1.4.2")):
    def before(emulated: EmulatedBank) -> None:
        for modem, place in zip(emulated.modems, places, strict=True):
            usb.plug(modem.path, place)
            authorized(usb, place).write_text("1\n")

    return opened(tmp_path, len(places), timings=QUICK, before=before, usb=usb)


async def sends(box: Box, index: int) -> None:
    await box.all_up()
    result = await box.line_of(index).submit(*submit_pdu(NUMBER), go)
    assert result.outcome is AttemptOutcome.ACCEPTED


async def test_the_power_of_one_port_is_cut_and_the_modem_comes_back(tmp_path: Path, usb: FakeUsb) -> None:
    async with box_on(tmp_path, usb) as box, ControlServer(box.emulated, tmp_path / "control.sock"):
        await box.all_up()
        boots = len(box.lines.downs)
        await box.bank.reset_hard("slot-01", ResetLevel.POWER)
        assert "-N -l 1-1.4 -p 1 -a cycle -d 2" in usb.calls
        await sends(box, 0)
        assert len(box.lines.downs) == boots + 1, "the other one was not touched"


async def test_one_that_hangs_for_ever_is_reset_too(tmp_path: Path, usb: FakeUsb) -> None:
    async with box_on(tmp_path, usb) as box, ControlServer(box.emulated, tmp_path / "control.sock"):
        await box.all_up()
        box.emulated.modems[0].faults.hang()
        await eventually(lambda: len(box.lines.up) == 1)
        box.emulated.modems[0].faults.clear()
        await box.bank.reset_hard("slot-01", ResetLevel.POWER)
        await sends(box, 0)


async def test_a_device_is_taken_off_the_usb_and_let_on_again(tmp_path: Path, usb: FakeUsb) -> None:
    async with box_on(tmp_path, usb) as box:
        await box.all_up()
        path, seen = authorized(usb, "1-1.4.1"), set()
        stop = threading.Event()

        def watch() -> None:
            while not stop.is_set():
                seen.add(path.read_text().strip())

        watching = asyncio.create_task(asyncio.to_thread(watch))
        await box.bank.reset_hard("slot-01", ResetLevel.USB)
        stop.set()
        await watching
        assert {"0", "1"} <= seen
        assert path.read_text().strip() == "1"
        assert authorized(usb, "1-1.4.2").read_text() == "1\n"
        assert not (tmp_path / USB_NOTES).exists()
        await sends(box, 0)


async def test_where_it_cannot_be_nothing_is_disturbed(tmp_path: Path, usb: FakeUsb) -> None:
    usb.switchable("1-1.4", {2: 1})
    async with box_on(tmp_path, usb) as box:
        await box.all_up()
        with pytest.raises(CannotReset, match="does not switch its port 1"):
            await box.bank.reset_hard("slot-01", ResetLevel.POWER)
        authorized(usb, "1-1.4.1").unlink()
        with pytest.raises(CannotReset, match="cannot be taken off the USB: No such file"):
            await box.bank.reset_hard("slot-01", ResetLevel.USB)
        assert box.lines.downs == []
        with pytest.raises(NoSuchSlot):
            await box.bank.reset_hard("slot-99", ResetLevel.USB)
        await box.bank.disable("slot-02")
        with pytest.raises(NotNow, match="is disabled"):
            await box.bank.reset_hard("slot-02", ResetLevel.POWER)


async def test_a_modem_that_is_not_on_the_usb_cannot(tmp_path: Path, usb: FakeUsb) -> None:
    async with opened(tmp_path, 1, timings=QUICK, usb=usb) as box:
        await box.all_up()
        for level in ResetLevel:
            with pytest.raises(CannotReset, match="it is not on the USB of this machine"):
                await box.bank.reset_hard("slot-01", level)


@pytest.mark.parametrize("level", list(ResetLevel))
async def test_another_that_works_on_the_same_device_is_left(tmp_path: Path, usb: FakeUsb, level: ResetLevel) -> None:
    async with box_on(tmp_path, usb, ("1-1.4.1", "1-1.4.1")) as box:
        await box.all_up()
        with pytest.raises(CannotReset, match="slot-02, which works"):
            await box.bank.reset_hard("slot-01", level)
        assert box.lines.downs == []
        await box.bank.disable("slot-02")
        with pytest.raises(CannotReset, match="slot-02, which works"):  # the operator keeps us off it
            await box.bank.reset_hard("slot-01", level)


async def test_a_hub_that_only_seems_to_switch_is_told_and_the_modem_served_again(tmp_path: Path, usb: FakeUsb) -> None:
    async with box_on(tmp_path, usb) as box, ControlServer(box.emulated, tmp_path / "control.sock"):
        await box.all_up()
        usb.rule(works=False)
        with pytest.raises(CannotReset, match="keeps its power"):
            await box.bank.reset_hard("slot-01", ResetLevel.POWER)
        await sends(box, 0)


async def test_two_at_once_of_one_slot(tmp_path: Path, usb: FakeUsb) -> None:
    async with box_on(tmp_path, usb) as box:
        await box.all_up()
        first = asyncio.create_task(box.bank.reset_hard("slot-01", ResetLevel.USB))
        await asyncio.sleep(0)
        with pytest.raises(NotNow, match="is being reset"):
            await box.bank.reset_hard("slot-01", ResetLevel.USB)
        box.bank.enable("slot-01")
        await first
        await sends(box, 0)


async def test_one_that_is_disabled_meanwhile_is_left_alone(tmp_path: Path, usb: FakeUsb) -> None:
    async with box_on(tmp_path, usb) as box:
        await box.all_up()
        first = asyncio.create_task(box.bank.reset_hard("slot-01", ResetLevel.USB))
        await asyncio.sleep(0)
        await box.bank.disable("slot-01")
        await first
        await asyncio.sleep(0.2)
        assert len(box.lines.up) == 1


# -- what a dying machine leaves


def test_what_was_left_off_is_let_on_at_the_next_start(tmp_path: Path, usb: FakeUsb) -> None:
    usb.plug("/dev/ttyUSB0", "1-1.4.1")
    authorized(usb, "1-1.4.1").write_text("0")
    notes = tmp_path / "left-off.json"
    notes.write_text(json.dumps("1-1.4.1"))
    UsbAuthority(usb.sysfs, notes).heal()
    assert authorized(usb, "1-1.4.1").read_text() == "1"
    assert not notes.exists()


@pytest.mark.parametrize("content", ["", "{", "7", '"../../../etc"', '"1-1.4.9"'])
def test_what_makes_no_sense_there_does_nothing(tmp_path: Path, usb: FakeUsb, content: str) -> None:
    (tmp_path / "left-off.json").write_text(content)
    UsbAuthority(usb.sysfs, tmp_path / "left-off.json", off_s=0.0).heal()
    assert not (tmp_path / "left-off.json").exists()


async def test_it_is_noted_before_it_is_taken_off(
    tmp_path: Path, usb: FakeUsb, monkeypatch: pytest.MonkeyPatch
) -> None:
    usb.plug("/dev/ttyUSB0", "1-1.4.1")
    path, notes = authorized(usb, "1-1.4.1"), tmp_path / "left-off.json"
    path.write_text("1")
    seen: list[tuple[bytes, bool]] = []
    write = Path.write_bytes

    def written(self: Path, data: bytes) -> int:
        seen.append((data, notes.exists()))
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", written)
    await UsbAuthority(usb.sysfs, notes, off_s=0.0).renew("1-1.4.1")
    assert seen == [(b"0", True), (b"1", True)]
    assert not notes.exists()


async def test_a_device_that_does_not_come_on_again_is_told_and_stays_noted(
    tmp_path: Path, usb: FakeUsb, monkeypatch: pytest.MonkeyPatch
) -> None:
    usb.plug("/dev/ttyUSB0", "1-1.4.1")
    authorized(usb, "1-1.4.1").write_text("1")
    write, tries = Path.write_bytes, []

    def written(self: Path, data: bytes) -> int:
        if data == b"1":
            tries.append(data)
            raise OSError(71, "Protocol error")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", written)
    with pytest.raises(HubError, match="Protocol error"):
        await UsbAuthority(usb.sysfs, tmp_path / "left-off.json", off_s=0.0).renew("1-1.4.1")
    assert len(tries) == 3
    assert (tmp_path / "left-off.json").exists()
