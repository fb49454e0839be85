"""One virtual machine: QEMU with UEFI firmware, an overlay over a disk that is never changed, and things to plug in.

The guest reaches nothing but what asks it: its network is QEMU's own, `restrict=on`, and the ports that lead to it are
on the host's loopback. A power pull is SIGKILL; docs/boot-tests.md says what is lost by that.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from machine.console import Console
from machine.inside import PORT, Inside, firmware_strings
from machine.qmp import Qmp, Refused

FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
_KVM = ("-accel", "kvm", "-cpu", "host")
_TCG = (
    "-accel",
    "tcg,thread=multi,tb-size=512",
    "-cpu",
    # An AMD, which the kernel guards less; without the quick ways to clear a page, which an emulator does byte by byte.
    "max,la57=off,svm=off,erms=off,fsrm=off",
)
_CONNECT_S = 20.0
_QUIT_S = 90.0
_PRESS_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Hardware:
    """What is bought; with a kernel it starts that without a boot loader (a Debian that has none)."""

    memory_mb: int = 1024
    processors: int = 0
    """0: two, or one where it is emulated, since two that wait for each other on a busy host take longer than one."""
    ports: Mapping[str, int] = field(default_factory=lambda: {"https": 443})
    """Names of the guest's TCP ports that are reached from the host."""
    kernel: Path | None = None
    initrd: Path | None = None
    command_line: str = ""
    disk: str = ""
    """The size of its disk, such as 8G; empty: that of the image."""
    drives: Sequence[Path] = ()
    """Raw images of sticks, for `plug_stick`."""


def carry_out(run: Coroutine[None, None, int]) -> int:
    """Run it, and return its exit status; SIGTERM ends it and its machines in order."""

    async def until_told() -> int:
        task = asyncio.ensure_future(run)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    return asyncio.run(until_told())


def accelerated() -> bool:
    """Tell whether KVM can be used here; without it everything takes ten times as long.

    The KVM of some clouds' virtual machines (`kvm_pvm`) runs only kernels that were made for it.
    """
    return os.access("/dev/kvm", os.R_OK | os.W_OK) and not Path("/sys/module/kvm_pvm").exists()


def command(hardware: Hardware, folder: Path, disk: Path, ports: Mapping[str, int]) -> list[str]:
    """Return QEMU's command line; ``ports`` are those of the host, by the names of the hardware's."""
    forwards = "".join(f",hostfwd=tcp:127.0.0.1:{ports[name]}-:{port}" for name, port in hardware.ports.items())
    words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-S"]
    words += ["-machine", "q35", *(_KVM if accelerated() else _TCG)]
    words += ["-smp", str(hardware.processors or 1 + accelerated()), "-m", str(hardware.memory_mb)]
    words += ["-rtc", "base=utc", "-device", "virtio-rng-pci", "-device", "i6300esb"]
    # An emulated processor may be held up for longer than a watchdog waits, when its host has other work.
    words += [] if accelerated() else ["-action", "watchdog=none"]
    words += ["-qmp", f"unix:{folder}/qmp,server=on,wait=off"]
    words += ["-chardev", f"socket,id=console,path={folder}/console,server=on,wait=off", "-serial", "chardev:console"]
    words += ["-chardev", f"socket,id=look,path={folder}/look,server=on,wait=off", "-device", "virtio-serial-pci"]
    words += ["-device", f"virtserialport,chardev=look,name={PORT}"]
    for text in firmware_strings(patient=not accelerated()):
        words += ["-smbios", f"type=11,value={text}"]
    words += ["-netdev", f"user,id=net,restrict=on{forwards}", "-device", "virtio-net-pci,netdev=net"]
    words += ["-device", "qemu-xhci,id=usb,p2=8,p3=8"]
    if hardware.kernel is None:
        words += ["-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}"]
        words += ["-drive", f"if=pflash,format=raw,file={folder}/variables.fd"]
    else:
        words += ["-kernel", str(hardware.kernel), "-append", hardware.command_line]
        words += [] if hardware.initrd is None else ["-initrd", str(hardware.initrd)]
    # Not the host's cache: what the guest was told is on the disk is there, and the rest is not (docs/boot-tests.md).
    words += ["-blockdev", f"driver=file,node-name=file,filename={disk},cache.direct=on"]
    words += ["-blockdev", "driver=qcow2,node-name=disk,file=file,cache.direct=on"]
    words += ["-device", "virtio-blk-pci,drive=disk,write-cache=on"]
    for number, drive in enumerate(hardware.drives):
        words += ["-blockdev", f"driver=raw,node-name=stick{number},file.driver=file,file.filename={drive}"]
    return words


