"""What the boot partition and a slot hold, for each kind of machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from recipe import HERE, Recipe

GRUB_ENVIRONMENT = {"ORDER": "A B", "A_OK": "1", "A_TRY": "0", "B_OK": "0", "B_TRY": "0"}


def fill_slot(recipe: Recipe, boot: Path, tree: Path) -> None:
    """Put kernel, initrd and release into the folder of a slot, beside the root that is there."""
    shutil.copy(boot / "vmlinuz", tree / "vmlinuz")
    shutil.copy(boot / "initrd.img", tree / "initrd.img")
    (tree / "release.toml").write_text(recipe.release())


def fill_boot(boot: Path, tree: Path) -> None:
    """Put the boot loader into the folder of the boot partition."""
    efi = tree / "EFI/BOOT"
    efi.mkdir(parents=True)
    # Debian's signed chain, so that Secure Boot may stay on: shim starts GRUB, which looks for EFI/debian/grub.cfg.
    shutil.copy(boot / "shim/shimx64.efi.signed", efi / "BOOTX64.EFI")
    shutil.copy(boot / "shim/mmx64.efi.signed", efi / "mmx64.efi")
    shutil.copy(boot / "grub/x86_64-efi-signed/grubx64.efi.signed", efi / "grubx64.efi")
    (tree / "EFI/debian").mkdir()
    (tree / "EFI/debian/grub.cfg").write_text("set prefix=($root)/grub\nconfigfile $prefix/grub.cfg\n")
    (tree / "grub").mkdir()
    shutil.copy(HERE / "boot/grub.cfg", tree / "grub/grub.cfg")
    (tree / "grub/grubenv").write_bytes(grub_environment(GRUB_ENVIRONMENT))


def grub_environment(variables: dict[str, str]) -> bytes:
    """Return GRUB's environment block: 1024 bytes, which GRUB overwrites in place."""
    text = "# GRUB Environment Block\n" + "".join(f"{name}={value}\n" for name, value in variables.items())
    return text.encode().ljust(1024, b"#")
