"""udev itself, on devices that umockdev makes up: `udevadm test` with the rules of this tree and of nobody else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

RULES = Path(__file__).resolve().parents[2] / "udev"
PCI = "/devices/pci0000:00/0000:00:14.0"
GROUP = 4711
"""The number of the group modembank, while udev looks."""


@dataclass(frozen=True)
class Seen:
    """What udev made of one device."""

    properties: dict[str, str]
    links: set[str]
    """Below /dev."""
    output: str
    switched_off: bool
    """Whether it wrote that the interface is not authorised."""

    @property
    def group(self) -> int | None:
        """To whom our rules give the node."""
        found = re.findall(r"91-modembank\.rules:\d+ GROUP.*\b(\d+)\b", self.output)
        return int(found[-1]) if found else None


@dataclass
class Udev:
    """A machine with a USB that devices are plugged into; ``folder`` is empty."""

    folder: Path
    rules: list[Path] = field(default_factory=lambda: sorted(RULES.glob("*.rules")))
    _devices: list[str] = field(default_factory=list)
    _ttys: int = 0

    def __post_init__(self) -> None:
        self._add(f"{PCI}/usb1", "usb", DEVTYPE="usb_device", attrs=usb(0, "1d6b:0002", "0", "09"), node="001/001")

    def plug(self, place: str, usb_id: str, *, device_class: str = "00", interfaces: str = "") -> str:
        """Plug a device in at a place such as 1-1.4, and return its path in /sys."""
        path = device_path(place)
        attrs = usb(len(self._devices), usb_id, place.partition("-")[2], device_class)
        more = {"ID_USB_INTERFACES": interfaces} if interfaces else {}
        self._add(path, "usb", DEVTYPE="usb_device", attrs=attrs, node=f"001/{len(self._devices):03}", **more)
        return f"/sys{path}"

    def interface(self, place: str, number: int, kind: str = "ff/ff/ff", driver: str = "") -> str:
        """Give the device there an interface, and return its path in /sys."""
        path = f"{device_path(place)}/{place}:1.{number}"
        cls, sub, protocol = kind.split("/")
        attrs = {
            "bInterfaceNumber": f"{number:02x}",
            "bInterfaceClass": cls,
            "bInterfaceSubClass": sub,
            "bInterfaceProtocol": protocol,
            "authorized": "1",
        }
        self._add(path, "usb", DEVTYPE="usb_interface", attrs=attrs)
        if driver:
            self._devices[-1] += f"L: driver=../../../../../bus/usb/drivers/{driver}\n"
        return f"/sys{path}"

    def tty(self, place: str, number: int, kind: str = "ff/ff/ff", line: int = 0) -> str:
        """Give it a serial port on an interface that is there already only for another ``line``."""
        interface = self.interface(place, number, kind).removeprefix("/sys") if line == 0 else ""
        interface = interface or f"{device_path(place)}/{place}:1.{number}"
        name = f"ttyUSB{self._ttys}"
        self._ttys += 1
        self._add(f"{interface}/{name}", "usb-serial", attrs={"port_number": str(line)})
        path = f"{interface}/{name}/tty/{name}"
        self._add(path, "tty", node=name, DEVNAME=f"/dev/{name}", MAJOR="188", MINOR=str(self._ttys))
        return f"/sys{path}"

    def net(self, place: str, number: int, driver: str, kind: str = "") -> str:
        """Give it a network interface; its kind is what the kernel calls DEVTYPE."""
        interface = self.interface(place, number, driver=driver).removeprefix("/sys")
        name = f"wwan{len(self._devices)}"
        return self._card(interface, name, kind)

    def board_net(self, subsystem: str, kind: str = "") -> str:
        """Give the board a network card of its own, on ``subsystem``; without one, it has no device."""
        name = f"eth{len(self._devices)}"
        path = f"/devices/{subsystem or 'virtual'}/{name}-0"
        if subsystem:
            self._add(path, subsystem)
        return self._card(path, name, kind)

    def disk(self, name: str, bus: str = "pci", **properties: str) -> str:
        """Give the machine a disk, a partition or a loop, with what is known of it, and return its path in /sys."""
        path = f"/devices/{bus}/{name}-0/block/{name}"
        self._add(path, "block", node=name, DEVNAME=f"/dev/{name}", DEVTYPE="partition", **properties)
        return f"/sys{path}"

    def _card(self, parent: str, name: str, kind: str) -> str:
        path, more = f"{parent}/net/{name}", {"DEVTYPE": kind} if kind else {}
        attrs = {"type": "1"}
        self._add(path, "net", attrs=attrs, INTERFACE=name, IFINDEX=str(len(self._devices)), **more)
        return f"/sys{path}"

    def test(self, path: str, action: str = "add") -> Seen:
        """Let udev apply the rules to one device."""
        described = self.folder / "devices"
        described.write_text("\n".join(self._devices))
        rules = self.folder / "rules.d"
        rules.mkdir(exist_ok=True)
        for rule in self.rules:
            shutil.copy(rule, rules)
        group = self.folder / "group"
        group.write_text(Path("/etc/group").read_text() + f"modembank:x:{GROUP}:\n")
        # A file system of our own, where nothing of the machine's udev is: no rule, no database.
        script = (
            "mount -t tmpfs tmpfs /run && mkdir -p /run/udev/rules.d && cp $1/rules.d/* /run/udev/rules.d"
            ' && mount --bind $1/group /etc/group && shift && exec "$@"'
        )
        as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
        run = subprocess.run(
            ["unshare", "--mount", *as_root, "sh", "-euc", script, "sh", str(self.folder),
             "umockdev-run", "-d", str(described), "--", "udevadm", "test", f"--action={action}", path],
            capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"SYSTEMD_LOG_LEVEL": "debug"},
        )  # fmt: skip
        assert run.returncode == 0, run.stdout + run.stderr
        return seen(run.stdout, run.stderr)

    def _add(
        self, path: str, subsystem: str, *, attrs: dict[str, str] | None = None, node: str = "", **properties: str
    ) -> None:
        if properties.get("DEVTYPE") == "usb_device":
            node = f"bus/usb/{node}"
            properties |= {"DEVNAME": f"/dev/{node}", "MAJOR": "189", "MINOR": str(len(self._devices))}
        lines = [f"P: {path}", *([f"N: {node}"] if node else []), f"E: SUBSYSTEM={subsystem}"]
        lines += [f"E: {name}={value}" for name, value in properties.items()]
        lines += [f"A: {name}={value}" for name, value in (attrs or {}).items()]
        self._devices.append("\n".join(lines) + "\n")


def usb(number: int, usb_id: str, devpath: str, device_class: str) -> dict[str, str]:
    vendor, product = usb_id.split(":")
    return {
        "idVendor": vendor,
        "idProduct": product,
        "busnum": "1",
        "devnum": str(number + 1),
        "devpath": devpath,
        "bDeviceClass": device_class,
        "authorized": "1",
    }


def device_path(place: str) -> str:
    bus, _, ports = place.partition("-")
    steps = ports.split(".")
    return f"{PCI}/usb{bus}/" + "/".join(f"{bus}-{'.'.join(steps[:n])}" for n in range(1, len(steps) + 1))


def seen(stdout: str, stderr: str) -> Seen:
    properties = dict(re.findall(r"^\s*(?:E: )?(\.?\w+)=(.*)$", stdout, re.MULTILINE))
    links = {link.removeprefix("/dev/") for link in properties.get("DEVLINKS", "").split()}
    off = re.search(r"usb-guard\.rules:\d+ ATTR.*authorized", stdout + stderr)
    return Seen(properties, links, stdout + stderr, off is not None)
