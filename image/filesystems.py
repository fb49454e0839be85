"""File systems that are the same each time, made from folders."""

from __future__ import annotations

import os
from pathlib import Path

from commands import run
from layout import DATA_UUID, MIB


def squashfs(tree: Path, image: Path, *, epoch: int) -> None:
    """Pack a root; files keep their times, which are no later than ``epoch``.

    By what is read quickest, since a start reads thousands of small files, each with the block that it shares with
    others: zstd in blocks of 256 KiB is a seventh smaller, and takes three times as long to unpack at a start.
    """
    words = ["-noappend", "-quiet", "-no-progress", "-no-exports", "-b", "64K", "-comp", "lz4", "-Xhc"]
    run(["mksquashfs", tree, image, *words], epoch=epoch)


def vfat(tree: Path, image: Path, *, label: str, volume: int, size_mib: int | None, epoch: int) -> None:
    """Make a FAT32 with what is in ``tree``: of a size, or as large as it has to be."""
    files = sorted(path for path in tree.rglob("*"))
    for path in [*files, tree]:
        os.utime(path, (epoch, epoch))
    needed = sum(path.stat().st_size for path in files) // MIB + 8
    size = size_mib or max(needed + needed // 100, 64)
    image.unlink(missing_ok=True)
    cluster = "8" if size > 256 else "1"
    words = ["--invariant", "-F", "32", "-s", cluster, "-n", label, "-i", f"{volume:08X}", "-C"]
    run(["mkfs.vfat", *words, image, str(size * 1024)], epoch=epoch)
    run(
        ["mcopy", "-s", "-m", "-i", image, *(str(path) for path in sorted(tree.iterdir())), "::"],
        epoch=epoch,
        also={"MTOOLS_SKIP_CHECK": "1"},
    )


def ext4(image: Path, *, size_mib: int, epoch: int) -> None:
    """Make the empty data partition as the box itself would make it (initrd/data.sh)."""
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(size_mib * MIB)
    words = [
        "-F",
        "-q",
        "-t",
        "ext4",
        "-b",
        "4096",
        "-I",
        "256",
        "-i",
        "16384",
        "-m",
        "1",
        "-J",
        "size=16",
        "-e",
        "remount-ro",
    ]
    fixed = ["-U", str(DATA_UUID), "-E", f"hash_seed={DATA_UUID},lazy_itable_init=0,lazy_journal_init=0,nodiscard"]
    run(["mke2fs", *words, *fixed, "-L", "modembank-data", str(image)], epoch=epoch)
