"""The trial of a new version: on a copy first, then at work; and what happens when it fails at either."""

import itertools
import sqlite3
import subprocess
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fakes.daemons import MODEMBANK
from fakes.machines import ROOT
from fakes.trial_machines import FakeMachine, Stopped
from fakes.updates import updated_box
from modembank_box import health_gate
from modembank_box.boot_loader import TRYBOOT, boot_loader, pi_default
from modembank_box.cli import main
from modembank_box.health_gate import DEADLINE_S, HEALTHY_S, HealthGate
from modembank_box.machine import ON_TRIAL
from modembank_box.progress import INSTALLED, STATES, Record
from modembank_box.states import read_state
from modembank_box.verbs import fetch_update, update


@pytest.fixture
def box(tmp_path, signing):
    made = updated_box(tmp_path / "box", signing)
    database = sqlite3.connect(made.places.daemon / "modembank.sqlite3")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE secret (text)")
    database.execute("INSERT INTO secret VALUES ('see you at nine')")
    database.commit()
    made.database = database
    yield made
    database.close()


@pytest.fixture
def machine():
    return FakeMachine()


def installed(box, *, version="0.2.0"):
    """What an installation leaves, without RAUC."""
    record = box.progress.record()
    fields = {
        "by": "ada",
        "from_version": "0.1.0",
        "from_slot": "a",
        "from_schema": 11,
        "slot": "b",
        "version": version,
    }
    box.progress.note(record, state=INSTALLED, **fields)
    boot_loader(box.places, "a").set_primary("b")


def before(box, machine):
    try:
        HealthGate(box.places, box.progress, machine).before_daemon()
    except Stopped:
        return "restarts"
    return "goes on"


def after(box, machine):
    try:
        HealthGate(box.places, box.progress, machine).after_start()
    except Stopped:
        return "restarts"
    return "goes on"


def test_an_ordinary_start_tells_what_it_is_and_tries_nothing(box, machine):
    assert before(box, machine) == "goes on"
    assert box.told["state"] == "idle"
    assert machine.calls == []
    assert '"slot": "a"' in box.places.state("release").read_text()
    assert after(box, machine) == "goes on"
    assert box.progress.floor() == "0.1.0"
    assert machine.now == 0.0


@pytest.mark.parametrize("slot", ["a", "b", ""])
@pytest.mark.parametrize("state", STATES)
def test_what_is_told_at_the_beginning_of_a_start_is_what_the_trial_would_tell(box, machine, state, slot):
    box.progress.note(Record(), state=state, slot=slot, version="0.2.0", from_version="0.1.0", by="ada")
    kept = (box.progress.folder / "record.json").read_bytes()
    for name in ("release", "update"):
        box.places.state(name).unlink(missing_ok=True)
    at_once = box.progress.tell_at_once()
    told = [read_state(box.places.state(name)) for name in ("release", "update")]
    assert before(box, machine) == "goes on"
    if at_once:
        assert told == [read_state(box.places.state(name)) for name in ("release", "update")]
        assert (box.progress.folder / "record.json").read_bytes() == kept
        assert machine.calls == []
    else:
        assert told == [{}, {}]
        assert (box.progress.folder / "record.json").read_bytes() != kept or machine.calls


def test_with_a_copy_left_behind_nothing_is_told_at_once(box):
    assert box.progress.tell_at_once()
    box.progress.copy.mkdir()
    assert not box.progress.tell_at_once()


def test_an_ordinary_start_gives_the_slot_its_tries_again(box, machine):
    (box.places.boot / "grub/grubenv").write_bytes(
        (box.places.boot / "grub/grubenv").read_bytes().replace(b"A_TRY=0", b"A_TRY=2")
    )
    after(box, machine)
    assert box.grubenv["A_TRY"] == "0"


def test_a_version_that_is_well_stays(box, machine):
    installed(box)
    box.starts("b", version="0.2.0")
    assert before(box, machine) == "goes on"
    assert box.told["state"] == "trial"
    assert machine.calls == [("start", ON_TRIAL), ("stop", ON_TRIAL)]
    assert after(box, machine) == "goes on"
    assert (box.told["state"], box.told["from_version"], box.told["version"]) == ("good", "0.1.0", "0.2.0")
    assert machine.now >= HEALTHY_S
    assert box.progress.floor() == "0.2.0"
    assert box.grubenv == {"ORDER": "B A", "A_OK": "1", "A_TRY": "0", "B_OK": "1", "B_TRY": "0"}


def test_it_is_tried_on_a_copy_which_is_forgotten(box, machine):
    seen = []

    def look():
        copy = box.places.data / "trial"
        seen.extend(sorted(path.name for path in copy.iterdir()))
        assert copy.stat().st_mode & 0o077 == 0
        assert str(copy) in (box.places.run / "trial.toml").read_text()
        with sqlite3.connect(copy / "modembank.sqlite3") as copied:
            assert copied.execute("SELECT text FROM secret").fetchall() == [("see you at nine",)]
            copied.execute("DROP TABLE secret")

    machine.trial = look
    installed(box)
    box.starts("b", version="0.2.0")
    before(box, machine)
    assert seen == ["modembank.sqlite3", "modembank.sqlite3-wal"]
    assert not (box.places.data / "trial").exists()
    assert box.database.execute("SELECT text FROM secret").fetchall() == [("see you at nine",)]


