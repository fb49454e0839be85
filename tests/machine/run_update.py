"""Update an image in every way that can go wrong: ``python tests/machine/run_update.py IMAGE SLOT``; as root.

SLOT is the image's own ``….system.vfat``: updates are made of it under higher versions, signed by the keys that the
image was built with. Nothing inside is another, which a box cannot know.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "image"))

import bundle
from keys import keys
from machine.box import Box
from machine.findings import Findings
from machine.qemu import Hardware, Machine, carry_out
from machine.starting import BOOT_S, HURRIED_S, up_and_set_up
from machine.usb import Bus

PATH = "/api/v1/box"
OCTETS = ("Content-Type: application/octet-stream",)
WRITTEN_S = 3 * HURRIED_S
"""How long a slot may take to be read, checked and written."""


class Updates:
    """Bundles of one slot under higher versions, in a folder."""

    def __init__(self, slot: Path, out: Path, folder: Path) -> None:
        """Sign with the keys in ``out``."""
        self._slot = slot
        self._keys = keys(out)
        self._folder = folder
        self._release = bundle.release_of(slot)

    def make(self, patch: int, *, starts: bool = True, ours: bool = True) -> Path:
        """Return an update to the version with this last number, signed by our keys or by somebody's.

        One that does not start has no initrd to speak of.
        """
        slot = self._folder / "modembank.system.vfat"
        shutil.copy(self._slot, slot)
        version = ".".join([*str(self._release["version"]).split(".")[:2], str(patch)])
        text = "".join(f'{name} = "{value}"\n' for name, value in (self._release | {"version": version}).items())
        self._put(
            slot, "release.toml", text.replace(f'"{self._release["schema"]}"', str(self._release["schema"])).encode()
        )
        if not starts:
            self._put(slot, "initrd.img", b"nothing")
        made = bundle.make_bundle(slot, self._keys if ours else keys(self._folder / "others"))
        slot.unlink()
        return made

    def stick(self, update: Path) -> Path:
        """Return the image of a stick with an update on it."""
        image = self._folder / "stick.img"
        with image.open("wb") as file:
            file.truncate(update.stat().st_size + (64 << 20))
        subprocess.run(["mkfs.vfat", "-F", "32", image], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["mcopy", "-i", image, update, "::"], check=True)
        return image

    def _put(self, slot: Path, name: str, content: bytes) -> None:
        (self._folder / name).write_bytes(content)
        subprocess.run(["mcopy", "-o", "-i", slot, self._folder / name, "::"], check=True)


class Run:
    """One box over its updates."""

    def __init__(self, machine: Machine, found: Findings) -> None:
        """Begin with a box that is switched off."""
        self._machine = machine
        self._found = found
        self._box = Box(machine.ports["https"])

    async def begin(self) -> None:
        """Set it up."""
        await self._machine.switch_on()
        self._box, _ = await up_and_set_up(self._machine, self._found)
        self._box.within_s = WRITTEN_S

    async def is_refused(self, what: str, content: bytes, why: str) -> None:
        """Upload what must be refused."""
        update = await self._upload(content, {"refused", "failed", "installed"})
        self._found.that(f"{what} is refused: {why}", why in update["reason"], update)
        await self._is_in("a")

    async def is_installed(self, update: Path) -> None:
        """Upload an update that waits for its restart then."""
        told = await self._upload(update.read_bytes(), {"refused", "failed", "installed"})
        self._found.that(f"{update.name} is installed and waits", told["state"] == "installed", told)

    async def is_good_after_restart(self, slot: str) -> None:
        """Restart into what waits, and see it found good."""
        answer = await self._box.post(f"{PATH}/restart", {})
        self._found.that("a restart is taken", answer.status == 202, answer)
        update = await self._ends({"good", "failed", "rolled_back"}, 2 * BOOT_S)
        self._found.that("the new version is found good", update["state"] == "good", update)
        await self._is_in(slot)

    async def is_cut_off(self, update: Path, slot: str) -> None:
        """Pull the power while the other slot is written."""
        await self._box._ask("POST", f"{PATH}/update", update.read_bytes(), OCTETS)
        await self._box.until(PATH, lambda body: (body["update"]["percent"] or 0) >= 50, WRITTEN_S)
        await self._machine.pull_power()
        await self._machine.switch_on()
        told = await self._ends({"failed", "rolled_back", "installed", "good"}, BOOT_S)
        self._found.that("power that goes while it is written is told", told["state"] == "failed", told)
        await self._is_in(slot)

    async def is_rolled_back(self, slot: str) -> None:
        """Restart into what does not start."""
        await self._box.post(f"{PATH}/restart", {})
        told = await self._ends({"rolled_back"}, 3 * BOOT_S)
        self._found.that("what does not start is left again", "did not come up" in told["reason"], told)
        await self._is_in(slot)

    async def is_taken_from_a_stick(self) -> None:
        """Plug a stick in."""
        await Bus(self._machine).stick("4")
        told = await self._ends({"installed", "refused", "failed"}, WRITTEN_S)
        by_stick = (told["state"], told["by"]) == ("installed", "a USB stick")
        self._found.that("an update on a stick is installed", by_stick, told)

    async def _upload(self, content: bytes, ends: set[str]) -> dict:
        before = (await self._box.get(PATH)).body["update"]
        answer = await self._box._ask("POST", f"{PATH}/update", content, OCTETS)
        if not self._found.that("an upload is taken", answer.status == 202, answer):
            return {"state": "", "reason": ""}
        await self._box.until(PATH, lambda body: body["update"] != before, HURRIED_S)
        return await self._ends(ends, WRITTEN_S)

    async def _ends(self, states: set[str], within_s: float) -> dict:
        body = await self._box.until(PATH, lambda told: told["update"] and told["update"]["state"] in states, within_s)
        return body["update"]

    async def _is_in(self, slot: str) -> None:
        body = (await self._box.get(PATH)).body
        self._found.that(f"slot {slot} runs", (body["release"] or {}).get("slot") == slot, body)


async def main() -> int:
    """Go through it, and return the exit status."""
    image, slot = Path(sys.argv[1]), Path(sys.argv[2])
    found = Findings()
    with tempfile.TemporaryDirectory(prefix="updates-") as name:
        updates = Updates(slot, slot.parent, Path(name))
        foreign = updates.make(104, ours=False).read_bytes()
        good, broken, last = updates.make(101), updates.make(102, starts=False), updates.make(103)
        hardware = Hardware(disk="8G", drives=[updates.stick(last)])
        async with Machine(image, hardware) as machine:
            run = Run(machine, found)
            await run.begin()
            content = bytearray(good.read_bytes())
            await run.is_refused("one that is cut short", bytes(content[: len(content) // 2]), "cut short or damaged")
            await run.is_refused("somebody's own", foreign, "not signed by whom this box trusts")
            content[len(content) // 2] ^= 1
            await run.is_refused("one with a single other bit", bytes(content), "damaged")
            await run.is_installed(good)
            await run.is_good_after_restart("b")
            await run.is_cut_off(broken, "b")
            await run.is_installed(broken)
            await run.is_rolled_back("b")
            await run.is_taken_from_a_stick()
            await run.is_good_after_restart("a")
    return found.end()


if __name__ == "__main__":
    sys.exit(carry_out(main()))
