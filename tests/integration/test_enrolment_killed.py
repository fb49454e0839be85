"""A box is killed (SIGKILL) at any moment while it enrols and renews: it always has a credential that works."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.enrolments import Fleet, fleet_in, so
from modembank.accounts import LOCAL_ADMIN
from modembank.fleet.enrolment_folder import EnrolmentFolder

pytestmark = pytest.mark.broker
PROGRAM = Path(__file__).with_name("enrolled_box.py")
KILLS = int(os.environ.get("ENROLMENT_KILLS", "8"))
SEED = int(os.environ.get("ENROLMENT_SEED", "1"))


class Box:
    """A box as a process that is killed and comes back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "b1"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, token: str) -> None:
        """Start it; the token of its first start is there each time."""
        environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(PROGRAM.parents[1]), *sys.path])}
        with (self.folder / "box.log").open("ab") as log:
            command = [sys.executable, PROGRAM, self.folder, token]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environ)

    def kill(self, number: int = signal.SIGKILL) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(30)

    def check(self) -> None:
        """What is kept can be read, and everything that it speaks of is there."""
        folder = EnrolmentFolder(self.data)
        if not (self.data / "hub/enrolment.json").exists():
            return
        record = folder.load()
        assert record.seen, "the record was lost"
        member = record.membership
        for pair in (member.pair, member.coming) if member else ():
            for part in ("key", "crt", "ca") if pair else ():
                assert folder.path(pair.number, part).stat().st_size > 0


async def online(fleet: Fleet) -> None:
    """Wait until the hub hears the box, and knows what it can do."""

    async def there() -> bool:
        query = "SELECT count(*) FROM boxes WHERE box = 'b1' AND online AND birth IS NOT NULL"
        return await fleet.app.store.fetch_one(query) == (1,)

    await so(there)


@pytest.mark.timeout(600)
async def test_a_box_that_is_killed_at_any_moment_comes_back_with_a_credential_that_works(tmp_path):
    dice = random.Random(SEED)
    async with fleet_in(tmp_path) as fleet:
        box, token = Box(tmp_path), await fleet.token("kiel", "b1")
        for _ in range(KILLS // 2):  # in its first enrolment, or before, or after
            box.start(token)
            await asyncio.sleep(dice.uniform(0.2, 2.5))
            box.kill()
            box.check()
        box.start(token)
        await online(fleet)
        try:
            for _ in range(KILLS):
                await online(fleet)
                await fleet.app.orders.give(LOCAL_ADMIN, "kiel", "b1", "cred.rotate", {}, 600)
                await asyncio.sleep(dice.uniform(0.0, 0.3))
                box.kill()
                box.check()
                await fleet.app.store.write(lambda conn: conn.execute("UPDATE boxes SET online = 0") and None)
                box.start(token)
            await online(fleet)

            async def settled() -> bool:
                member = EnrolmentFolder(box.data).load().membership
                return member is not None and member.coming is None and member.key == 0

            await so(settled)
        finally:
            box.kill()
        box.check()
        states = await fleet.app.store.fetch_all("SELECT how, count(*) FROM certificates GROUP BY 1 ORDER BY 1")
        assert dict(states)["token"] == 1  # the same token and the same key: the same answer
        assert dict(states)["renewal"] >= 1
        assert await fleet.app.store.fetch_one("SELECT count(*) FROM audit WHERE action = 'enrolment.refuse'") == (0,)
    assert "Traceback" not in (tmp_path / "box.log").read_text("utf-8")
