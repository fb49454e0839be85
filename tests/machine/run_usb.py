"""Modems on the USB of a real kernel: ``python tests/machine/run_usb.py [IMAGE]``.

Without an image it is a plain Debian with the program installed as docs/service.md says, for which it must be root.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine import debian
from machine.box import Box
from machine.findings import Findings
from machine.qemu import Hardware, Machine, carry_out
from machine.starting import HURRIED_S, up_and_set_up
from machine.usb import Bus
from modembank_emulator import Bank, BankConfig

QUECTEL = "2c7c:0125"
STICK_OCTETS = 8 << 20


async def main() -> int:
    """Plug, send, pull and look; return the exit status."""
    image = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    found = Findings()
    stick = debian.CACHE / "stick.img"
    debian.CACHE.mkdir(exist_ok=True)
    stick.write_bytes(bytes(STICK_OCTETS))
    if image is None:
        below = debian.with_program()
        disk, hardware = below.disk, below.hardware(drives=[stick])
    else:
        disk, hardware = image, Hardware(drives=[stick])
    async with Bank(BankConfig(modems=3, dialect="quectel")) as bank, Machine(disk, hardware) as machine:
        await machine.switch_on()
        box, _ = await up_and_set_up(machine, found)
        await Story(found, machine, bank, box).tell()
    return found.end()


class Story:
    """One box, and what is done to its USB, in order."""

    def __init__(self, found: Findings, machine: Machine, bank: Bank, box: Box) -> None:
        """Begin with nothing plugged in."""
        self._found = found
        self._machine = machine
        self._bank = bank
        self._box = box
        self._bus = Bus(machine)

    async def tell(self) -> None:
        """Go through all of it."""
        await self._nothing_yet()
        await self._first_modem()
        await self._sandbox()
        await self._pulled_while_sending()
        await self._swapped()
        await self._no_modems()
        await self._several_ports()

    async def _nothing_yet(self) -> None:
        body = (await self._box.get("/api/v1/usb")).body
        self._found.that("udev tells of changes", body["watching"], body)
        self._found.that("nothing hangs on the USB", body["items"] == [], body)
        modules = await self._machine.inside.run("lsmod | grep -c usbserial || true")
        self._found.that("no driver for serial ports was loaded before", modules == "0", modules)

    async def _first_modem(self) -> None:
        """The driver is loaded by the first modem, after the service was started (DeviceAllow)."""
        await self._bus.hub("1")
        await self._bus.modem("1.3", self._bank.modems[0])
        slot = await self._ready("usb-1-1.3", 0)
        self._found.that("it is on a tty of the kernel's", slot["tty"].startswith("/dev/ttyUSB"), slot["tty"])
        await self._sends("+15550001001", "through a new driver")

    async def _sandbox(self) -> None:
        """Root itself, in the service's mounts and control group, is refused what the service must not open."""
        inside = self._machine.inside
        pid = await inside.run("systemctl show -P MainPID modembankd")
        group = await inside.run("systemctl show -P ControlGroup modembankd")
        for device, may in (("/dev/ttyUSB0", True), ("/dev/ttyS0", False), ("/dev/vda", False), ("/dev/mem", False)):
            opening = f"nsenter -t {pid} -m python3 -c 'import os; os.open(\"{device}\", os.O_RDWR | os.O_NONBLOCK)'"
            # A shell of its own: $$ is the one that asks, also where that runs a part of it in a child.
            within = shlex.quote(f"echo $$ > /sys/fs/cgroup{group}/cgroup.procs; exec {opening}")
            said, status = await inside.ask(f"sh -c {within}")
            refused = status != 0 and "PermissionError: [Errno 1]" in said
            self._found.that(
                f"{device} {'can' if may else 'cannot'} be opened in it", status == 0 if may else refused, said
            )

    async def _pulled_while_sending(self) -> None:
        """The network took the text, the box has not heard so, and the modem is pulled out."""
        modem, network = self._bank.modems[0], self._bank.network
        before = len(network.ledger)
        modem.faults.arm("drop_final")
        message = await self._box.send("+15550001002", "pulled in the middle")
        async with asyncio.timeout(HURRIED_S):
            while len(network.ledger) == before:
                await asyncio.sleep(0.1)
        modem.unplug()
        await self._bus.unplug("modem-1.3")
        path = f"/api/v1/messages/{message}"
        told = await self._box.until(path, lambda body: body["status"] not in {"queued", "sending"}, HURRIED_S)
        self._found.that("what was being sent is unknown", told["status"] == "unknown", told)
        gone = await self._box.until(
            "/api/v1/modems/usb-1-1.3", lambda body: body["failed"] or not body["tty"], HURRIED_S
        )
        self._found.that("the slot says that its modem is gone", "gone" in {gone["failed"], gone["state"]}, gone)
        modem.replug()
        await modem.wait_running()
        await self._bus.modem("1.5", modem)
        await self._ready("usb-1-1.5", 0)
        await self._sends("+15550001003", "from another port")
        taken = [seen for seen in network.ledger if seen.destination == "+15550001002"]
        self._found.that("it was not sent again", len(taken) == 1, taken)

    async def _swapped(self) -> None:
        """Two modems change places, and take their SIMs with them."""
        first, second = self._bank.modems[:2]
        await self._bus.modem("1.4", second)
        await self._ready("usb-1-1.4", 1)
        for place, modem in (("1.5", first), ("1.4", second)):
            modem.unplug()
            await self._bus.unplug(f"modem-{place}")
        for place, modem in (("1.4", first), ("1.5", second)):
            modem.replug()
            await modem.wait_running()
            await self._bus.modem(place, modem)
        await self._ready("usb-1-1.4", 0)
        await self._ready("usb-1-1.5", 1)
        await self._sends("+15550001004", "from a changed place", sim=second.card().iccid)
        taken = [seen.iccid for seen in self._bank.network.ledger if seen.destination == "+15550001004"]
        self._found.that("it left through the SIM that was named", taken == [second.card().iccid], taken)

    async def _no_modems(self) -> None:
        """A keyboard behind the hub is switched off; a disk is let in; both are listed as what they are."""
        await self._bus.keyboard("1.6")
        await self._bus.keyboard("2")
        await self._bus.stick("1.7")
        places = {"usb:1-1.6", "usb:1-1.7", "usb:1-2"}
        body = await self._box.until(
            "/api/v1/usb", lambda body: places <= {item["place"] for item in body["items"]}, HURRIED_S
        )
        standing = {item["place"]: item["standing"] for item in body["items"]}
        self._found.that("a keyboard is listed as no modem", standing["usb:1-1.6"] == "no_port", standing)
        self._found.that("a stick is listed as a disk", standing["usb:1-1.7"] in {"no_port", "waiting"}, standing)
        self._found.that("modems are served beside them", standing["usb:1-1.4"] == "served", standing)
        for place, authorized in (("1-1.6", "0"), ("1-2", "1"), ("1-1.7", "1")):
            said = await self._machine.inside.run(f"cat /sys/bus/usb/devices/{place}:1.0/authorized")
            what = f"the guard {'switches off' if authorized == '0' else 'lets in'} {place}"
            self._found.that(what, said == authorized, said)

    async def _several_ports(self) -> None:
        """A modem with its maker's ids and four ports, of which the third is for AT commands."""
        await self._bus.gadget(self._bank.modems[2], QUECTEL, 4, 2)
        body = await self._box.until(
            "/api/v1/usb",
            lambda body: any(item["id"] == QUECTEL and item["slots"] for item in body["items"]),
            HURRIED_S,
        )
        [device] = [item for item in body["items"] if item["id"] == QUECTEL]
        self._found.that("it has four ports of the driver for modems", len(device["ports"]) == 4, device)
        [slot] = device["slots"]
        at = next(port["tty"] for port in device["ports"] if port["interface"] == 2)
        item = await self._ready(slot, 2)
        self._found.that("the one for AT commands is open", item["tty"].endswith(at), (item["tty"], device))
        await self._sends("+15550001005", "by one of four ports", sim=self._bank.cards[2].iccid)
        await self._bus.gadget_is_there(False)
        gone = await self._box.until(f"/api/v1/modems/{slot}", lambda item: not item["tty"], HURRIED_S)
        self._found.that("pulled out, it is gone", not gone["able_to_send"], gone)
        await self._bus.gadget_is_there(True)
        await self._ready(slot, 2)
        await self._sends("+15550001006", "after it was plugged in again", sim=self._bank.cards[2].iccid)

    async def _ready(self, slot: str, card: int) -> dict:
        iccid = self._bank.cards[card].iccid

        def ready(item) -> bool:
            return item["slot"] == slot and item["able_to_send"] and item["tty"] and item["sim"] == iccid

        body = await self._box.until("/api/v1/modems", lambda body: any(map(ready, body["items"])), HURRIED_S)
        self._found.that(f"{slot} has a modem, whose SIM is {iccid}", True)
        return next(filter(ready, body["items"]))

    async def _sends(self, to: str, text: str, sim: str = "") -> None:
        message = await self._box.send(to, text, **({"sim": sim} if sim else {}))
        sent = {"sent", "delivered"}
        told = await self._box.until(f"/api/v1/messages/{message}", lambda body: body["status"] in sent, HURRIED_S)
        taken = [seen for seen in self._bank.network.ledger if seen.destination == to and seen.accepted]
        self._found.that(f"the network has {text!r}, once", len(taken) == 1, (told, taken))


if __name__ == "__main__":
    sys.exit(carry_out(main()))
