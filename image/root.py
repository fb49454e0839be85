"""The root of the box: Debian, what is ours, and nothing that differs from one build to the next."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import bundle
import python
from base import ORIGINS
from commands import run, say
from keys import keys
from recipe import HERE, TREE, Recipe

# Left behind by installing: lists, logs, caches, backups, keys, what only a boot loader or an installation needs.
REMOVED = (
    "boot/*", "dev/*", "etc/*-", "etc/apt/sources.list*", "etc/machine-id", "etc/ssh/ssh_host_*", "root/.*", "run/*",
    "tmp/*", "usr/lib/grub/*", "usr/lib/modules/*/dtb", "usr/lib/modules/*/vmlinuz", "usr/lib/raspi-firmware",
    "usr/lib/shim", "usr/share/grub", "usr/share/initramfs-tools", "var/cache/*", "var/lib/apt/*",
    "var/lib/dbus/machine-id", "var/lib/dpkg/*-old", "var/lib/initramfs-tools", "var/lib/systemd/*", "var/lib/ucf/*",
    "var/log/*", "var/tmp/*",
)  # fmt: skip
# What starts the kernel of a PC, and of a Raspberry Pi with the device trees of its kernel.
LOADERS = ("usr/lib/grub/x86_64-efi-signed", "usr/lib/shim", "usr/lib/raspi-firmware", "usr/lib/modules/*/dtb/broadcom")
FOLDERS = ("data", "boot/box", "var/lib/modembank", "var/backups/modembank", "var/log/journal", "var/lib/rauc")


def build(recipe: Recipe, base: Path, work: Path) -> tuple[Path, Path]:
    """Make the root and its boot files; returned are two folders, the second with what the boot loaders start."""
    root, boot = work / "root", work / "boot"
    root.mkdir()
    run(["tar", "--numeric-owner", "-xf", base, "-C", root], epoch=recipe.epoch)
    say("the project and its dependencies")
    python.install(recipe, root, python.wheels(recipe, work))
    put_files(recipe, root)
    python.compile_all(recipe, root)
    say("the initrd")
    make_initrd(recipe, root)
    shutil.copytree(root / "boot", boot)
    for pattern in LOADERS:
        for folder in root.glob(pattern):
            shutil.copytree(folder, boot / folder.name)
    (root / ORIGINS).rename(work / "origins")
    clean(root)
    settle_times(root, recipe.epoch)
    keep_as_built(root, recipe.epoch)
    return root, boot


def put_files(recipe: Recipe, root: Path) -> None:
    """Install the project's units and the image's own files, and switch on what the presets name and nothing else."""
    shutil.rmtree(root / "etc/systemd/system")
    options = {"DESTDIR": str(root), "PREFIX": "/usr"}
    run(["sh", TREE / "tools/install.sh", "--usb-guard", "--box"], epoch=recipe.epoch, also=options)
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    run(["cp", "-r", "--no-preserve=ownership", f"{HERE}/files/.", root], epoch=recipe.epoch)
    put_rauc(recipe, root)
    run(["chroot", root, "systemd-sysusers"], epoch=recipe.epoch)
    run(["chroot", root, "systemctl", "preset-all"], epoch=recipe.epoch)
    # The clock never shows a time before this.
    (root / "usr/lib/clock-epoch").touch()
    os.utime(root / "usr/lib/clock-epoch", (recipe.epoch, recipe.epoch))


def put_rauc(recipe: Recipe, root: Path) -> None:
    """Install what updates need: RAUC's configuration, whose updates are believed, and what tells the boot loader."""
    (root / "etc/rauc").mkdir(exist_ok=True)
    (root / "etc/rauc/system.conf").write_text(bundle.system_conf(recipe.architecture, recipe.version))
    shutil.copy(keys(recipe.cache.parent).keyring, root / "etc/rauc/keyring.pem")
    backend = root / "usr/lib/modembank/boot-backend"
    backend.parent.mkdir(exist_ok=True)
    shutil.copy(HERE / "rauc/boot-backend", backend)
    backend.chmod(0o755)


def make_initrd(recipe: Recipe, root: Path) -> None:
    """Make it with initramfs-tools in the root itself, by the scripts in ``initrd/``."""
    tools = root / "etc/initramfs-tools"
    for name, place, mode in (
        ("root.sh", "scripts/modembank", 0o644),
        ("hook.sh", "hooks/modembank", 0o755),
        ("data.sh", "modembank-data", 0o755),
        ("initramfs.conf", "conf.d/modembank", 0o644),
    ):
        shutil.copy(HERE / "initrd" / name, tools / place)
        (tools / place).chmod(mode)
    (tools / "modembank-release").write_text(recipe.release())
    kernel = next((root / "usr/lib/modules").iterdir()).name
    run(["chroot", root, "mkinitramfs", "-o", "/boot/initrd.img", kernel], epoch=recipe.epoch, also={"TMPDIR": "/tmp"})
    images = (root / f"boot/vmlinuz-{kernel}", root / f"usr/lib/modules/{kernel}/vmlinuz")
    shutil.copy(next(path for path in images if path.is_file()), root / "boot/vmlinuz")


def clean(root: Path) -> None:
    """Remove what a box does not need, and make the folders that it mounts on."""
    for pattern in REMOVED:
        for path in sorted(root.glob(pattern)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for name in FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "etc/machine-id").touch(mode=0o444)


def keep_as_built(root: Path, epoch: int) -> None:
    """Say that /etc and /var are of this /usr, or systemd would bring them up to date at every start."""
    os.utime(root / "usr", (epoch, epoch))
    for name in ("etc", "var"):
        stamp = root / name / ".updated"
        stamp.touch()
        os.utime(stamp, (epoch, epoch))


def settle_times(root: Path, epoch: int) -> None:
    """Nothing is younger than the commit that it was built from."""
    for path in [root, *root.rglob("*")]:
        if path.lstat().st_mtime > epoch:
            os.utime(path, (epoch, epoch), follow_symlinks=False)
