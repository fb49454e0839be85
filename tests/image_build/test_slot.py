"""What a slot and the boot partition hold, and what is taken out of a root."""

import subprocess

import pytest

import root
from filesystems import ext4, squashfs, vfat
from layout import DATA_UUID
from modembank_box.boot_loader import pi_default
from recipe import Recipe
from slot import fill_boot, fill_slot

EPOCH = 1_767_225_600


def recipe(tmp_path, architecture):
    return Recipe(architecture, "1.2.3", "20260101T000000Z-abc", EPOCH, tmp_path, tmp_path)


@pytest.fixture
def boot(tmp_path):
    """What the root has of kernels and boot loaders."""
    for name in (
        "vmlinuz",
        "initrd.img",
        "shim/shimx64.efi.signed",
        "shim/mmx64.efi.signed",
        "x86_64-efi-signed/grubx64.efi.signed",
        "raspi-firmware/bootcode.bin",
        "raspi-firmware/start4.elf",
        "raspi-firmware/fixup4.dat",
        "broadcom/bcm2712-rpi-5-b.dtb",
        "broadcom/other-board.dtb",
    ):
        path = tmp_path / "from" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "from"


def names(tree):
    return sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file())


def filled(fill, tmp_path, architecture, boot):
    tree = tmp_path / "tree"
    tree.mkdir()
    fill(recipe(tmp_path, architecture), boot, tree)
    return tree


def test_a_slot_of_a_pc(tmp_path, boot):
    tree = filled(fill_slot, tmp_path, "amd64", boot)
    assert names(tree) == ["initrd.img", "release.toml", "vmlinuz"]
    assert 'version = "1.2.3"' in (tree / "release.toml").read_text()


def test_a_slot_of_a_pi_starts_by_itself(tmp_path, boot):
    tree = filled(fill_slot, tmp_path, "arm64", boot)
    assert names(tree) == [
        "bcm2712-rpi-5-b.dtb",
        "cmdline.txt",
        "config.txt",
        "fixup4.dat",
        "initrd.img",
        "release.toml",
        "start4.elf",
        "vmlinuz",
    ]
    assert "panic=10" in (tree / "cmdline.txt").read_text()
    assert "kernel=vmlinuz\ninitramfs initrd.img followkernel" in (tree / "config.txt").read_text()


def test_a_pc_starts_by_debians_signed_chain(tmp_path, boot):
    tree = filled(fill_boot, tmp_path, "amd64", boot)
    assert (tree / "EFI/BOOT/BOOTX64.EFI").read_text() == "shim/shimx64.efi.signed"
    assert (tree / "EFI/BOOT/grubx64.efi").read_text() == "x86_64-efi-signed/grubx64.efi.signed"
    assert "configfile" in (tree / "EFI/debian/grub.cfg").read_text()
    assert (tree / "grub/grubenv").stat().st_size == 1024


def test_a_pi_starts_slot_a(tmp_path, boot):
    tree = filled(fill_boot, tmp_path, "arm64", boot)
    assert names(tree) == ["autoboot.txt", "bootcode.bin", "box.example.toml"]
    assert (tree / "autoboot.txt").read_bytes() == pi_default()


def test_a_root_is_cleaned_of_what_differs_from_build_to_build(tmp_path):
    for name in (
        "var/log/apt/history.log",
        "etc/ssh/ssh_host_ed25519_key",
        "etc/ssh/sshd_config",
        "etc/passwd-",
        "etc/passwd",
        "var/lib/dpkg/status",
        "var/lib/dpkg/status-old",
        "usr/lib/grub/x86_64-efi/acpi.mod",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "etc/machine-id").write_text("0123\n")
    root.clean(tmp_path)
    assert names(tmp_path) == ["etc/machine-id", "etc/passwd", "etc/ssh/sshd_config", "var/lib/dpkg/status"]
    assert (tmp_path / "etc/machine-id").read_text() == ""
    assert all((tmp_path / folder).is_dir() for folder in root.FOLDERS)


def test_nothing_is_younger_than_the_commit_and_links_are_not_followed(tmp_path):
    (tmp_path / "new").touch()
    (tmp_path / "link").symlink_to("nowhere")
    root.settle_times(tmp_path, EPOCH)
    assert (tmp_path / "new").stat().st_mtime == EPOCH
    assert (tmp_path / "link").lstat().st_mtime == EPOCH


def test_systemd_need_not_bring_up_to_date_what_is_of_this_usr(tmp_path):
    for name in ("usr", "etc", "var"):
        (tmp_path / name).mkdir()
    root.keep_as_built(tmp_path, EPOCH)
    times = {(tmp_path / name).stat().st_mtime for name in ("usr", "etc/.updated", "var/.updated")}
    assert times == {EPOCH}


@pytest.mark.disks
def test_file_systems_are_the_same_each_time(tmp_path):
    found = []
    for number in (1, 2):
        tree = tmp_path / f"tree{number}"
        (tree / "folder").mkdir(parents=True)
        (tree / "folder/file").write_text("content")
        (tree / "a long name").write_text("more")
        made = [tmp_path / f"{kind}{number}" for kind in ("vfat", "squashfs", "ext4")]
        vfat(tree, made[0], label="SYSTEM", volume=0x1234ABCD, size_mib=None, epoch=EPOCH)
        squashfs(tree, made[1], epoch=EPOCH)
        ext4(made[2], size_mib=64, epoch=EPOCH)
        found.append([path.read_bytes() for path in made])
    assert found[0] == found[1]
    tool = subprocess.run(["mtype", "-i", tmp_path / "vfat1", "::folder/file"], check=True, capture_output=True)
    assert tool.stdout == b"content"
    said = subprocess.run(
        ["/sbin/dumpe2fs", "-h", tmp_path / "ext41"], check=True, capture_output=True, text=True
    ).stdout
    assert str(DATA_UUID) in said
    assert "modembank-data" in said
