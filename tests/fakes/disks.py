"""Disks of an appliance as files on loop devices, and starts of ``image/initrd/data.sh`` on them; all needs root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fakes.machines import ROOT

MIB = 1 << 20
SCRIPT = ROOT / "image/initrd/data.sh"
GPT = """label: gpt
size=8MiB, type=uefi, name="BOOT"
size=4MiB, type=linux, name="system-a"
size=4MiB, type=linux, name="system-b"
size=64MiB, type=linux, name="data"
"""
MBR = """label: dos
size=8MiB, type=c, bootable
size=4MiB, type=c
size=4MiB, type=c
size=65MiB, type=5
size=64MiB, type=83
"""
TABLES = {"gpt": GPT, "mbr": MBR}
BOOT, DATA = 1, {"gpt": 4, "mbr": 5}
MKE2FS = ["-F", "-q", "-t", "ext4", "-b", "4096", "-I", "256", "-i", "16384", "-J", "size=16", "-L", "modembank-data"]
NO_FAT = 'case "$*" in *vfat*) set -- -t ext2 -o ro "$5" "$6" ;; esac\nexec /bin/mount "$@"'
CUTS_AT = ("sfdisk", "mke2fs", "blkdiscard", "resize2fs", "rm", "mv")
"""Programs that write; between two of them nothing changes on the disk."""


def run(*command: str | Path, **more: Any) -> str:
    """Run a command that must succeed and return what it says."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, **more)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Started:
    """What the initrd made of a disk."""

    state: dict[str, Any]
    said: str
    shown: str
    """What the command printed that was run at the end, in the started box."""


class Disk:
    """An image with the partitions of the appliance, the data partition holding an empty file system.

    The boot partition is ext2, since the kernel of a machine for tests may know no FAT, and ``mount`` is told so.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        """Make the image, as it is before it is written onto a disk: no room behind the data partition."""
        self.kind, self.path, self._folder = kind, folder / f"{kind}.img", folder
        self.resize(82 if kind == "gpt" else 83)
        run("sfdisk", "-q", self.path, input=TABLES[kind])
        with self.attached() as device:
            run("mke2fs", "-q", "-t", "ext2", f"{device}p{BOOT}")
            run("mke2fs", *MKE2FS, f"{device}p{DATA[kind]}")

    def resize(self, mib: int) -> None:
        """Write the image onto a disk of that size."""
        os.truncate(self.path, mib * MIB) if self.path.exists() else self.path.write_bytes(b"")
        os.truncate(self.path, mib * MIB)

    @contextmanager
    def attached(self, *, read_only: bool = False) -> Iterator[str]:
        """Attach the image as a disk; this kernel may know neither kind of table, so the partitions are told to it."""
        device = run("losetup", "-f", "--show", *(["-r"] if read_only else []), self.path).strip()
        try:
            subprocess.run(["partx", "-a", device], capture_output=True, check=False)
            yield device
        finally:
            _released(device)
            run("losetup", "-d", device)

    def start(
        self,
        then: str = "true",
        *,
        tools: dict[str, str] | None = None,
        applets: Path | None = None,
        read_only: bool = False,
        cut: bool = False,
    ) -> Started | None:
        """Start the box, run ``then`` in it, and take the power away gently; ``tools`` come before the real ones.

        With ``applets`` busybox is the shell, and most of what it calls.

        ``cut`` says that one of the tools may end all of it: then there is nothing to return.
        """
        root, run_folder, bin_folder = (self._folder / name for name in ("root", "run", "bin"))
        for folder in ("data", "boot/box", "etc", "var/lib", "run"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "etc/machine-id").write_text("uninitialized\n")
        for each in (run_folder, bin_folder):
            shutil.rmtree(each, ignore_errors=True)
            each.mkdir()
        for name, text in ({"mount": NO_FAT} | (tools or {})).items():
            (bin_folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (bin_folder / name).chmod(0o755)
        path = f"{bin_folder}:{f'{applets}:' if applets else ''}/usr/local/sbin:/usr/sbin:/sbin:{os.environ['PATH']}"
        shell = "busybox sh" if applets else "sh"
        with self.attached(read_only=read_only) as device:
            inner = (
                f"export POWER=$$; mount -t tmpfs run {run_folder}\n"
                f"mount -o bind {root} {root} && mount -o remount,ro,bind {root}\n"
                f"DISK={device} TARGET={root} RUN={run_folder} {shell} {SCRIPT} || exit 9\n"
                f"cd {root}; cat {run_folder}/data.json; echo; echo ----; {then}\n"
            )
            done = subprocess.run(
                ["unshare", "-m", "--propagation", "private", "sh", "-c", inner],
                env=os.environ | {"PATH": path},
                start_new_session=True,
                capture_output=True,
                text=True,
                timeout=100,
                check=False,
            )
        if cut and done.returncode < 0:
            return None
        assert done.returncode == 0, done.stdout + done.stderr
        state, _, shown = done.stdout.partition("\n----\n")
        return Started(json.loads(state), done.stderr, shown)

    @contextmanager
    def partition(self, number: int) -> Iterator[Path]:
        """Attach the image and give a partition's device."""
        with self.attached() as device:
            yield Path(f"{device}p{number}")

    def put_on_boot(self, name: str, text: str) -> None:
        """Write a file onto the boot partition."""
        with self.partition(BOOT) as device:
            file = self._folder / "file"
            file.write_text(text)
            run("debugfs", "-w", "-R", f"write {file} {name}", device)

    def on_boot(self) -> set[str]:
        """Return the names on the boot partition."""
        with self.partition(BOOT) as device:
            listed = run("debugfs", "-R", "ls -p /", device)
        return {line.split("/")[5] for line in listed.splitlines() if line} - {".", "..", "lost+found"}

    def damage(self, number: int, start: int, length: int, *, garbage: bool = False) -> None:
        """Overwrite bytes of a partition with zeros or anything."""
        with self.partition(number) as device, device.open("r+b") as file:
            file.seek(start)
            file.write(b"\xa5" * length if garbage else bytes(length))

    def copy(self, name: str) -> Disk:
        """Return another disk with the same content."""
        other = object.__new__(Disk)
        other.kind, other._folder = self.kind, self._folder / name
        other._folder.mkdir()
        other.path = other._folder / "disk.img"
        run("cp", "--sparse=always", self.path, other.path)
        return other


def _released(device: str) -> None:
    """Take the partitions of a device away, which are in use until the kernel has ended all that was killed."""
    deadline = time.monotonic() + 20
    while list(Path("/sys/block", Path(device).name).glob("loop*p*")):
        assert time.monotonic() < deadline, f"{device} is still in use"
        subprocess.run(["partx", "-d", device], capture_output=True, check=False)
        time.sleep(0.01)


def power_cut_at(nth: int, counter: Path) -> dict[str, str]:
    """Return tools of which the ``nth`` call, of any of them, is the last thing that happens."""
    counter.write_text("0")
    cut = f"[ $n -eq {nth} ] && kill -9 -$POWER $$"  # a program such as timeout has a group of its own
    # A table that is only read is no step.
    reading = 'case "$*" in -d*) exec /usr/sbin/sfdisk "$@" ;; esac\n'
    counting = f"{reading}n=$(($(cat {counter}) + 1)); echo $n >{counter}\n{cut}\nPATH=${{PATH#*:}}\n"
    return {name: counting + (NO_FAT if name == "mount" else f'exec {name} "$@"') for name in CUTS_AT}
