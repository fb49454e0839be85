"""A box in a process of its own that tells of something all the time, for tests that kill it: FOLDER PORT."""

import asyncio
import sys
from pathlib import Path

from fakes.fleets import agent_of, fleet_box, log_events
from modembank_fleet.agent import streams


async def _live(folder: Path, port: int) -> None:
    streams.GATHER_S, streams.PACE_S, streams.SILENCE_S = 0.02, 0.0, 0.5
    box = await fleet_box(folder, port)
    async with agent_of(box):
        while True:
            await log_events(box, "modem.registered", "modem.failed", slot="slot-03")
            await asyncio.sleep(0.01)


asyncio.run(_live(Path(sys.argv[1]), int(sys.argv[2])))
