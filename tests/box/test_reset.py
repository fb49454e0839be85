"""``modembank-box reset`` leaves the word for the initrd on the boot partition, and restarts."""

import subprocess

import pytest

from fakes.disks import SCRIPT
from modembank_box import boot_files
from modembank_box.cli import main
from modembank_box.places import Places
from modembank_box.verbs.reset import FILE


@pytest.fixture
def box(tmp_path, monkeypatch):
    places = Places(tmp_path)
    places.boot.mkdir(parents=True)
    ran = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: ran.append(command))
    return places, ran


@pytest.mark.parametrize(("arguments", "everything"), [([], False), (["everything"], True)])
def test_it_is_noted_and_the_box_restarts(box, arguments, everything):
    places, ran = box
    assert main(["--root", str(places.root), "reset", *arguments]) == 0
    assert ran == [["systemctl", "--no-block", "reboot"]]
    assert ("everything" in (places.boot / FILE).read_text()) is everything
    assert [path.name for path in places.boot.iterdir()] == [FILE]


def test_the_initrd_looks_for_that_file():
    assert f"for _each in {FILE} {FILE}.txt; do" in SCRIPT.read_text()


def test_what_is_not_understood_resets_nothing(box, capsys):
    places, ran = box
    assert main(["--root", str(places.root), "reset", "now"]) == 1
    assert (ran, list(places.boot.iterdir())) == ([], [])


def test_where_it_cannot_be_noted_nothing_restarts(box, monkeypatch, capsys):
    places, ran = box

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(boot_files, "put", full)
    assert main(["--root", str(places.root), "reset"]) == 1
    assert ran == []
    assert "the boot partition cannot be written: No space left on device" in capsys.readouterr().err
