"""A box in a process of its own that dies (SIGKILL) after so many writes of its configuration: FOLDER PORT WRITES."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from fakes.fleets import agent_of, fleet_box
from modembank.sim import SimIdentity
from modembank_fleet.agent import Trial, shadow
from modembank_fleet.agent.owning import Owning


async def _live(folder: Path, port: int, writes: int) -> None:
    box = await fleet_box(folder, port)
    await box.sims.identify(SimIdentity(iccid="8944110068256270062"), "slot-04")
    left = writes

    def count_down() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    move, change = shadow.ConfigShadow._move, Owning._change

    async def moved(self, new):
        await move(self, new)
        count_down()

    async def changed(self, *arguments):
        await change(self, *arguments)
        count_down()

    shadow.ConfigShadow._move, Owning._change = moved, changed
    async with agent_of(box, trial=Trial(health_s=600.0, steady_s=0.3, look_s=0.02)):
        await asyncio.sleep(600)


asyncio.run(_live(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
