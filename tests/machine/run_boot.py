"""Boot an image, set it up, look at it from outside and inside: ``python tests/machine/run_boot.py IMAGE``; as root.

A plain Debian is booted in the same run, since how long a start takes says more of the machine below than of the box;
they start in turns, and the shortest start of each counts, since the machine below does other things too.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine import debian
from machine.box import Box
from machine.findings import Findings
from machine.listening import strangers
from machine.qemu import Hardware, Machine, carry_out
from machine.starting import HURRIED_S, memory_used_mb, setup_code, started, up_and_set_up, userspace_s
from machine.usb import Bus
from modembank_emulator import Bank, BankConfig

MOST_MEMORY_MB = 200
MOST_RATIO = 1.5
TURNS = 3
SETTLED_S = 90.0
DISK = "8G"
_HASHES = "awk -F: '$2 !~ /^[!*]/ {print $1}' /etc/shadow"
_UNITS = "systemctl --failed --no-legend --plain; systemctl is-system-running"


async def main() -> int:
    """Boot, look, and return the exit status."""
    image = Path(sys.argv[1])
    found = Findings()
    plain = debian.plain()
    async with (
        Bank(BankConfig(modems=1, dialect="quectel")) as bank,
        Machine(image, Hardware(disk=DISK)) as machine,
        Machine(plain.disk, plain.hardware()) as other,
    ):
        await machine.switch_on()
        box, code = await up_and_set_up(machine, found)
        certificate = box.certificate
        # It takes two lines there.
        shown = re.sub(r"[\s:]", "", "".join(line.text for line in machine.console.lines))
        found.that("the console shows the certificate that the page has", certificate.replace(":", "") in shown)
        await _sends(machine, bank, box, found)
        await _inside(machine, found)
        ours, theirs = await _in_turns(machine, box, other)
        told = ", ".join(f"{mine:.0f} to {its:.0f}" for mine, its in zip(ours, theirs, strict=True))
        found.note(f"seconds from systemd's start to the API, and of a plain Debian's whole start: {told}")
        ratio = min(ours) / min(theirs)
        found.that(f"the ratio of the shortest is {ratio:.2f}, at most {MOST_RATIO}", ratio <= MOST_RATIO)
        who = (await box.get("/api/v1/account")).status
        found.that("the key of before is still good", who == 200, who)
        found.that("the certificate is still the same", box.certificate == certificate, box.certificate)
        await asyncio.sleep(SETTLED_S)
        used = await memory_used_mb(machine)
        found.that(f"idle, it uses {used:.0f} MB of memory, at most {MOST_MEMORY_MB}", used < MOST_MEMORY_MB)
    async with Machine(image, Hardware(disk=DISK)) as machine:
        await machine.switch_on()
        another = Box(machine.ports["https"])
        await started(machine, another)
        found.that("another box of the same image has another certificate", another.certificate != certificate)
        found.that("and another code", await setup_code(machine, found) != code, code)
    return found.end()


async def _in_turns(machine: Machine, box: Box, other: Machine) -> tuple[list[float], list[float]]:
    """Start the other machine and the box again and again; return how long each start took. The box runs, and will."""
    ours, theirs = [], []
    for _ in range(TURNS):
        await machine.shut_down()
        await other.switch_on()
        theirs.append(await userspace_s(other))
        await other.pull_power()
        await machine.switch_on()
        ours.append(await userspace_s(machine, await started(machine, box)))
    return ours, theirs


async def _sends(machine: Machine, bank: Bank, box: Box, found: Findings) -> None:
    modem = bank.modems[0]
    await Bus(machine).modem("3", modem)
    able = await box.until(
        "/api/v1/modems", lambda body: any(item["able_to_send"] for item in body["items"]), HURRIED_S
    )
    found.that("a modem that is plugged in is ready", able["items"][0]["slot"] == "usb-1-3", able)
    message = await box.send("+15550001001", "the first of this box")
    sent = {"sent", "delivered"}
    await box.until(f"/api/v1/messages/{message}", lambda body: body["status"] in sent, HURRIED_S)
    taken = [seen for seen in bank.network.ledger if seen.destination == "+15550001001"]
    found.that("a message reached the network, once", len(taken) == 1, taken)


async def _inside(machine: Machine, found: Findings) -> None:
    inside = machine.inside
    said, _ = await inside.ask(f"timeout 300 systemctl is-system-running --wait; {_UNITS}")
    found.that("no unit has failed", said.splitlines()[-1] == "running", said)
    odd = strangers(await inside.run("ss -Hltnu"))
    found.that("nobody listens but who must", not odd, "\n".join(odd))
    hashes = await inside.run(_HASHES)
    found.that("no user has a password", hashes == "", hashes)
    said, status = await inside.ask("touch /usr/x || touch /opt/x")
    found.that("the root is read-only", status != 0 and "Read-only" in said, said)
    said = await inside.run("findmnt -no FSTYPE,SIZE /data; df -h /data | tail -1")
    found.that("the data partition is grown to the disk", said.startswith("ext4") and "G" in said.split()[1], said)
    said, status = await inside.ask("wdctl -x 2>/dev/null || ls /dev/watchdog0; systemctl show -P RuntimeWatchdogUSec")
    found.that(
        "the watchdog of the computer is fed", "infinity" not in said and "\n0" not in said and status == 0, said
    )


if __name__ == "__main__":
    sys.exit(carry_out(main()))
