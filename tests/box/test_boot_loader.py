"""Which slot is started: GRUB's variables and a Raspberry Pi's file, changed in one sector and in place."""

import subprocess

import pytest

from fakes.updates import GRUBENV, write_grubenv
from modembank_box.boot_loader import TRYBOOT, boot_loader, other, pi_default, running_slot
from modembank_box.boot_partition import write_sector
from modembank_box.cli import main
from modembank_box.errors import BoxError
from modembank_box.places import Places


@pytest.fixture
def places(tmp_path):
    made = Places(tmp_path)
    (made.boot / "grub").mkdir(parents=True)
    (tmp_path / "proc/device-tree/chosen/bootloader").mkdir(parents=True)
    (tmp_path / "proc/cmdline").write_text("quiet modembank.slot=a\n")
    return made


@pytest.fixture
def grubenv(places):
    path = places.boot / "grub/grubenv"
    write_grubenv(path, GRUBENV)
    return path


@pytest.fixture
def autoboot(places):
    path = places.boot / "autoboot.txt"
    path.write_bytes(pi_default())
    return path


def grub_starts(path):
    """What image/boot/grub.cfg does: the first of ORDER in order with tries left, which loses one of them."""
    lines = path.read_text().split("\n") if path.stat().st_size else []
    found = {"ORDER": "A B", "A_OK": "1", "A_TRY": "0", "B_OK": "1", "B_TRY": "0"}
    found |= dict(line.split("=") for line in lines if "=" in line)
    for _ in range(2):
        for slot in found["ORDER"].split():
            if found[f"{slot}_OK"] == "1" and found[f"{slot}_TRY"] in {"0", "1", "2"}:
                found[f"{slot}_TRY"] = str(int(found[f"{slot}_TRY"]) + 1)
                write_grubenv(path, found)
                return slot.lower()
        found |= {"A_TRY": "0", "B_TRY": "0"}
    return None


def pi_starts(path, *, tryboot=False):
    """What the firmware does, by Raspberry Pi's documentation of autoboot.txt."""
    section, read = "all", {}
    for line in path.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif "=" in line and not line.startswith("#") and (section == "all" or tryboot):
            name, _, value = line.partition("=")
            read[name] = value
    assert read["tryboot_a_b"] == "1"
    return {"2": "a", "3": "b"}[read["boot_partition"]]


def rauc(*words, root):
    return main(["--root", str(root), "boot", *words])


# -- GRUB


def test_an_installation_as_rauc_does_it(places, grubenv, capsys):
    assert rauc("get-current", root=places.root) == 0
    assert rauc("get-primary", root=places.root) == 0
    assert capsys.readouterr().out == "a\na\n"
    rauc("set-state", "b", "bad", root=places.root)
    assert grub_starts(grubenv) == "a"
    rauc("set-primary", "b", root=places.root)
    assert grub_starts(grubenv) == "b"
    rauc("get-state", "b", root=places.root)
    rauc("get-primary", root=places.root)
    assert capsys.readouterr().out == "good\nb\n"


def test_a_slot_that_never_says_that_it_is_well_is_started_three_times(places, grubenv):
    loader = boot_loader(places, "a")
    loader.set_primary("b")
    assert [grub_starts(grubenv) for _ in range(4)] == ["b", "b", "b", "a"]
    assert not loader.may_start("b")
    assert loader.primary() == "a"


def test_a_slot_that_is_well_has_all_its_tries_again(places, grubenv):
    for _ in range(9):
        assert grub_starts(grubenv) == "a"
        boot_loader(places, "a").set_good("a")


def test_a_bad_slot_is_not_started_even_when_it_was_first(places, grubenv):
    loader = boot_loader(places, "b")
    loader.set_primary("b")
    loader.set_bad("b")
    assert grub_starts(grubenv) == "a"


def test_when_the_other_is_out_and_the_tries_are_used_it_is_started_again(places, grubenv):
    loader = boot_loader(places, "b")
    loader.set_primary("b")
    loader.set_bad("a")
    assert [grub_starts(grubenv) for _ in range(5)] == ["b"] * 5


def test_what_else_stands_there_stays(places, grubenv):
    write_grubenv(grubenv, GRUBENV | {"saved_entry": "x"})
    boot_loader(places, "a").set_primary("b")
    assert "saved_entry=x\n" in grubenv.read_text()


@pytest.mark.parametrize("content", [b"", b"x" * 1024, b"# GRUB Environment Block\nORDER=", None])
@pytest.mark.parametrize("running", ["a", "b"])
def test_variables_that_are_lost_are_made_anew_for_the_slot_that_runs(places, grubenv, content, running):
    if content is None:
        grubenv.unlink()
    else:
        grubenv.write_bytes(content)
    loader = boot_loader(places, running)
    assert loader.primary() == running
    loader.set_primary(running)
    loader.set_good(running)
    assert grub_starts(grubenv) == running
    assert grubenv.stat().st_size == 1024


