"""A USB as sysfs shows it, in a folder, and a uhubctl that is a program of its own and switches emulated modems."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

_PROGRAM = """#!{python} -SE
import json, pathlib, socket, sys, time

folder = pathlib.Path(__file__).parent
rules = json.loads((folder / "rules.json").read_text())
with (folder / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
if rules["hangs"] and "on" not in sys.argv:
    time.sleep(60)
given = dict(zip(sys.argv[1:], sys.argv[2:]))
hub, wanted, action = given.get("-l"), given.get("-p"), given.get("-a")
if hub not in rules["hubs"]:
    sys.exit(f"No compatible devices detected at location {{hub}}!\\nRun with -h to get usage info.")
ports = [port for port in rules["hubs"][hub]["ports"] if wanted in (None, port)]
about = rules["hubs"][hub]["about"]

def tell(op):
    for port in ports:
        modem = rules["hubs"][hub]["ports"][port]
        if modem is not None and rules["socket"] and rules["works"]:
            with socket.socket(socket.AF_UNIX) as control:
                control.connect(rules["socket"])
                control.sendall(json.dumps({{"op": op, "modem": modem, "wait": False}}).encode() + b"\\n")
                control.recv(65536)

def show(when, words):
    print(f"{{when}} status for hub {{hub}} [{{about}}]")
    for port in ports:
        print(f"  Port {{port}}: {{words}}")

on = "0503 power highspeed enable connect [12d1:1506]"
off = "0000 off" if rules["works"] else on
show("Current", on)
if action in ("cycle", "off"):
    tell("unplug")
    print("Sent power off request")
    show("New", off)
if action == "cycle":
    time.sleep(rules["dark_s"])
    show("Current", off)
if action in ("cycle", "on"):
    tell("replug")
    print("Sent power on request")
    show("New", "0100 power")
if rules["babbles"]:
    print("something that no version says")
with (folder / "ends").open("a") as ends:
    ends.write("end\\n")
"""


class FakeUsb:
    """Hubs and devices in a folder like /sys, and the path of a uhubctl that knows them."""

    def __init__(self, folder: Path, board: str = "") -> None:
        self.sysfs = folder / "sys"
        self.dev = folder / "dev"
        self.dev.mkdir(parents=True)
        self._numbers = itertools.count(2)
        (self.sysfs / "class" / "tty").mkdir(parents=True)
        (self.sysfs / "bus" / "usb" / "devices").mkdir(parents=True)
        if board:
            model = self.sysfs / "firmware" / "devicetree" / "base" / "model"
            model.parent.mkdir(parents=True)
            model.write_text(board + "\0")
        tools = folder / "tools"
        tools.mkdir()
        self._calls = tools / "calls"
        self._rules = tools / "rules.json"
        self._now = {"hubs": {}, "socket": "", "works": True, "hangs": False, "babbles": False, "dark_s": 0.05}
        self._write()
        self.program = tools / "uhubctl"
        self.program.write_text(_PROGRAM.format(python=sys.executable))
        self.program.chmod(0o755)

    @property
    def options(self) -> dict[str, object]:
        """What a bank wants to know."""
        return {"sysfs": self.sysfs, "dev": self.dev, "uhubctl": str(self.program)}

    @property
    def calls(self) -> list[str]:
        """The arguments of every call so far."""
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    @property
    def finished(self) -> int:
        """How many calls came to their end."""
        ends = self._calls.with_name("ends")
        return len(ends.read_text().splitlines()) if ends.exists() else 0

    def rule(self, **changes: object) -> None:
        """Make the program behave otherwise: works, hangs, babbles, dark_s, socket."""
        self._now |= changes
        self._write()

    def switchable(self, hub: str, ports: dict[int, int | None], about: str = "05e3:0608, USB 2.00, 4 ports, ppps"):
        """A hub that the program can switch; its ports lead to emulated modems by number."""
        named = {str(port): modem for port, modem in ports.items()}
        self._now["hubs"] |= {hub: {"about": about, "ports": named}}
        self._write()

    def device(self, name: str, *, hub: bool = False) -> Path:
        """A device such as 1-1.4.3, with the hubs above it; returns its folder."""
        bus, _, path = name.partition("-")
        folder = self.sysfs / "devices" / "pci0000:00" / f"usb{bus}"
        self._describe(folder, f"usb{bus}", bus, "0", "09")
        steps = path.split(".")
        for depth in range(1, len(steps) + 1):
            here = ".".join(steps[:depth])
            folder /= f"{bus}-{here}"
            last = depth == len(steps)
            if not (last and folder.exists()):
                self._describe(folder, f"{bus}-{here}", bus, here, "09" if hub or not last else "00")
        return folder

    def plug(self, tty: Path | str, device: str, *, serial: bool = True) -> None:
        """A tty whose link leads to a pty's or device's name, on that device; ``serial`` False: as cdc_acm has it."""
        name = Path(tty).resolve().name
        interface = self.device(device) / f"{device}:1.0"
        leaf = interface / "ttyUSB0" if serial else interface
        leaf.mkdir(parents=True, exist_ok=True)
        entry = self.sysfs / "class" / "tty" / name
        entry.mkdir(exist_ok=True)
        (entry / "device").unlink(missing_ok=True)
        (entry / "device").symlink_to(leaf)

    def stick(
        self,
        device: str,
        ttys: Mapping[int, str],
        usb_id: str = "2c7c:0125",
        *,
        driver: str = "option",
        kinds: Mapping[int, str] = {},
        far: Mapping[str, Path] = {},
        text: str = "Quectel EC25",
    ) -> Path:
        """Plug in a device with a tty for each of these interfaces; ``kinds`` has further ones, and what they are.

        ``far`` are the ptys that stand behind ttys. An interface is of kind ff/00/00 unless it is said.
        """
        folder = self.device(device)
        maker, _, product = text.partition(" ")
        vendor, _, model = usb_id.partition(":")
        facts = {"idVendor": vendor, "idProduct": model, "manufacturer": maker, "product": product}
        for name, fact in facts.items():
            (folder / name).write_text(f"{fact}\n")
        for number in sorted({*ttys, *kinds}):
            self.interface(device, number, ttys.get(number, ""), kinds.get(number, "ff/00/00"), driver)
        for tty, target in far.items():
            (self.dev / tty).unlink(missing_ok=True)
            (self.dev / tty).symlink_to(target)
        (folder / "devnum").write_text(f"{next(self._numbers)}\n")
        return folder

    def interface(self, device: str, number: int, tty: str, kind: str = "ff/00/00", driver: str = "option") -> None:
        """An interface of a device: with a tty and its driver, or with neither."""
        interface = self.device(device) / f"{device}:1.{number}"
        interface.mkdir(exist_ok=True)
        (interface / "bInterfaceNumber").write_text(f"{number:02x}\n")
        for part, value in zip(("Class", "SubClass", "Protocol"), kind.split("/"), strict=True):
            (interface / f"bInterface{part}").write_text(f"{value}\n")
        if not tty:
            return
        of_driver = self.sysfs / "bus" / "usb" / "drivers" / driver
        of_driver.mkdir(parents=True, exist_ok=True)
        (interface / "driver").symlink_to(of_driver)
        leaf = interface if driver == "cdc_acm" else interface / tty
        (leaf / "tty" / tty).mkdir(parents=True)
        entry = self.sysfs / "class" / "tty" / tty
        entry.mkdir(exist_ok=True)
        (entry / "device").unlink(missing_ok=True)
        (entry / "device").symlink_to(leaf)

    def unplug(self, device: str) -> None:
        """Take a device out, with its ttys."""
        folder = self.sysfs / "bus" / "usb" / "devices" / device
        for tty in [entry.name for entry in folder.resolve().rglob("tty/*")]:
            shutil.rmtree(self.sysfs / "class" / "tty" / tty)
            (self.dev / tty).unlink(missing_ok=True)
        shutil.rmtree(folder.resolve())
        folder.unlink()

    def _describe(self, folder: Path, name: str, bus: str, path: str, kind: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "busnum").write_text(f"{bus}\n")
        (folder / "devpath").write_text(f"{path}\n")
        (folder / "bDeviceClass").write_text(f"{kind}\n")
        link = self.sysfs / "bus" / "usb" / "devices" / name
        if not link.exists():
            link.symlink_to(folder)

    def _write(self) -> None:
        self._rules.write_text(json.dumps(self._now))
