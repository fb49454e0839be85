"""Build the image of the appliance: ``python image/build.py [--architecture arm64] [--twice]``; as root.

Debian packages and locked wheels go in, an image for a disk comes out, the slot that updates are made of,
checksums, and a list of all that is in it. docs/image.md tells how it is made and what it is like.
"""

from __future__ import annotations

import argparse
import filecmp
import hashlib
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import root
from base import base
from commands import run, say
from disk import assemble
from filesystems import ext4, squashfs, vfat
from inventory import write_inventory
from layout import BOOT_MIB, BOOT_VOLUME, DATA_MIB, SLOT_VOLUME
from recipe import HERE, Recipe, recipe
from slot import fill_boot, fill_slot


def main() -> None:
    """Build once, or twice and compare."""
    parser = argparse.ArgumentParser(description="build the image of the appliance")
    parser.add_argument("--architecture", choices=("amd64", "arm64"), default="amd64")
    parser.add_argument("--fresh", action="store_true", help="do not use the Debian of an earlier build")
    parser.add_argument("--twice", action="store_true", help="build two times from nothing, and compare")
    parser.add_argument("--out", type=Path, default=HERE / "out")
    chosen = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("a root file system is built by root")
    todo = recipe(chosen.architecture, chosen.out.resolve())
    todo.cache.mkdir(parents=True, exist_ok=True)
    build(todo, fresh=chosen.fresh or chosen.twice)
    if chosen.twice:
        again = replace(todo, out=todo.out / "again")
        again.out.mkdir(exist_ok=True)
        build(again, fresh=True)
        sys.exit(compare(todo, again))


def build(todo: Recipe, *, fresh: bool) -> None:
    """Build one image into ``todo.out``."""
    debian = base(todo, fresh=fresh)
    with tempfile.TemporaryDirectory(prefix="work-", dir=todo.out) as name:
        work = Path(name)
        tree, boot = root.build(todo, debian, work)
        write_inventory(todo, work / "origins", work / "wheels")
        say("the file systems")
        for folder in ("slot", "boot-partition"):
            (work / folder).mkdir()
        squashfs(tree, work / "slot/root.squashfs", epoch=todo.epoch)
        fill_slot(todo, boot, work / "slot")
        fill_boot(todo, boot, work / "boot-partition")
        slot, data, first = todo.out / f"{todo.name}.system.vfat", work / "data.ext4", work / "boot.vfat"
        vfat(work / "slot", slot, label="SYSTEM", volume=SLOT_VOLUME, size_mib=None, epoch=todo.epoch)
        vfat(work / "boot-partition", first, label="BOOT", volume=BOOT_VOLUME, size_mib=BOOT_MIB, epoch=todo.epoch)
        ext4(data, size_mib=DATA_MIB, epoch=todo.epoch)
        image = todo.out / f"{todo.name}.img"
        assemble(image, todo.table, {"BOOT": first, "system-a": slot, "data": data}, epoch=todo.epoch)
        shutil.rmtree(tree)
    run(["zstd", "-q", "-f", "-T0", "-9", image], epoch=todo.epoch)
    write_checksums(todo)
    say(f"{image}.zst: {Path(f'{image}.zst').stat().st_size / 1e6:.0f} MB")


def compare(one: Recipe, other: Recipe) -> int:
    """Say what differs between two builds; return 1 if anything does."""
    differing = [
        path.name
        for path in sorted(other.out.glob(f"{other.name}*"))
        if not filecmp.cmp(path, one.out / path.name, shallow=False)
    ]
    say(f"not the same: {', '.join(differing)}" if differing else "both builds are the same")
    return int(bool(differing))


def write_checksums(todo: Recipe) -> None:
    """Write SHA256SUMS over all that was built for this architecture and the others."""
    lines = []
    for path in sorted(todo.out.glob(f"modembank-{todo.version}-*")):
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    (todo.out / "SHA256SUMS").write_text("".join(lines))


if __name__ == "__main__":
    main()
