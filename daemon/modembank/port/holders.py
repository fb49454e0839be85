"""Which program holds a tty, read from /proc: so that the operator is told a name and not "busy"."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_LOCK_FOLDERS = (Path("/run/lock"), Path("/var/lock"))
_MAX_LOCK_FILE = 64
_PTY_MAJORS = range(136, 144)
Device = tuple[int, int]
"""A device's number, and for a pseudo-terminal its file system: each container's are numbered from 0."""


class Holder(NamedTuple):
    """A program that holds a port."""

    pid: int
    name: str


def holder_of(path: str) -> list[Holder]:
    """The programs that have this device open, by pid; best effort (others' descriptors are readable to root only).

    Compares device numbers, so that a symlink and its target are the same port. Reads files: call it in a thread.
    """
    return holders_of([path])[path]


def holders_of(paths: Iterable[str]) -> dict[str, list[Holder]]:
    """As ``holder_of`` for many devices in one walk through /proc, which takes as long as for one."""
    devices = {path: _device(Path(path)) for path in paths}
    wanted = {device for device in devices.values() if device is not None}
    pids: dict[Device, list[int]] = {device: [] for device in wanted}
    if wanted:
        for pid in sorted(int(entry.name) for entry in _numbered(_PROC)):
            for device in _open_devices(_PROC / str(pid) / "fd") & wanted:
                pids[device].append(pid)
    return {
        path: [Holder(pid, program_name(pid)) for pid in pids[device]] if device is not None else []
        for path, device in devices.items()
    }


def lock_file_holder(path: str) -> Holder | None:
    """The live program named in a UUCP lock file (``LCK..ttyUSB0``) of the port, if it is not this one."""
    names = {f"LCK..{Path(path).name}", f"LCK..{Path(path).resolve().name}"}
    for folder in _LOCK_FOLDERS:
        for name in sorted(names):
            pid = _locking_pid(folder / name)
            if pid is not None and pid != os.getpid() and (_PROC / str(pid)).exists():
                return Holder(pid, program_name(pid))
    return None


def program_name(pid: int) -> str:
    """The program's short name, "?" when it cannot be read."""
    try:
        text = (_PROC / str(pid) / "comm").read_text(errors="replace")
    except OSError:
        return "?"
    return "".join(letter if letter.isprintable() else "?" for letter in text.strip()) or "?"


def _device(path: Path) -> Device | None:
    try:
        return _device_of(path.stat())
    except OSError:
        return None


def _device_of(node: os.stat_result) -> Device | None:
    if not node.st_rdev:
        return None
    return node.st_rdev, node.st_dev if os.major(node.st_rdev) in _PTY_MAJORS else 0


def _numbered(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if entry.name.isdecimal()]
    except OSError:
        return []


def _open_devices(folder: Path) -> set[Device]:
    found = set()
    for link in _numbered(folder):
        try:
            # The name first: it costs a tenth of a stat through the descriptor.
            if str(link.readlink()).startswith("/dev/"):
                device = _device_of(link.stat())
                if device is not None:
                    found.add(device)
        except OSError:
            continue
    return found


def _locking_pid(lock_file: Path) -> int | None:
    """ASCII (HDB UUCP, "%10d") or a binary int, as old programs write it."""
    try:
        with lock_file.open("rb") as file:
            raw = file.read(_MAX_LOCK_FILE)
    except OSError:
        return None
    text = raw.split()[0] if raw.split() else b""
    if text.isdigit():
        return int(text)
    return int.from_bytes(raw, "little") if len(raw) == 4 else None
