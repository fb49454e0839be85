"""The whole disk: a partition table and what is in the partitions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from commands import run
from layout import MIB, disk_mib, partitions, table_script


def assemble(image: Path, table: str, contents: Mapping[str, Path], *, epoch: int) -> None:
    """Write a disk; partitions without contents, such as the second slot, stay empty."""
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(disk_mib(table) * MIB)
    run(["sfdisk", "--quiet", "--wipe=never", image], epoch=epoch, given=table_script(table))
    for part in partitions(table):
        if content := contents.get(part.name):
            if content.stat().st_size > part.size_mib * MIB:
                message = f"{content} does not fit into the {part.size_mib} MiB of {part.name}"
                raise SystemExit(message)
            _copy(content, image, part.start_mib)


def _copy(content: Path, image: Path, at_mib: int) -> None:
    """Copy what is not zero, so that the file stays sparse."""
    with content.open("rb") as source, image.open("r+b") as target:
        place = at_mib * MIB
        while block := source.read(MIB):
            if block.strip(b"\0"):
                os.pwrite(target.fileno(), block, place)
            place += len(block)
