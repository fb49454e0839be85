"""Updates on USB sticks: the newest is installed, and any other stick is left as it is."""

import os
import subprocess
from pathlib import Path

import pytest

from fakes.updates import make_bundle, updated_box
from modembank_box.errors import BoxError
from modembank_box.installing import Install
from modembank_box.progress import INSTALLED
from modembank_box.sticks import MOST, bundles_on, held, mounted, newest
from modembank_box.verbs.stick import look_through

pytestmark = pytest.mark.rauc


@pytest.fixture(scope="module")
def bundles(tmp_path_factory, signing):
    folder = tmp_path_factory.mktemp("bundles")
    return {
        version: make_bundle(folder / version, signing, version=version)
        for version in ("0.0.9", "0.1.0", "0.2.0", "0.10.0")
    }


@pytest.fixture
def box(tmp_path, signing):
    return updated_box(tmp_path / "box", signing)


@pytest.fixture
def stick(tmp_path, bundles):
    folder = tmp_path / "stick"
    folder.mkdir()

    def put(*versions):
        for version in versions:
            (folder / f"modembank-{version}-amd64.raucb").write_bytes(bundles[version].read_bytes())
        return folder

    return put


def best(box, folder):
    with held(bundles_on(folder)) as files:
        return newest(Install(box.places, box.progress, "a USB stick"), "0.1.0", files)


def test_the_newest_by_its_version_and_not_by_its_name(box, stick):
    bundle, _ = best(box, stick("0.0.9", "0.10.0", "0.2.0", "0.1.0"))
    assert bundle.version == "0.10.0"


def test_a_name_says_nothing(box, stick):
    folder = stick("0.2.0")
    (folder / "modembank-0.2.0-amd64.raucb").rename(folder / "modembank-99.0.raucb")
    (folder / "modembank-9.9.raucb").write_bytes(b"hello")
    bundle, refused = best(box, folder)
    assert bundle.version == "0.2.0"
    assert "modembank-9.9.raucb: it is no update bundle" in refused


def test_what_is_not_newer_is_neither_installed_nor_told(box, stick):
    look_through(box.places, box.progress, stick("0.1.0"))
    assert not box.places.state("update").exists()


def test_a_stick_without_updates_is_not_told_of(box, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "holiday.raucb").write_bytes(b"x")
    (folder / "modembank-1.0.raucb.part").write_bytes(b"x")
    (folder / "modembank-1.0.raucb").symlink_to("/etc/passwd")
    (folder / "modembank-2.0.raucb").mkdir()
    (folder / "modembank-3.0.raucb").touch()
    os.mkfifo(folder / "modembank-4.0.raucb")
    assert bundles_on(folder) == []
    look_through(box.places, box.progress, folder)
    assert not box.places.state("update").exists()


def test_why_the_only_one_was_refused_is_told(box, stick, tmp_path):
    look_through(box.places, box.progress, stick("0.0.9"))
    assert (box.told["state"], box.told["by"]) == ("refused", "a USB stick")
    assert "modembank-0.0.9-amd64.raucb: it is older (0.0.9)" in box.told["reason"]


def test_it_does_not_undo_one_that_waits(box, stick, capsys):
    record = box.progress.note(box.progress.record(), state=INSTALLED, version="0.10.0", slot="b")
    look_through(box.places, box.progress, stick("0.0.9"))
    look_through(box.places, box.progress, stick("0.10.0"))
    assert box.progress.record() == record


def test_what_cannot_be_installed_is_told(box, stick, capsys):
    """There is no RAUC service in this test."""
    look_through(box.places, box.progress, stick("0.2.0"))
    assert box.told["state"] == "failed"
    assert capsys.readouterr().err


def test_not_every_file_of_a_full_stick_is_looked_at(tmp_path):
    for n in range(MOST + 5):
        (tmp_path / f"modembank-{n:02}.raucb").write_bytes(b"x")
    assert len(bundles_on(tmp_path)) == MOST


@pytest.fixture
def device(tmp_path, request):
    """A disk of 8 MiB with a file system."""
    image = tmp_path / "stick.img"
    with image.open("wb") as file:
        file.truncate(8 << 20)
    if request.param == "ext4":
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
    losetup = ["losetup", "--find", "--show", image]
    loop = subprocess.run(losetup, capture_output=True, text=True, check=True).stdout.strip()
    yield loop
    subprocess.run(["losetup", "--detach", loop], check=True)


@pytest.mark.root
@pytest.mark.parametrize("device", ["ext4"], indirect=True)
def test_it_is_mounted_so_that_nothing_of_it_can_do_anything(tmp_path, device):
    content = (tmp_path / "stick.img").read_bytes()
    with mounted(device, tmp_path / "at") as folder:
        lines = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
        options = next(line[3] for line in lines if line[1] == str(folder))
        assert {"ro", "nosuid", "nodev", "noexec"} <= set(options.split(","))
    assert not folder.exists()
    assert (tmp_path / "stick.img").read_bytes() == content


@pytest.mark.root
@pytest.mark.parametrize("device", ["nothing"], indirect=True)
def test_what_is_no_file_system_is_not_mounted(tmp_path, device):
    with (
        pytest.raises(BoxError, match="no file system that updates are looked for on"),
        mounted(device, tmp_path / "at"),
    ):
        pass
