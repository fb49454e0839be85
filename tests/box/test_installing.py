"""S22: installing with the real RAUC, and cutting the power of it: whatever happens, a whole slot is started."""

import contextlib
import os
import random
import shutil
import subprocess
import sys
import threading
import time

import pytest

from fakes.machines import ROOT
from fakes.updates import bus, make_bundle, rauc_service, updated_box
from modembank_box.errors import BoxError
from modembank_box.health_gate import HealthGate
from modembank_box.installing import Install
from modembank_box.orders import Order
from modembank_box.progress import TRIAL
from modembank_box.verbs.update import carry_out

pytestmark = [pytest.mark.root, pytest.mark.rauc]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory, signing):
    """Of the plain format: this kernel may know no dm-verity."""
    folder = tmp_path_factory.mktemp("bundles")
    return {
        version: make_bundle(folder / version, signing, version=version, form="plain") for version in ("0.2.0", "0.3.0")
    }


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    with bus(tmp_path_factory.mktemp("bus")) as made:
        yield made


@pytest.fixture
def box(tmp_path, signing, environment, monkeypatch):
    for name in ("DBUS_SESSION_BUS_ADDRESS", "DBUS_STARTER_BUS_TYPE"):
        monkeypatch.setenv(name, environment[name])
    return updated_box(tmp_path / "box", signing)


@pytest.fixture
def service(box, environment):
    with rauc_service(box, environment) as running:
        yield running


def written(box, bundle):
    content = bundle.with_suffix(".slot").read_bytes()
    return box.slot("b")[: len(content)] == content


def test_the_other_slot_is_written_and_started_next(box, service, bundles):
    Install(box.places, box.progress, "ada", "x1").install(str(bundles["0.2.0"]))
    assert written(box, bundles["0.2.0"])
    assert box.slot("a") == b"a" * len(box.slot("a"))
    assert box.grubenv == {"ORDER": "B A", "A_OK": "1", "A_TRY": "0", "B_OK": "1", "B_TRY": "0"}
    told = {name: box.told[name] for name in ("state", "from_version", "version", "by", "id", "reason")}
    assert told == {
        "state": "installed", "from_version": "0.1.0", "version": "0.2.0", "by": "ada", "id": "x1", "reason": "",
    }  # fmt: skip


def test_what_the_daemon_asked_for_is_installed_and_gone(box, service, bundles):
    folder = box.orders("update", bundles["0.2.0"])
    carry_out(box.places, Order("update", "x1", "ada"), machine=None)
    assert box.told["state"] == "installed"
    assert not (folder / "bundle.raucb").exists()


def test_one_on_top_of_another_that_waits(box, service, bundles):
    for version in ("0.2.0", "0.3.0"):
        Install(box.places, box.progress, "ada").install(str(bundles[version]))
    assert written(box, bundles["0.3.0"])
    assert box.progress.record().version == "0.3.0"


def test_how_far_it_is_is_told(box, service, bundles, monkeypatch):
    seen = []
    tell = type(box.progress).tell
    monkeypatch.setattr(
        type(box.progress),
        "tell",
        lambda self, record, percent=None: (seen.append(percent), tell(self, record, percent)),
    )
    Install(box.places, box.progress, "ada").install(str(bundles["0.2.0"]))
    far = [percent for percent in seen if percent is not None]
    assert far == sorted(far)
    assert len(set(far)) > 5
    assert far[-1] == 100


def test_what_is_refused_changes_nothing_and_says_why(box, service, bundles, tmp_path):
    before = box.grubenv
    path = tmp_path / "x.raucb"
    path.write_bytes(bundles["0.2.0"].read_bytes()[:-3000])
    with pytest.raises(BoxError):
        Install(box.places, box.progress, "ada").install(str(path))
    assert box.told["state"] == "refused"
    assert "cut short or damaged" in box.told["reason"]
    assert box.grubenv == before
    assert box.slot("b") == b"b" * len(box.slot("b"))


def test_one_that_is_refused_does_not_undo_one_that_waits(box, service, bundles, tmp_path):
    Install(box.places, box.progress, "ada").install(str(bundles["0.2.0"]))
    (tmp_path / "x.raucb").write_bytes(b"hello")
    with pytest.raises(BoxError):
        Install(box.places, box.progress, "eve").install(str(tmp_path / "x.raucb"))
    told = box.told
    assert (told["state"], told["version"], told["by"]) == ("installed", "0.2.0", "ada")
    assert "another bundle was refused meanwhile" in told["reason"]


def test_without_its_service_it_fails_and_says_so(box, bundles):
    with pytest.raises(BoxError):
        Install(box.places, box.progress, "ada").install(str(bundles["0.2.0"]))
    assert box.told["state"] == "failed"
    assert "as it was" in box.told["reason"]
    assert box.grubenv["ORDER"] == "A B"