class Machine:
    """Async context manager: one computer with its disk, switched on and off as often as one likes."""

    def __init__(self, image: Path, hardware: Hardware | None = None) -> None:
        """Stand a machine up with a disk that begins as ``image`` (raw or qcow2), which is only read."""
        self.hardware = hardware or Hardware()
        self._image = image
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._parts: tuple[Console, Qmp, Inside] | None = None
        self.ports: dict[str, int] = {}
        self.switched_on_at = 0.0

    async def __aenter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="machine-", dir=os.environ.get("MACHINES"))
        form = form_of(self._image)
        shutil.copy(VARIABLES, self.folder / "variables.fd")
        overlay(self.disk, self._image, form, self.hardware.disk)
        self.ports = dict(zip(self.hardware.ports, free_ports(len(self.hardware.ports)), strict=True))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.pull_power()
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def folder(self) -> Path:
        """Where its disk is and what its console said."""
        if self._folder is None:
            raise RuntimeError("the machine is not there")
        return Path(self._folder.name)

    @property
    def disk(self) -> Path:
        """What was written since the image was made, while it is off."""
        return self.folder / "disk.qcow2"

    @property
    def console(self) -> Console:
        """Its serial console, of the latest life."""
        return self._living()[0]

    @property
    def qmp(self) -> Qmp:
        """Its monitor."""
        return self._living()[1]

    @property
    def inside(self) -> Inside:
        """Root's shell in it."""
        return self._living()[2]

    async def switch_on(self) -> None:
        """Start it; returns when its processor runs."""
        life = self.folder / "life.qcow2"
        overlay(life, self.disk, "qcow2")
        with (self.folder / "qemu.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command(self.hardware, self.folder, life, self.ports),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        qmp = await self._connected(Qmp.connect, self.folder / "qmp")
        console = Console(*await asyncio.open_unix_connection(self.folder / "console"), self.folder / "console.log")
        inside = Inside(*await asyncio.open_unix_connection(self.folder / "look"))
        self._parts = console, qmp, inside
        self.switched_on_at = time.monotonic()
        await qmp.ask("cont")

    async def pull_power(self) -> None:
        """Take the power away, at once."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        await self._ended()

    async def shut_down(self) -> None:
        """Press the power button until it is off: nobody hears it before logind is there; raises TimeoutError."""
        async with asyncio.timeout(_QUIT_S):
            while self._process.returncode is None:
                with suppress(Refused):  # it has just gone
                    await self.qmp.ask("system_powerdown")
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), _PRESS_EVERY_S)
        await self._ended()

    async def _ended(self) -> None:
        if self._parts is not None:
            for part in self._parts:
                await part.close()
            self._parts = None
        if self._process is None:
            return
        await self._process.wait()
        self._process = None
        await run("qemu-img", "commit", "-q", str(self.folder / "life.qcow2"))

    async def _connected(self, connect, path: Path):
        async with asyncio.timeout(_CONNECT_S):
            while True:
                try:
                    return await connect(path)
                except (FileNotFoundError, ConnectionRefusedError, Refused):
                    if self._process.returncode is not None:
                        raise RuntimeError((self.folder / "qemu.log").read_text()[-2000:]) from None
                    await asyncio.sleep(0.05)

    def _living(self) -> tuple[Console, Qmp, Inside]:
        if self._parts is None:
            raise RuntimeError("the machine is off")
        return self._parts


def free_ports(number: int) -> list[int]:
    """Return ports of the loopback that nobody has now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def overlay(path: Path, below: Path, form: str, size: str = "") -> None:
    """Make a disk that begins as the one below and takes all writes; it may be larger."""
    path.unlink(missing_ok=True)
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", form, "-b", str(below.absolute()), str(path)]
    words += [size] if size else []
    subprocess.run(words, check=True)


def form_of(image: Path) -> str:
    """Return the format of an image by its first octets: raw or qcow2."""
    with image.open("rb") as file:
        return "qcow2" if file.read(4) == b"QFI\xfb" else "raw"


async def run(*words: str) -> str:
    """Run a program and return what it says; raises RuntimeError."""
    process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{words[0]} ended with {process.returncode}: {said.decode('utf-8', 'replace')}")
    return said.decode("utf-8", "replace")
