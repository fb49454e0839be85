"""What the boot partition and a slot hold, for each kind of machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from modembank_box.boot_loader import pi_default
from recipe import HERE, Recipe

GRUB_ENVIRONMENT = {"ORDER": "A B", "A_OK": "1", "A_TRY": "0", "B_OK": "0", "B_TRY": "0"}
# The Pi 3's (without a digit) and the Pi 4's; the Pi 5 has it on its board. Device trees are the kernel's own.
PI_FILES = (
    "raspi-firmware/start.elf",
    "raspi-firmware/fixup.dat",
    "raspi-firmware/start4.elf",
    "raspi-firmware/fixup4.dat",
    "broadcom/bcm2*-rpi-*.dtb",
)


def fill_slot(recipe: Recipe, boot: Path, tree: Path) -> None:
    """Put kernel, initrd and release into the folder of a slot, beside the root that is there."""
    shutil.copy(boot / "vmlinuz", tree / "vmlinuz")
    shutil.copy(boot / "initrd.img", tree / "initrd.img")
    (tree / "release.toml").write_text(recipe.release())
    if recipe.architecture == "arm64":
        for name in ("config.txt", "cmdline.txt"):
            shutil.copy(HERE / "boot/pi" / name, tree / name)
        for pattern in PI_FILES:
            for path in sorted(boot.glob(pattern)):
                shutil.copy(path, tree / path.name)


def fill_boot(recipe: Recipe, boot: Path, tree: Path) -> None:
    """Put the boot loader into the folder of the boot partition, and an example of the owner's file."""
    shutil.copy(HERE / "files/boot/box.example.toml", tree)
    if recipe.architecture == "arm64":
        shutil.copy(boot / "raspi-firmware/bootcode.bin", tree / "bootcode.bin")
        (tree / "autoboot.txt").write_bytes(pi_default())
        return
    efi = tree / "EFI/BOOT"
    efi.mkdir(parents=True)
    # Debian's signed chain, so that Secure Boot may stay on: shim starts GRUB, which looks for EFI/debian/grub.cfg.
    shutil.copy(boot / "shim/shimx64.efi.signed", efi / "BOOTX64.EFI")
    shutil.copy(boot / "shim/mmx64.efi.signed", efi / "mmx64.efi")
    shutil.copy(boot / "x86_64-efi-signed/grubx64.efi.signed", efi / "grubx64.efi")
    (tree / "EFI/debian").mkdir()
    (tree / "EFI/debian/grub.cfg").write_text("set prefix=($root)/grub\nconfigfile $prefix/grub.cfg\n")
    (tree / "grub").mkdir()
    shutil.copy(HERE / "boot/grub.cfg", tree / "grub/grub.cfg")
    (tree / "grub/grubenv").write_bytes(grub_environment(GRUB_ENVIRONMENT))


def grub_environment(variables: dict[str, str]) -> bytes:
    """Return GRUB's environment block: 1024 bytes, which GRUB overwrites in place."""
    text = "# GRUB Environment Block\n" + "".join(f"{name}={value}\n" for name, value in variables.items())
    return text.encode().ljust(1024, b"#")