def test_a_copy_that_a_power_cut_left_is_forgotten_at_the_next_start(box, machine):
    (box.places.data / "trial").mkdir()
    (box.places.data / "trial/modembank.sqlite3").write_text("see you at nine")
    before(box, machine)
    assert not (box.places.data / "trial").exists()


@pytest.mark.parametrize("schema", [11, 12])
def test_one_that_does_not_start_on_the_copy_goes_back_and_the_old_one_says_why(box, machine, schema):
    machine.trial = "migration 12 failed"
    installed(box)
    box.starts("b", version="0.2.0", schema=schema)
    assert before(box, machine) == "restarts"
    assert box.grubenv["B_OK"] == "0"
    assert boot_loader(box.places, "b").primary() == "a"
    assert not (box.places.data / "trial").exists()
    box.starts("a")
    assert before(box, FakeMachine()) == "goes on"
    assert box.told["state"] == "rolled_back"
    assert "0.2.0 does not start on a copy of the database: migration 12 failed" in box.told["reason"]
    assert after(box, FakeMachine()) == "goes on"
    assert box.progress.floor() == "0.1.0"


def test_one_that_never_gets_well_goes_back(box, machine):
    installed(box)
    box.starts("b", version="0.2.0")
    before(box, machine)
    # It starts again and again, and is never well for a minute.
    machine.states = ((("active", "activating")[n % 20 == 0], f"run-{n // 20}") for n in itertools.count(1))
    assert after(box, machine) == "restarts"
    assert DEADLINE_S <= machine.now < DEADLINE_S + 10
    box.starts("a")
    before(box, FakeMachine())
    assert box.told["state"] == "rolled_back"
    assert "did not get well" in box.told["reason"]


def test_one_that_gets_well_late_stays(box, machine):
    installed(box)
    box.starts("b", version="0.2.0")
    before(box, machine)
    machine.states = itertools.chain([("activating", "")] * 200, itertools.repeat(("active", "run-9")))
    assert after(box, machine) == "goes on"
    assert box.told["state"] == "good"


def test_what_does_not_even_come_up_goes_back(box, machine):
    """The boot loader has used its tries: nothing of the new version has ever run."""
    installed(box)
    update.restart(box.places, box.progress, machine)
    (box.places.boot / "grub/grubenv").write_bytes(
        (box.places.boot / "grub/grubenv").read_bytes().replace(b"B_TRY=0", b"B_TRY=3")
    )
    box.starts("a")
    before(box, FakeMachine())
    assert (box.told["state"], box.told["reason"]) == ("rolled_back", "version 0.2.0 did not come up")
    assert box.grubenv["B_OK"] == "0"


# -- a newer schema


def test_before_a_newer_schema_touches_the_database_the_way_back_is_closed(box, machine):
    installed(box)
    box.starts("b", version="0.2.0", schema=12)
    assert before(box, machine) == "goes on"
    assert (box.grubenv["A_OK"], box.grubenv["B_OK"]) == ("0", "1")
    assert box.told["state"] == "trial"


def test_with_the_way_back_closed_it_says_so_and_goes_on(box, machine):
    installed(box)
    box.starts("b", version="0.2.0", schema=12)
    before(box, machine)
    machine.states = itertools.repeat(("activating", ""))
    assert after(box, machine) == "goes on"
    assert box.told["state"] == "failed"
    assert "no way back: the version before cannot read the database" in box.told["reason"]
    assert boot_loader(box.places, "b").primary() == "b"
    box.starts("b", version="0.2.0", schema=12)
    again = FakeMachine()
    again.trial = "still not"
    assert before(box, again) == "goes on"
    assert box.told["state"] == "failed"
    box.starts("b", version="0.2.0", schema=12)
    assert before(box, FakeMachine()) == "goes on"
    assert after(box, FakeMachine()) == "goes on"
    assert (box.told["state"], box.told["reason"]) == ("good", "")


def test_a_power_cut_after_that_goes_on_with_the_trial(box, machine):
    installed(box)
    box.starts("b", version="0.2.0", schema=12)
    before(box, machine)
    box.starts("b", version="0.2.0", schema=12)
    again = FakeMachine()
    assert before(box, again) == "goes on"
    assert after(box, again) == "goes on"
    assert box.told["state"] == "good"


@pytest.mark.parametrize(("schema", "state"), [(11, "trial"), (12, "rolled_back")])
def test_without_room_for_a_copy_only_what_changes_no_database_goes_on(box, machine, monkeypatch, schema, state):
    monkeypatch.setattr(health_gate, "free_octets", lambda folder: 1 << 20)
    installed(box)
    box.starts("b", version="0.2.0", schema=schema)
    went = before(box, machine)
    assert went == ("goes on" if state == "trial" else "restarts")
    if went == "restarts":
        box.starts("a")
        before(box, FakeMachine())
    assert box.told["state"] == state
    assert "MiB are needed, 1 MiB are free" in box.told["reason"]


