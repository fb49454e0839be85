"""Which slot is started next, kept where the boot loader reads it.

GRUB reads variables from ``grub/grubenv``: ``ORDER``, and for each slot ``A_OK`` (it may be started) and ``A_TRY``
(how often it was started since it last said that it is well). A Raspberry Pi's firmware reads ``autoboot.txt``: one
partition for every start, and another for the one start after a restart with the argument ``0 tryboot``. Both are kept
in a single sector.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from modembank_box.boot_partition import SECTOR, writable, write_sector
from modembank_box.errors import BoxError
from modembank_box.places import Places

SLOTS = ("a", "b")
TRIES = 3
"""How often GRUB starts a slot that does not say that it is well."""
PARTITIONS = {"a": 2, "b": 3}
TRYBOOT = "0 tryboot"
"""The argument of a restart with which a Raspberry Pi starts the other slot, once."""
_HEADER = b"# GRUB Environment Block\n"
_BLOCK = 1024


def other(slot: str) -> str:
    """Return the other slot."""
    return "b" if slot == "a" else "a"


class BootLoader(Protocol):
    """What RAUC and the health gate ask of a boot loader."""

    @property
    def restart_argument(self) -> str:
        """What a restart into the primary slot has to say, where that is not the one that is always started."""

    def primary(self) -> str:
        """Return the slot that the next start, or a restart with the argument, begins with."""

    def set_primary(self, slot: str) -> None:
        """Let the next start, or a restart with the argument, try ``slot``."""

    def may_start(self, slot: str) -> bool:
        """Return whether ``slot`` is one that may be started."""

    def set_good(self, slot: str) -> None:
        """Note that ``slot``, which is running, is well: from now on it is the one that is started."""

    def set_bad(self, slot: str) -> None:
        """Never start ``slot`` until something else is installed in it."""


def boot_loader(places: Places, running: str) -> BootLoader:
    """Return the boot loader of this machine, on which ``running`` is the slot that was started."""
    if (places.boot / "autoboot.txt").exists():
        return Pi(places, running)
    return Grub(places, running)


def running_slot(places: Places) -> str:
    """Return the slot that was started.

    The kernel's command line says so, or the device tree of a Raspberry Pi; an old one's firmware does not, and there
    the initrd has found the slot and mounted it.
    """
    try:
        words = (places.root / "proc/cmdline").read_text("ascii", "replace").split()
    except OSError:
        words = []
    for slot in SLOTS:
        if f"modembank.slot={slot}" in words:
            return slot
    try:
        told = (places.root / "proc/device-tree/chosen/bootloader/partition").read_bytes()
        number = int.from_bytes(told, "big")
    except OSError:
        number = _mounted_number(places)
    for slot, partition in PARTITIONS.items():
        if number == partition:
            return slot
    message = "nobody says which slot was started: this is no start of the appliance's image"
    raise BoxError(message)


def _mounted_number(places: Places) -> int:
    """Return the number of the partition that is mounted as the system, or 0."""
    try:
        mounts = [line.split() for line in (places.root / "proc/mounts").read_text("utf-8", "replace").splitlines()]
    except OSError:
        return 0
    found = [words[0] for words in mounts if len(words) > 1 and words[1] == "/run/modembank-box/system"]
    number = re.search(r"(\d+)$", found[-1]) if found else None
    return int(number[1]) if number else 0


@dataclass
class Grub:
    """The variables of GRUB; an update that is interrupted leaves them as they were, or as they should be."""

    places: Places
    running: str

    @property
    def restart_argument(self) -> str:
        """Nothing: GRUB reads which slot comes first."""
        return ""

    @property
    def path(self) -> Path:
        """Where the variables are."""
        return self.places.boot / "grub/grubenv"

    def primary(self) -> str:
        """Return the first slot of ORDER that may be started."""
        variables = self._read()
        for slot in variables["ORDER"].lower().split():
            if slot in SLOTS and self._may_start(variables, slot):
                return slot
        return self.running

    def set_primary(self, slot: str) -> None:
        """Put ``slot`` first, with all its tries."""
        self._change({"ORDER": f"{slot} {other(slot)}".upper(), **self._state(slot, ok=True)})

    def may_start(self, slot: str) -> bool:
        """Return whether it is in order and has tries left."""
        return self._may_start(self._read(), slot)

    def set_good(self, slot: str) -> None:
        """Give it all its tries; what comes first stays so."""
        self._change(self._state(slot, ok=True))

    def set_bad(self, slot: str) -> None:
        """Take it out."""
        self._change(self._state(slot, ok=False))

    def _may_start(self, variables: dict[str, str], slot: str) -> bool:
        tries = variables[f"{slot.upper()}_TRY"]
        return variables[f"{slot.upper()}_OK"] == "1" and tries in {str(n) for n in range(TRIES)}

    def _state(self, slot: str, *, ok: bool) -> dict[str, str]:
        return {f"{slot.upper()}_OK": "1" if ok else "0", f"{slot.upper()}_TRY": "0"}

    def _read(self) -> dict[str, str]:
        """Return the variables; where they cannot be read, what is certain: the slot that runs can be started."""
        running = self.running.upper()
        lost = {"ORDER": f"{running} {other(self.running).upper()}", **self._state(self.running, ok=True)}
        lost |= self._state(other(self.running), ok=False)
        try:
            block = self.path.read_bytes()[:SECTOR]
        except OSError:
            return lost
        if not block.startswith(_HEADER):
            return lost
        found = re.findall(r"^([A-Z_a-z0-9]+)=(.*)$", block.decode("ascii", "replace"), re.MULTILINE)
        return lost | dict(found)

    def _change(self, changed: dict[str, str]) -> None:
        with writable(self.places):
            before = self._read()
            if before == before | changed and self._is_whole():
                return
            text = _HEADER + "".join(f"{name}={value}\n" for name, value in (before | changed).items()).encode("ascii")
            if len(text) > SECTOR:
                message = f"{self.path} holds more than one sector"
                raise BoxError(message)
            if not self._is_whole():
                self.path.write_bytes(b"#" * _BLOCK)
            write_sector(self.path, text.ljust(SECTOR, b"#"))

    def _is_whole(self) -> bool:
        try:
            content = self.path.read_bytes()
        except OSError:
            return False
        return len(content) == _BLOCK and content.startswith(_HEADER)


@dataclass
class _Auto:
    """What ``autoboot.txt`` says; ``next`` is the slot that is to be tried or was found good."""

    always: str = "a"
    next: str = "a"
    good: dict[str, bool] = field(default_factory=lambda: {"a": True, "b": False})

    def encoded(self) -> bytes:
        """Return the file: one sector, filled up with empty lines."""
        states = " ".join(f"{slot}={'good' if self.good[slot] else 'bad'}" for slot in SLOTS)
        text = (
            f"[all]\ntryboot_a_b=1\nboot_partition={PARTITIONS[self.always]}\n"
            f"[tryboot]\nboot_partition={PARTITIONS[other(self.always)]}\n"
            f"# modembank next={self.next} {states}\n"
        )
        return text.encode("ascii").ljust(SECTOR, b"\n")


def pi_default() -> bytes:
    """Return the ``autoboot.txt`` of a new image: slot a holds everything, slot b nothing."""
    return _Auto().encoded()


@dataclass
class Pi:
    """The file of a Raspberry Pi's firmware; after a power cut during a trial the slot before is started."""

    places: Places
    running: str

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.places.boot / "autoboot.txt"

    @property
    def restart_argument(self) -> str:
        """Return ``0 tryboot`` where the slot that is next is not the one that is always started."""
        auto = self._read()
        return TRYBOOT if auto.good[auto.next] and auto.next != auto.always else ""

    def primary(self) -> str:
        """Return the slot to try, or the one that is always started."""
        auto = self._read()
        return auto.next if auto.good[auto.next] else auto.always

    def set_primary(self, slot: str) -> None:
        """Have it tried by a restart with the argument; the slot that runs is what a power cut comes back to."""
        auto = self._read()
        auto.next = slot
        auto.good[slot] = True
        if slot == self.running:
            auto.always = slot
        self._write(auto)

    def may_start(self, slot: str) -> bool:
        """Return whether it was not found bad."""
        return self._read().good[slot]

    def set_good(self, slot: str) -> None:
        """Let the firmware always start it."""
        auto = self._read()
        auto.good[slot] = True
        if slot == self.running:
            # A slot that waits to be tried goes on waiting.
            if not auto.good[auto.next] or auto.next == auto.always:
                auto.next = slot
            auto.always = slot
        self._write(auto)

    def set_bad(self, slot: str) -> None:
        """Take it out; the firmware goes on starting what it always starts."""
        auto = self._read()
        auto.good[slot] = False
        self._write(auto)

    def _read(self) -> _Auto:
        lost = _Auto(self.running, self.running, {self.running: True, other(self.running): False})
        try:
            text = self.path.read_bytes()[:SECTOR].decode("ascii", "replace")
        except OSError:
            return lost
        always = re.search(r"\[all\][^\[]*^boot_partition=(\d+)", text, re.MULTILINE)
        ours = re.search(r"^# modembank next=([ab]) a=(good|bad) b=(good|bad)$", text, re.MULTILINE)
        slots = {str(partition): slot for slot, partition in PARTITIONS.items()}
        if not always or not ours or always[1] not in slots:
            return lost
        return _Auto(slots[always[1]], ours[1], {"a": ours[2] == "good", "b": ours[3] == "good"})

    def _write(self, auto: _Auto) -> None:
        with writable(self.places):
            if self.path.read_bytes() != auto.encoded():
                write_sector(self.path, auto.encoded())
