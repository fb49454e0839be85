"""Update an image over its API: ``python tests/machine/run_update.py IMAGE``.

The image's slot and the keys that it trusts are beside it, as ``make image`` leaves them.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine.box import Box
from machine.bundles import broken_slot, bundled, later, release_of, renamed_slot
from machine.findings import Findings
from machine.qemu import Hardware, Machine, carry_out
from machine.starting import BOOT_S, HURRIED_S, started, up_and_set_up

UPLOAD_S = 900.0
WRITE_S = 1200.0
JUDGED_S = 900.0
TAKEN = {"refused", "failed", "installed"}
JUDGED = {"failed", "good", "rolled_back"}
CUT_AT = 1 << 20


async def main() -> int:
    """Refuse, update, and roll back; return the exit status."""
    image = Path(sys.argv[1])
    slot, keys = image.with_suffix(".system.vfat"), image.parent
    version = str(release_of(slot)["version"])
    found = Findings()
    with tempfile.TemporaryDirectory(prefix="updates-") as name:
        folder = Path(name)
        async with Machine(image, Hardware(disk="8G")) as machine:
            await machine.switch_on()
            box, _ = await up_and_set_up(machine, found)
            story = Story(machine, box, found)
            message = await box.send("+15550001001", "sent before the update")

            small = broken_slot(slot, folder / "older.vfat", later(version, -1))
            await story.refused("an older version", bundled(small, keys))
            small = broken_slot(slot, folder / "strange.vfat", later(version))
            await story.refused("a stranger's signature", bundled(small, folder))
            good = bundled(renamed_slot(slot, folder / "good.vfat", later(version)), keys)
            cut = folder / "cut.raucb"
            with good.open("rb") as file:
                cut.write_bytes(file.read(CUT_AT))
            await story.refused("a bundle that was cut short", cut)

            await story.installed(good, later(version))
            await story.restarted()
            view = await story.judged("good")
            at_work = view["release"]["version"]
            found.that(f"version {later(version)} runs, in slot b", at_work == later(version), view)
            found.that("its slot is b", view["release"]["slot"].lower() == "b", view)
            kept = (await box.get(f"/api/v1/messages/{message}")).body.get("text")
            found.that("what was accepted before is there", kept == "sent before the update", kept)

            bad = bundled(broken_slot(slot, folder / "bad.vfat", later(version, 2)), keys)
            await story.installed(bad, later(version, 2))
            await story.restarted()
            view = await story.judged("rolled_back")
            found.that("the version of before runs again", view["release"]["version"] == later(version), view)
            found.that("it says why", view["update"]["reason"], view)
    return found.end()


class Story:
    """One box that is updated."""

    def __init__(self, machine: Machine, box: Box, found: Findings) -> None:
        """Begin with a box that runs."""
        self._machine = machine
        self._box = box
        self._found = found

    async def refused(self, what: str, bundle: Path) -> None:
        """Upload what the box must not take."""
        update = await self._uploaded(bundle)
        said = f"{what} is refused: {update['reason']}"
        self._found.that(said, update["state"] == "refused" and update["reason"], update)

    async def installed(self, bundle: Path, version: str) -> None:
        """Upload what it must take."""
        update = await self._uploaded(bundle)
        self._found.that(f"{version} is installed", update["state"] == "installed", update)

    async def restarted(self) -> None:
        """Restart it over the API, and wait until some version answers."""
        await self._box.post("/api/v1/box/restart", {})
        await self._machine.qmp.told("RESET", within_s=HURRIED_S)
        await asyncio.sleep(5.0)
        await started(self._machine, self._box)

    async def judged(self, state: str) -> Any:
        """Wait for the end of the trial, and return how the box is."""
        view = await self._box.until("/api/v1/box", lambda view: _is(view, JUDGED), BOOT_S + JUDGED_S)
        self._found.that(f"the update ends as {state}", view["update"]["state"] == state, view["update"])
        return view

    async def _uploaded(self, bundle: Path) -> Any:
        before = (await self._box.get("/api/v1/box")).body["update"]
        answer = await self._box.upload(bundle, UPLOAD_S)
        if answer.status != 202:
            return {"state": "refused" if answer.status == 422 else answer.status, "reason": str(answer.body)}

        def ended(view: Any) -> bool:
            return view["order"] is None and view["update"] != before and _is(view, TAKEN)

        return (await self._box.until("/api/v1/box", ended, WRITE_S))["update"]


def _is(view: Any, states: set[str]) -> bool:
    return bool(view.get("update")) and view["update"]["state"] in states


if __name__ == "__main__":
    sys.exit(carry_out(main()))