# -- where nothing was tried


def test_what_was_cut_off_while_it_was_written_is_told(box, machine):
    record = box.progress.record()
    box.progress.note(record, state="installing", slot="b", version="0.2.0", from_version="0.1.0")
    before(box, machine)
    assert box.told["state"] == "failed"
    assert "the version that runs is as it was" in box.told["reason"]


@pytest.mark.parametrize("state", ["installing", "failed"])
def test_what_rauc_finished_after_nobody_waited_for_it_any_more_is_tried_too(box, machine, state):
    installed(box)
    box.progress.note(box.progress.record(), state=state)
    box.starts("b", version="0.2.0")
    assert before(box, machine) == "goes on"
    assert machine.calls == [("start", ON_TRIAL), ("stop", ON_TRIAL)]
    assert box.told["state"] == "trial"


@pytest.mark.parametrize(
    ("state", "told", "becomes"),
    [("installing", "installing", "failed"), ("idle", "checking", "idle"), ("installed", "installed", "installed")],
)
def test_who_was_killed_while_it_was_under_way_does_not_leave_it_so(box, state, told, becomes):
    record = box.progress.note(box.progress.record(), state=state, version="0.2.0")
    box.progress.tell(replace(record, state=told), 40)
    assert main(["--root", str(box.root), "update", "over"]) == 0
    assert box.told["state"] == becomes
    with box.progress.alone():
        assert main(["--root", str(box.root), "update", "over"]) == 1


def test_a_version_that_was_good_and_no_longer_starts_is_told(box, machine):
    installed(box)
    box.starts("b", version="0.2.0")
    before(box, machine)
    after(box, machine)
    box.starts("a")
    before(box, FakeMachine())
    after(box, FakeMachine())
    assert box.told["state"] == "rolled_back"
    assert box.progress.floor() == "0.2.0", "and nothing in between can be installed"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"state": "what"}', b'{"state": 7, "slot": []}'])
def test_a_record_that_cannot_be_read_is_none(box, machine, content):
    (box.progress.folder / "record.json").write_bytes(content)
    assert before(box, machine) == "goes on"
    assert box.told["state"] == "idle"


# -- restarts


def test_a_restart_that_is_asked_for_goes_into_what_waits(box, machine):
    installed(box)
    update.restart(box.places, box.progress, machine)
    assert machine.calls == [("restart", "")]
    assert box.progress.record().restarted


def test_a_pi_is_told_to_try_the_other_slot_once(box, machine):
    (box.places.boot / "autoboot.txt").write_bytes(pi_default())
    installed(box)
    update.restart(box.places, box.progress, machine)
    assert machine.calls == [("restart", TRYBOOT)]
    box.starts("b", version="0.2.0")
    assert before(box, FakeMachine()) == "goes on"
    assert after(box, FakeMachine()) == "goes on"
    assert b"boot_partition=3\n[tryboot]" in (box.places.boot / "autoboot.txt").read_bytes()


def test_a_pi_that_was_switched_off_and_on_tries_what_waits_and_only_once(box, machine):
    (box.places.boot / "autoboot.txt").write_bytes(pi_default())
    installed(box)
    box.starts("a")
    assert before(box, machine) == "restarts"
    assert machine.calls == [("restart", TRYBOOT)]
    box.starts("a")
    assert before(box, FakeMachine()) == "goes on"
    assert box.told["state"] == "rolled_back"


@pytest.mark.parametrize(
    ("hour", "postponed", "automatic", "restarts"),
    [
        (3, "", True, True),
        (5, "", True, False),
        (3, "2999-01-01T00:00:00Z", True, False),
        (3, "2001-01-01", True, True),
    ],
)
def test_by_itself_it_restarts_only_in_its_window(box, machine, hour, postponed, automatic, restarts):
    installed(box)
    box.progress.postpone(postponed)
    at = datetime(2026, 11, 26, hour, 30, tzinfo=UTC)
    fetch_update.update_itself(box.places, fetch_update.update_settings(box.places), machine, at)
    assert machine.calls == ([("restart", "")] if restarts else [])


# -- the daemon on trial


def test_the_trials_configuration_is_one_and_its_daemon_reaches_nobody(tmp_path):
    config = tmp_path / "trial.toml"
    config.write_text(health_gate.TRIAL_CONFIGURATION.format(folder=tmp_path / "data"))
    run = subprocess.run(
        [MODEMBANK, "config", "check", "--config", config], capture_output=True, text=True, check=True, timeout=60
    )
    assert str(tmp_path / "data") in run.stdout
    unit = (ROOT / "systemd/box/modembank-trial-daemon.service").read_text()
    assert "PrivateNetwork=yes" in unit
    assert "ReadWritePaths=/data/trial" in unit
