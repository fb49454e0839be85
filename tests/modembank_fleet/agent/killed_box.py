"""A box in a process of its own that tells of something all the time, for tests that kill it: FOLDER PORT [BOX PAUSE].

With a PAUSE (seconds between two events) its agent tries again within a second, however often it failed.
"""

import asyncio
import sys
from pathlib import Path

from fakes.fleets import agent_of, fleet_box, log_events
from modembank_fleet import link
from modembank_fleet.agent import streams


async def _live(folder: Path, port: int, name: str, pause_s: float) -> None:
    streams.GATHER_S, streams.PACE_S, streams.SILENCE_S = 0.02, 0.0, 0.5
    box = await fleet_box(folder, port, box=name)
    async with agent_of(box):
        while True:
            await log_events(box, "modem.registered", "modem.failed", slot="slot-03")
            await asyncio.sleep(pause_s)


if len(sys.argv) > 3:
    link.MOST_S = 1.0
asyncio.run(_live(Path(sys.argv[1]), int(sys.argv[2]), *(sys.argv[3:4] or ["b1"]), *map(float, sys.argv[4:] or [0.01])))
