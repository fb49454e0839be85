"""A hub or a box of a pool as a process, for tests that kill it: hub FOLDER PORT, or box FOLDER PORT NAME TTY…"""

import asyncio
import sys
from pathlib import Path

import pytest

from fakes.boxes import HEALTH, NO_LIMITS, PLAIN
from fakes.pools import box_config, hub_config, hurry
from modembank.bank import BankOptions
from modembank.clock import SystemClock
from modembank.config import BankConfig, BoxConfig, Config, PortEntry, WebConfig
from modembank_fleet.pool import assigning, leases
from modembank_hub import lending
from modembankd import compose
from modembankd.daemon import Daemon
from modembankd.hub import HubDaemon

LEASE_S, GUARD_S = 15, 5.0
"""Far shorter than in service; an emulated modem answers at once."""


class _Port:
    def __init__(self, port: int) -> None:
        self.port = port


async def _hub(folder: Path, port: int) -> None:
    lending.LONGEST_LEASE_S = LEASE_S
    assigning.GUARD_S = leases.GUARD_S = GUARD_S
    assigning.SHORTEST_S = 5.0
    await HubDaemon(hub_config(folder, _Port(port)), SystemClock()).start()
    await asyncio.Event().wait()


async def _box(folder: Path, port: int, name: str, ttys: list[str]) -> None:
    compose.SOON_S, compose.LAZY_S = 0.02, 0.1
    config = Config(
        box=BoxConfig(id=name, data_dir=str(folder)),
        web=WebConfig(listen="127.0.0.1:0"),
        bank=BankConfig(port=tuple(PortEntry(path) for path in ttys), discovery="static"),
        limits=NO_LIMITS,
        health=HEALTH,
        mqtt=box_config(_Port(port), name, pool=6),
    )
    options = BankOptions(timings=PLAIN, state_dir=folder, stagger_s=0.0)
    await Daemon(config, options, SystemClock()).start()
    await asyncio.Event().wait()


patch = pytest.MonkeyPatch()
hurry(patch)
what, place, broker, *rest = sys.argv[1:]
if what == "hub":
    asyncio.run(_hub(Path(place), int(broker)))
else:
    asyncio.run(_box(Path(place), int(broker), rest[0], rest[1:]))
