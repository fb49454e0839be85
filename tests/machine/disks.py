"""The disk of a machine that is switched off: its partitions, a file on its boot partition, and damage."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from machine.qemu import overlay

SECTOR = 512
_CHUNK = 4 << 20
_DONE_S = 5.0
"""Far more than a few writes take."""


@dataclass(frozen=True, slots=True)
class Partition:
    """Where a partition is, in octets."""

    start: int
    size: int


def partitions(image: Path) -> dict[str, Partition]:
    """Return the partitions of a raw image with a GPT, by name."""
    said = subprocess.run(["sfdisk", "--json", image], check=True, capture_output=True, text=True).stdout
    return {
        part["name"]: Partition(part["start"] * SECTOR, part["size"] * SECTOR)
        for part in json.loads(said)["partitiontable"]["partitions"]
    }


def copy_with_file(image: Path, copy: Path, name: str, text: str) -> Path:
    """Copy an image and put a file onto its boot partition, as the owner does on another computer."""
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", image, copy], check=True)
    where = f"{copy}@@{partitions(copy)['BOOT'].start}"
    subprocess.run(["mcopy", "-o", "-i", where, "-", f"::{name}"], input=text.encode(), check=True)
    return copy


_AT_ONCE = 1 << 30
"""Octets; qemu-io writes less than 2 GiB with one order."""


def zero(disk: Path, start: int, size: int) -> None:
    """Overwrite octets of a qcow2 disk with zeros."""
    pieces = [(begin, min(_AT_ONCE, start + size - begin)) for begin in range(start, start + size, _AT_ONCE)]
    words = [word for begin, octets in pieces for word in ("-c", f"write -z {begin} {octets}")]
    subprocess.run(["qemu-io", "-f", "qcow2", *words, disk], check=True, capture_output=True)


def after_a_pull(folder: Path, *commands: str) -> set[int]:
    """Write as QEMU does and kill it; return at which of the MiB 1 to 3 the octets ``0x5a`` are found then.

    The disk is made as a machine's is for each of its lives: empty, over another one.
    """
    below, life = folder / "below.raw", folder / "life.qcow2"
    with below.open("wb") as file:
        file.truncate(1 << 30)
    overlay(life, below, "raw")
    words = ["qemu-io", "-t", "none", "-f", "qcow2"]
    for command in (*commands, "sleep 60000"):
        words += ["-c", command]
    with subprocess.Popen([*words, life], stdout=subprocess.DEVNULL) as process:
        time.sleep(_DONE_S)
        process.kill()
    return {at for at in (1, 2, 3) if not _differs(life, at)}


def holds(disk: Path, raw: Path, *wanted: bytes) -> list[bytes]:
    """Return which of these octets are anywhere on a qcow2 disk; ``raw`` is where it is laid out for that."""
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", disk, raw], check=True)
    found = octets_in(raw, *wanted)
    raw.unlink()
    return found


def _differs(life: Path, at: int) -> bool:
    words = ["qemu-io", "-f", "qcow2", "-c", f"read -P 0x5a {at}M 64k", life]
    return "verification failed" in subprocess.run(words, check=False, capture_output=True, text=True).stdout


def octets_in(path: Path, *wanted: bytes) -> list[bytes]:
    """Return which of these octets a file holds, also across the borders of what is read at once."""
    found, rest = set(), b""
    longest = max(map(len, wanted))
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if not any(chunk):
                rest = b"\0" * longest
                continue
            seen = rest + chunk
            found |= {one for one in wanted if one in seen}
            rest = seen[-longest:]
    return sorted(found)
