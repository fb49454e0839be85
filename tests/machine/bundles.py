"""Updates for a machine, good and bad: slots made of the image's own, bundled and signed by image/bundle.py."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from fakes.machines import ROOT

_RUBBISH = bytes(range(256)) * 4096


def release_of(slot: Path) -> dict[str, str | int]:
    """Return what a slot says of itself."""
    said = subprocess.run(["mtype", "-i", slot, "::release.toml"], check=True, capture_output=True, text=True).stdout
    return tomllib.loads(said)


def release_text(release: dict[str, str | int]) -> str:
    """Write that down."""
    lines = (
        f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}" for name, value in release.items()
    )
    return "\n".join(lines) + "\n"


def later(version: str, by: int = 1) -> str:
    """Return a version that comes after (or, by less than 0, before) this one."""
    *front, last = version.split("+", maxsplit=1)[0].split(".")
    if int(last) + by >= 0:
        return ".".join([*front, str(int(last) + by)])
    return ".".join(["0"] * len(front) + ["1"])


def renamed_slot(slot: Path, copy: Path, version: str) -> Path:
    """Copy a slot as another version: all of it is the same, but what it says of itself."""
    shutil.copy(slot, copy)
    _put(copy, "release.toml", release_text(release_of(slot) | {"version": version}).encode())
    return copy


def broken_slot(slot: Path, made: Path, version: str, **files: bytes) -> Path:
    """Make a small slot that starts and gets nowhere: its kernel is real, its initrd and root are not."""
    made.unlink(missing_ok=True)
    subprocess.run(["mkfs.vfat", "-C", made, str(64 << 10)], check=True, capture_output=True)
    kernel = subprocess.run(["mtype", "-i", slot, "::vmlinuz"], check=True, capture_output=True).stdout
    contents = {"vmlinuz": kernel, "initrd.img": _RUBBISH, "root.squashfs": _RUBBISH, **files}
    for name, octets in contents.items():
        _put(made, name, octets)
    _put(made, "release.toml", release_text(release_of(slot) | {"version": version}).encode())
    return made


def bundled(slot: Path, keys: Path) -> Path:
    """Return a bundle of a slot, signed with the keys of a folder of builds (which makes some where it has none)."""
    words = [sys.executable, ROOT / "image/bundle.py", slot, "--out", keys]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return Path(said.split()[-1])


def _put(slot: Path, name: str, octets: bytes) -> None:
    subprocess.run(["mcopy", "-o", "-i", slot, "-", f"::{name}"], input=octets, check=True)
