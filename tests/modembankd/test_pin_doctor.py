"""What doctor says of PINs without a daemon: those of systemd's stores too, and never a digit of one."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from fakes.web_boxes import Box, make_box
from modembank.config import BankConfig, Config, PortEntry, SimConfig
from modembank.modem import FailedReason
from modembankd.doctor import _known_pins, _report, judge
from modembankd.pin_doctor import STORES, pin_notes

FIRST, SECOND = "8944110000000000001", "8944110000000000002"


def test_nothing_is_said_where_nothing_is_known(tmp_path):
    assert pin_notes(Config(sim=(SimConfig(FIRST),)), [tmp_path, tmp_path / "absent"]) == ()


def test_every_pin_is_named_by_what_it_is_for(tmp_path):
    encrypted, plain = tmp_path / "credstore.encrypted", tmp_path / "credstore"
    for folder in (encrypted, plain):
        folder.mkdir()
        (folder / f"modembank.pin.{SECOND}").write_text("4711\n")
        (folder / "modembank.tls.key").write_text("a key")
    ports = (PortEntry("/dev/modembank/1-1/at", pin="1111"), PortEntry("/dev/modembank/1-2/at"))
    config = Config(sim=(SimConfig(FIRST, pin="2222"),), bank=BankConfig(port=ports))
    notes = pin_notes(config, [encrypted, plain])
    assert notes == (
        "the configuration has the PIN of the SIM …000001",
        "the configuration has a PIN for the port /dev/modembank/1-1/at",
        f"systemd gives the daemon the PIN of the SIM …000002, from {encrypted}",
    )
    assert not any(pin in note for pin in ("1111", "2222", "4711") for note in notes)


def test_a_store_that_may_not_be_read_is_said(monkeypatch, tmp_path):
    def barred(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", barred)
    assert pin_notes(Config(), [tmp_path]) == (f"{tmp_path} cannot be read: run doctor as root to see",)


def test_the_stores_are_those_of_systemd():
    assert {str(folder) for folder in STORES} == {
        f"{place}/{name}" for place in ("/etc", "/run", "/usr/lib") for name in ("credstore", "credstore.encrypted")
    }


def test_doctor_says_that_none_is_tried(monkeypatch):
    monkeypatch.setattr("modembankd.doctor.pin_notes", lambda config: pin_notes(config, []))
    assert _known_pins(Config()) == []
    (finding,) = _known_pins(Config(sim=(SimConfig(FIRST, pin="2222"),)))
    assert finding.good
    assert "none is tried here" in finding.text
    assert finding.notes == ("the configuration has the PIN of the SIM …000001",)


@pytest.fixture
async def box(tmp_path: Path):
    box: Box = await make_box(tmp_path)
    yield box
    await box.store.close()


async def test_a_locked_sim_is_not_said_to_have_no_pin(box: Box):
    detail = "the SIM wants a PIN and none is known"
    seen = replace(box.bank.modem("slot-03"), failed=FailedReason.PIN_MISSING, detail=detail)
    assert "the SIM wants its PIN, which only the daemon tries" in judge(_report(seen)).text
    assert detail in judge(_report(replace(seen, failed=FailedReason.PIN_WRONG))).text