def test_a_slot_that_is_too_small_fails_and_the_one_that_runs_is_started(box, service, bundles):
    (box.root / "dev/slot-b").write_bytes(b"")
    os.truncate(box.root / "dev/slot-b", 1 << 20)
    loop = subprocess.run(
        ["losetup", "--find", "--show", box.root / "dev/slot-b"], capture_output=True, text=True, check=True
    ).stdout.strip()
    try:
        (box.root / "dev/slot-b").rename(box.root / "dev/small")
        (box.root / "dev/slot-b").symlink_to(loop)
        with pytest.raises(BoxError):
            Install(box.places, box.progress, "ada").install(str(bundles["0.2.0"]))
    finally:
        subprocess.run(["losetup", "--detach", loop], check=True)
    assert box.told["state"] == "failed"
    assert (box.grubenv["ORDER"], box.grubenv["A_OK"], box.grubenv["B_OK"]) == ("A B", "1", "0")


def test_during_a_trial_the_other_slot_is_left_alone(box, bundles):
    box.starts("b", version="0.2.0")
    box.progress.note(box.progress.record(), state=TRIAL, slot="b")
    with pytest.raises(BoxError, match="still on trial"):
        Install(box.places, box.progress, "ada").install(str(bundles["0.3.0"]))
    assert box.told["state"] == "trial"


def test_one_at_a_time(box):
    with box.progress.alone(), pytest.raises(BoxError, match="another update is under way"), box.progress.alone():
        pass


# -- power cuts

# More of them: UPDATE_CUTS=200 pytest tests/box/test_installing.py
CUTS = int(os.environ.get("UPDATE_CUTS", "5"))


def cut(box, environment, bundle, after_s):
    """Install, and kill all that takes part in it after so long; returned is whether it was done by then."""
    program = (
        "import sys; from pathlib import Path; from modembank_box.places import Places\n"
        "from modembank_box.installing import Install; from modembank_box.progress import Progress\n"
        "places = Places(Path(sys.argv[1])); Install(places, Progress(places), 'ada').install(sys.argv[2])\n"
    )
    with rauc_service(box, environment) as service:
        asking = subprocess.Popen(
            [sys.executable, "-c", program, box.root, bundle],
            env=environment | {"PYTHONPATH": str(ROOT / "daemon")},
            start_new_session=True,
            stderr=subprocess.DEVNULL,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            asking.wait(after_s)
        done = asking.poll() == 0
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(service.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        for pid in (service.pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        asking.kill()
        asking.wait()
    return done


def starts_next(variables):
    for slot in variables["ORDER"].split():
        if variables[f"{slot}_OK"] == "1":
            return slot.lower()
    return None


def test_a_power_cut_at_any_moment_leaves_a_slot_that_starts(box, environment, bundles):
    bundle = bundles["0.2.0"]
    began = time.monotonic()
    assert cut(box, environment, bundle, 60)
    whole = time.monotonic() - began
    rng = random.Random(22)
    ends = set()
    for n in range(CUTS):
        shutil.copy(box.root / "boot/box/grub/grubenv", box.root / "before")
        box.root.joinpath("dev/slot-b").write_bytes(b"b" * len(box.slot("b")))
        for name in ("record.json", "floor.json"):
            (box.places.data / "update" / name).unlink(missing_ok=True)
        subprocess.run([box.root / "backend", "set-primary", "a"], check=True)
        subprocess.run([box.root / "backend", "set-state", "b", "bad"], check=True)
        cut(box, environment, bundle, whole * (n + rng.random()) / CUTS)
        chosen = starts_next(box.grubenv)
        assert chosen == "a" or written(box, bundle), "what is started is what was there, or all of what is new"
        assert box.slot("a") == b"a" * len(box.slot("a"))
        box.starts("a")
        if chosen == "a":
            HealthGate(box.places, box.progress).before_daemon()
            assert box.told["state"] in {"idle", "failed", "installed", "rolled_back"}
            assert box.told["state"] != "failed" or "the version that runs is as it was" in box.told["reason"]
        ends.add(chosen)
    assert "a" in ends
    with rauc_service(box, environment):
        Install(box.places, box.progress, "ada").install(str(bundle))
    assert starts_next(box.grubenv) == "b"


def test_the_boot_backend_can_be_asked_while_it_is_told(box):
    """Two processes that change the variables do not lose each other's change."""
    for _ in range(3):
        calls = [
            threading.Thread(target=subprocess.run, args=([box.root / "backend", "set-state", slot, "bad"],))
            for slot in "ab"
        ]
        for call in calls:
            call.start()
        for call in calls:
            call.join()
        assert (box.grubenv["A_OK"], box.grubenv["B_OK"]) == ("0", "0")
        for slot in "ab":
            subprocess.run([box.root / "backend", "set-state", slot, "good"], check=True)
