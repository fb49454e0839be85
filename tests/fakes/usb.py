"""A USB as sysfs shows it, in a folder, and a uhubctl that is a program of its own and switches emulated modems."""

from __future__ import annotations

import json
import sys
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
        return {"sysfs": self.sysfs, "uhubctl": str(self.program)}

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
