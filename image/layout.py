"""Where everything is on the disk: sizes, partition tables, and the identifiers that every image shares."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

MIB = 1024 * 1024
SECTOR = 512

DISK_ID = UUID("6d6f6465-6d62-4e6b-8000-000000000000")  # partition n has n in place of the last digit
MBR_ID = 0x6D6F6465
BOOT_VOLUME = 0x6D6F6401
SLOT_VOLUME = 0x6D6F6402
DATA_UUID = UUID("6d6f6465-6d62-4e6b-8000-0000000000da")

BOOT_MIB = 256
SLOT_MIB = 700
DATA_MIB = 64


@dataclass(frozen=True)
class Partition:
    """A partition of the disk: its number, its name, and where it is, in MiB."""

    number: int
    name: str
    start_mib: int
    size_mib: int
    gpt_type: str
    mbr_type: str


def partitions(table: str) -> list[Partition]:
    """Return the partitions for a ``gpt`` or a ``dos`` table; in the latter the data partition is a logical one."""
    first = 1
    boot = Partition(1, "BOOT", first, BOOT_MIB, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "c")
    slots = [
        Partition(2 + n, f"system-{'ab'[n]}", first + BOOT_MIB + n * SLOT_MIB, SLOT_MIB, BASIC_DATA, "c")
        for n in (0, 1)
    ]
    behind = first + BOOT_MIB + 2 * SLOT_MIB
    if table == "gpt":
        data = Partition(4, "data", behind, DATA_MIB, LINUX, "83")
    else:
        data = Partition(5, "data", behind + 1, DATA_MIB, LINUX, "83")
    return [boot, *slots, data]


def disk_mib(table: str) -> int:
    """Return how large the image is before it grows; a GPT has a copy of itself at the end."""
    last = partitions(table)[-1]
    return last.start_mib + last.size_mib + (1 if table == "gpt" else 0)


def table_script(table: str) -> str:
    """Return what sfdisk(8) reads to write the table."""
    parts = partitions(table)
    lines = [f"label: {table}", f"label-id: {DISK_ID if table == 'gpt' else hex(MBR_ID)}", "unit: sectors"]
    if table == "dos":
        data = parts[-1]
        lines.append(_line(4, data.start_mib - 1, data.size_mib + 1, "type=5"))
    for part in parts:
        if table == "gpt":
            what = f'type={part.gpt_type}, uuid={UUID(int=DISK_ID.int + part.number)}, name="{part.name}"'
        else:
            what = f"type={part.mbr_type}"
        lines.append(_line(part.number, part.start_mib, part.size_mib, what))
    return "\n".join(lines) + "\n"


def _line(number: int, start_mib: int, size_mib: int, what: str) -> str:
    return f"{number} : start={start_mib * MIB // SECTOR}, size={size_mib * MIB // SECTOR}, {what}"


BASIC_DATA = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
