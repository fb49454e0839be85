"""A box in a process of its own that dies (SIGKILL) at a point of an update, empty for never: FOLDER PORT POINT."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from fakes.fleets import agent_of, fleet_box
from modembank.appliance.fetching import BundleFetch
from modembank_fleet.agent import streams
from modembank_fleet.agent.updating import Pace, Updating


def _die(point: str) -> None:
    """Let it die after the note of a phase, between the bundle's name and the order, before its end, or after it."""
    write, keep, end = Updating._write, BundleFetch.keep, Updating._end

    async def written(self, taken):
        await write(self, taken)
        if json.loads(taken.data).get("ph") == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def kept(self):
        keep(self)
        if point == "kept":
            os.kill(os.getpid(), signal.SIGKILL)

    async def ended(self, job, over):
        if point == "not ended":
            os.kill(os.getpid(), signal.SIGKILL)
        await end(self, job, over)
        if point == "ended":
            os.kill(os.getpid(), signal.SIGKILL)

    Updating._write, BundleFetch.keep, Updating._end = written, kept, ended


async def _live(folder: Path, port: int, point: str) -> None:
    streams.GATHER_S, streams.PACE_S, streams.SILENCE_S = 0.02, 0.0, 0.5
    _die(point)
    box = await fleet_box(folder, port)
    await box.appliance.clean()
    async with agent_of(box, pace=Pace(look_s=0.02, lost_s=2.0, again_s=(0.05,), restart_s=0.5)):
        await asyncio.sleep(600)


asyncio.run(_live(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