@pytest.mark.rauc
def test_grub_reads_what_is_written(places, grubenv):
    boot_loader(places, "a").set_primary("b")
    said = subprocess.run(["grub-editenv", grubenv, "list"], capture_output=True, text=True, check=True).stdout
    assert said.split("\n")[:5] == ["ORDER=B A", "A_OK=1", "A_TRY=0", "B_OK=1", "B_TRY=0"]


# -- Raspberry Pi


def test_a_trial_is_one_start_and_a_power_cut_goes_back(places, autoboot):
    loader = boot_loader(places, "a")
    assert loader.restart_argument == ""
    loader.set_bad("b")
    loader.set_primary("b")
    assert loader.primary() == "b"
    assert loader.restart_argument == TRYBOOT
    assert pi_starts(autoboot) == "a"
    assert pi_starts(autoboot, tryboot=True) == "b"


def test_found_good_it_is_always_started(places, autoboot):
    boot_loader(places, "a").set_primary("b")
    loader = boot_loader(places, "b")
    loader.set_primary("b")
    loader.set_good("b")
    assert pi_starts(autoboot) == "b"
    assert loader.restart_argument == ""
    loader.set_primary("a")
    assert (pi_starts(autoboot), pi_starts(autoboot, tryboot=True)) == ("b", "a")


def test_found_bad_nothing_tries_it_again(places, autoboot):
    boot_loader(places, "a").set_primary("b")
    loader = boot_loader(places, "b")
    loader.set_primary("a")
    loader.set_bad("b")
    assert boot_loader(places, "a").restart_argument == ""
    assert boot_loader(places, "a").primary() == "a"
    assert pi_starts(autoboot) == "a"


def test_an_ordinary_start_does_not_forget_what_waits_for_its_trial(places, autoboot):
    boot_loader(places, "a").set_primary("b")
    boot_loader(places, "a").set_good("a")
    assert boot_loader(places, "a").restart_argument == TRYBOOT


@pytest.mark.parametrize("running", ["a", "b"])
@pytest.mark.parametrize("content", [b"", b"[all]\nboot_partition=9\n", b"\xff" * 512, b"[all]\nboot_partition=2\n"])
def test_a_file_that_cannot_be_read_is_made_anew_for_the_slot_that_runs(places, autoboot, running, content):
    autoboot.write_bytes(content)
    loader = boot_loader(places, running)
    loader.set_good(running)
    assert pi_starts(autoboot) == running
    assert not loader.may_start(other(running))


def test_the_firmware_reads_no_more_than_a_sector(places, autoboot):
    boot_loader(places, "a").set_primary("b")
    assert autoboot.stat().st_size == len(pi_default()) == 512


# -- both


@pytest.mark.parametrize("kind", ["grubenv", "autoboot"])
def test_a_change_is_one_sector_in_place(request, places, kind, monkeypatch):
    path = request.getfixturevalue(kind)
    before, content = path.stat(), path.read_bytes()
    written = []
    monkeypatch.setattr("os.pwrite", lambda _, octets, at: written.append((at, len(octets))))
    boot_loader(places, "a").set_primary("b")
    assert written == [(0, 512)]
    assert path.read_bytes() == content, "nothing else is written, and nothing emptied before"
    assert path.stat().st_ino == before.st_ino


@pytest.mark.parametrize("kind", ["grubenv", "autoboot"])
def test_what_is_so_already_is_not_written(request, places, kind, monkeypatch):
    request.getfixturevalue(kind)
    monkeypatch.setattr("os.pwrite", pytest.fail)
    boot_loader(places, "a").set_good("a")


def test_a_sector_is_a_sector(tmp_path):
    with pytest.raises(ValueError, match="3"):
        write_sector(tmp_path / "x", b"abc")


@pytest.mark.parametrize(("number", "slot"), [(2, "a"), (3, "b")])
def test_a_pi_is_told_its_slot_by_the_firmware(places, number, slot):
    (places.root / "proc/cmdline").write_text("quiet\n")
    (places.root / "proc/device-tree/chosen/bootloader/partition").write_bytes(number.to_bytes(4, "big"))
    assert running_slot(places) == slot


@pytest.mark.parametrize(("device", "slot"), [("/dev/mmcblk0p2", "a"), ("/dev/sda3", "b")])
def test_on_an_old_pi_it_is_the_one_that_is_mounted(places, device, slot):
    (places.root / "proc/cmdline").write_text("quiet\n")
    lines = (
        f"/dev/sda2 /boot/box vfat ro 0 0\n{device} /run/modembank-box/system vfat ro 0 0\n/dev/sdb9 /mnt ext4 rw 0 0\n"
    )
    (places.root / "proc/mounts").write_text(lines)
    assert running_slot(places) == slot


def test_where_nobody_says_it_that_is_said(places):
    (places.root / "proc/cmdline").write_text("quiet\n")
    with pytest.raises(BoxError, match="no start of the appliance's image"):
        running_slot(places)


@pytest.mark.parametrize("words", [["get-state", "c"], ["set-state", "a", "ugly"], [], ["get-everything"]])
def test_what_is_not_known_fails(places, grubenv, words):
    assert rauc(*words, root=places.root) == 1
