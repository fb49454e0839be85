"""The way back to the other slot: only into what was well there and reads the database, with a trial, at any cut."""

import sqlite3

import pytest

from fakes.trial_machines import FakeMachine, Stopped
from fakes.updates import updated_box
from modembank_box.boot_loader import boot_loader, pi_default
from modembank_box.errors import BoxError
from modembank_box.health_gate import HealthGate
from modembank_box.orders import Order
from modembank_box.progress import INSTALLED, TRIAL, Record, Well
from modembank_box.release import running_release
from modembank_box.settings import UpdateSettings
from modembank_box.verbs import fetch_update, update

ORDER = Order("rollback", "cmd-0001", "hub ada")


@pytest.fixture
def box(tmp_path, signing):
    made = updated_box(tmp_path / "box", signing)
    sqlite3.connect(made.places.daemon / "modembank.sqlite3").close()
    return made


def start(box, slot, *, version, schema=11, well=True):
    """Start a slot; what becomes of it until somebody asks for something."""
    box.starts(slot, version=version, schema=schema)
    machine = FakeMachine()
    gate = HealthGate(box.places, box.progress, machine)
    try:
        if not well:
            machine.trial = "it does not start"
        gate.before_daemon()
        gate.after_start()
    except Stopped:
        return "restarts"
    return "goes on"


def updated(box, schema=11):
    """From 0.1.0 in slot a to 0.2.0 in slot b, which is good."""
    start(box, "a", version="0.1.0")
    release = running_release(box.places)
    box.progress.note(
        Record(from_version="0.1.0", from_slot="a", from_schema=release.schema, version="0.2.0", slot="b"),
        state=INSTALLED,
    )
    boot_loader(box.places, "a").set_primary("b")
    start(box, "b", version="0.2.0", schema=schema)
    assert box.told["state"] == "good"


def ask(box, machine=None):
    machine = machine or FakeMachine()
    update.carry_out(box.places, ORDER, machine)
    return machine


def refused(box, code):
    before = box.grubenv, box.progress.record()
    with pytest.raises(BoxError):
        ask(box)
    assert (box.told["state"], box.told["id"], box.told["code"]) == ("refused", "cmd-0001", code)
    assert (box.grubenv, box.progress.record()) == before
    return box.told["reason"]


def test_the_version_before_is_tried_and_stays_if_it_is_well(box):
    updated(box)
    assert ask(box).calls == [("restart", "")]
    assert (box.told["state"], box.told["version"], box.told["from_version"]) == ("installed", "0.1.0", "0.2.0")
    assert boot_loader(box.places, "b").primary() == "a"
    assert start(box, "a", version="0.1.0") == "goes on"
    assert (box.told["state"], box.told["id"], box.told["by"]) == ("good", "cmd-0001", "hub ada")
    assert box.progress.floor() == "0.2.0", "and nothing in between can be installed"


def test_and_back_again_for_the_newer_one_is_still_there(box):
    updated(box)
    ask(box)
    start(box, "a", version="0.1.0")
    ask(box)
    assert start(box, "b", version="0.2.0") == "goes on"
    assert (box.told["state"], box.told["version"]) == ("good", "0.2.0")


def test_one_that_is_not_well_gives_way_to_where_it_came_from(box):
    updated(box)
    ask(box)
    assert start(box, "a", version="0.1.0", well=False) == "restarts"
    start(box, "b", version="0.2.0")
    assert (box.told["state"], box.told["id"]) == ("rolled_back", "cmd-0001")
    assert "found bad" in refused(box, "slot_bad")


def test_a_version_that_cannot_read_the_database_is_none_to_go_back_to(box):
    updated(box, schema=12)
    assert "version 0.1.0 in the other slot cannot read the database" in refused(box, "other_schema")


def test_a_slot_that_was_never_well_here_is_none(box):
    start(box, "a", version="0.1.0")
    refused(box, "nothing_there")


def test_nor_one_that_was_written_since(box):
    updated(box)
    box.progress.forget_slot("a")
    refused(box, "nothing_there")
    assert box.progress.well("b") == Well("0.2.0", 11)


def test_during_a_trial_and_before_a_restart_it_is_refused(box):
    updated(box)
    record = box.progress.note(box.progress.record(), state=TRIAL, slot="b")
    refused(box, "on_trial")
    box.progress.note(record, state=INSTALLED, slot="a", version="0.3.0")
    refused(box, "update_waits")


def test_a_former_version_that_noted_nothing_counts_by_the_update_from_it(box):
    updated(box)
    (box.progress.folder / "slots.json").unlink()
    box.progress.note(box.progress.record(), state=INSTALLED)
    start(box, "b", version="0.2.0")
    assert box.progress.well("a") == Well("0.1.0", 11)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 7}', b'{"a": {"version": 1, "schema": "x"}}'])
def test_what_cannot_be_read_is_nothing(box, content):
    updated(box)
    (box.progress.folder / "slots.json").write_bytes(content)
    refused(box, "nothing_there")


@pytest.mark.parametrize("after", ["noted", "chosen", "installed"])
def test_wherever_the_power_goes_it_is_tried_or_nothing_has_changed(box, monkeypatch, after):
    class Cut(BaseException):
        pass

    updated(box)
    notes = []
    note, choose = type(box.progress).note, type(boot_loader(box.places, "b")).set_primary

    def noted(self, *args, **more):
        made = note(self, *args, **more)
        notes.append(made.state)
        if after == "noted" or (after == "installed" and made.state == INSTALLED):
            raise Cut
        return made

    def chosen(self, slot):
        choose(self, slot)
        if after == "chosen":
            raise Cut

    monkeypatch.setattr(type(box.progress), "note", noted)
    monkeypatch.setattr(type(boot_loader(box.places, "b")), "set_primary", chosen)
    with pytest.raises(Cut):
        ask(box)
    monkeypatch.undo()
    slot = boot_loader(box.places, "b").primary()
    start(box, slot, version={"a": "0.1.0", "b": "0.2.0"}[slot])
    assert (slot, box.told["state"]) == (("b", "failed") if after == "noted" else ("a", "good"))
    assert box.told["id"] == "cmd-0001"
    assert boot_loader(box.places, slot).may_start("b")


def test_a_pi_is_told_to_try_the_other_slot_once(box):
    (box.places.boot / "autoboot.txt").write_bytes(pi_default())
    updated(box)
    assert ask(box).calls == [("restart", "0 tryboot")]
    assert start(box, "a", version="0.1.0") == "goes on"
    assert box.told["state"] == "good"
    assert boot_loader(box.places, "a").primary() == "a"


def test_what_was_gone_back_from_is_not_installed_by_itself_again(box, monkeypatch):
    updated(box)
    ask(box)
    start(box, "a", version="0.1.0")
    installed = []

    class Fetched:
        address, file = "https://x", "x"

        def __init__(self, *_):
            pass

        def fetch(self):
            return True

        def forget(self):
            pass

    class Bundles:
        version = "0.2.0"

        def __init__(self, *_):
            self.path = "x"

        def checked(self, _):
            return self

        def install(self, path):
            installed.append((self.version, path))

    monkeypatch.setattr(fetch_update, "Fetch", Fetched)
    monkeypatch.setattr(fetch_update, "Install", Bundles)
    fetch_update._fetch(box.places, box.progress, UpdateSettings(url="https://x"))
    assert installed == []
    Bundles.version = "0.3.0"
    fetch_update._fetch(box.places, box.progress, UpdateSettings(url="https://x"))
    assert installed == [("0.3.0", "x")]
