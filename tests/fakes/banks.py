"""A bank of ours on a bank of emulated modems, with the real registry of SIMs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fakes.modem_hosts import CALM, RememberingSink, eventually
from fakes.usb import FakeUsb
from modembank.bank import Bank, BankOptions, Line
from modembank.bus import Bus
from modembank.clock import SystemClock
from modembank.config import BankConfig, LimitsConfig, PortEntry, SimConfig
from modembank.events import ModemStateChanged
from modembank.metrics import Metrics
from modembank.modem import Timings
from modembank.sim import Sims
from modembank.store import Store
from modembank_emulator import Bank as EmulatedBank
from modembank_emulator import BankConfig as EmulatedConfig


class Lines:
    """A LineListener that remembers."""

    def __init__(self) -> None:
        self.up: dict[int, Line] = {}
        self.downs: list[tuple[int, str]] = []
        self.ups = 0

    def line_up(self, line: Line) -> None:
        assert line.sim_id not in self.up
        self.up[line.sim_id] = line
        self.ups += 1

    def line_down(self, sim_id: int, why: str) -> None:
        del self.up[sim_id]
        self.downs.append((sim_id, why))


@dataclass
class Box:
    """Everything a test of the bank looks at."""

    emulated: EmulatedBank
    bank: Bank
    lines: Lines
    sims: Sims
    sink: RememberingSink
    metrics: Metrics
    changes: list[ModemStateChanged] = field(default_factory=list)

    async def all_up(self, count: int | None = None) -> None:
        wanted = len(self.emulated.modems) if count is None else count
        await eventually(lambda: len(self.lines.up) == wanted)

    def line_of(self, index: int) -> Line:
        sim = self.sims.by_iccid(self.emulated.cards[index].iccid)
        assert sim is not None
        return self.lines.up[sim.id]


@asynccontextmanager
async def opened(
    folder: Path,
    modems: int = 1,
    *,
    dialect: str = "generic",
    timings: Timings = CALM,
    configured: tuple[SimConfig, ...] = (),
    ports: Callable[[EmulatedBank], tuple[PortEntry, ...]] | None = None,
    before: Callable[[EmulatedBank], None] | None = None,
    usb: FakeUsb | None = None,
) -> AsyncIterator[Box]:
    """A started bank on so many emulated modems; ``usb`` is what it finds places on."""
    async with EmulatedBank(EmulatedConfig(modems=modems, dialect=dialect)) as emulated:
        if before is not None:
            before(emulated)
        entries = tuple(PortEntry(path=str(modem.path)) for modem in emulated.modems)
        bus, clock, metrics = Bus(), SystemClock(), Metrics()
        store = await Store.open(folder / "box.db")
        sims = Sims(store, bus, clock, LimitsConfig(), configured)
        await sims.load()
        lines, sink = Lines(), RememberingSink()
        config = BankConfig(port=entries if ports is None else ports(emulated))
        found_on = {} if usb is None else {**usb.options, "settle_s": 0.3}
        options = BankOptions(timings=timings, state_dir=folder, stagger_s=0.01, **found_on)
        bank = Bank(config, sims, sink, lines, bus=bus, clock=clock, metrics=metrics, options=options)
        box = Box(emulated, bank, lines, sims, sink, metrics)
        bus.subscribe(ModemStateChanged, box.changes.append)
        await bank.start()
        try:
            yield box
        finally:
            assert await bank.stop()
            await store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the box keeps its file."""
    return tmp_path
