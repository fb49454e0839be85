"""What stands around a modem in tests: a sink that remembers, a host that listens, short timings, ready PDUs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from modembank.clock import SystemClock
from modembank.errors import ModembankError
from modembank.modem import (
    KEEP_TRIES,
    Capabilities,
    Learnt,
    Modem,
    ModemSettings,
    ModemState,
    OutOfService,
    PinRecord,
    RawInbound,
    SimAccess,
    SimSeen,
    StateChange,
    Timings,
)
from modembank.modem.recovery import PowerSwitch
from modembank.port import PortConfig, open_port
from modembank_emulator import EmulatedModem
from modembank_emulator import pdu as emulated_pdu

QUICK = Timings(
    prompt_s=0.3,
    final_s=0.5,
    gate_s=2.0,
    escape_s=0.08,
    command_s=0.25,
    probe_s=0.15,
    probes=2,
    late_error_s=0.2,
    quiet_scale=0.05,
    not_ready_s=0.02,
    not_ready_tries=20,
    beat_s=0.15,
    search_s=0.03,
    verify_s=0.15,
    sweep_s=30.0,
    store_retry_s=0.1,
    ussd_s=1.0,
    reopen_s=0.05,
    reopen_most_s=0.2,
    restart_s=1.0,
    boot_s=0.5,
    down_s=0.2,
    blind_s=0.05,
    settled_s=60.0,
    quarantine_s=0.3,
    locked_s=0.1,
    stop_s=0.6,
)
"""Everything as short as a loaded machine lets it be."""

CALM = QUICK.scaled(beat_s=30.0, verify_s=60.0, search_s=0.05)
"""As QUICK, without a heartbeat in between."""


def submit_pdu(number: str, text: str = "hello", *, validity: bool = True, report: bool = False) -> tuple[str, int]:
    """A SUBMIT as hex with its empty SMSC, and its TPDU length."""
    first = 0x01 | (0x10 if validity else 0) | (0x20 if report else 0)
    octets = emulated_pdu.encode_submit(
        number, emulated_pdu.encode_user_data(text), first_octet=first, validity=b"\xa7" if validity else b""
    )
    return octets.hex().upper(), len(octets) - 1


async def go() -> bool:
    """A gate that is open."""
    return True


class StoreBroken(ModembankError):
    """What a store says that cannot write."""

    key = "store_failed"
    template = "the disk is full"


class RememberingSink:
    """An InboundSink that keeps what it gets; ``broken`` makes it refuse."""

    def __init__(self) -> None:
        self.stored: list[RawInbound] = []
        self.freed: list[int] = []
        self.broken = False
        self.refused = 0
        self.came = asyncio.Event()

    async def store(self, pdu: RawInbound) -> int:
        await asyncio.sleep(0)
        if self.broken:
            self.refused += 1
            raise StoreBroken
        self.stored.append(pdu)
        self.came.set()
        return len(self.stored)

    async def deleted(self, ledger_id: int) -> None:
        self.freed.append(ledger_id)
        self.came.set()

    def pdus(self) -> list[str]:
        return [raw.pdu for raw in self.stored]


class ListeningHost:
    """A ModemHost that notes every change and takes every SIM, unless told otherwise."""

    def __init__(self) -> None:
        self.changes: list[StateChange] = []
        self.sims: list[SimSeen] = []
        self.refuse: OutOfService | None = None
        self._changed = asyncio.Event()

    def state_changed(self, change: StateChange) -> None:
        self.changes.append(change)
        self._changed.set()

    async def identified(self, sim: SimSeen, capabilities: Capabilities) -> int:
        if self.refuse is not None:
            raise self.refuse
        self.sims.append(sim)
        return 7

    def states(self) -> list[ModemState]:
        return [change.new for change in self.changes]

    async def until(self, holds: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Return once ``holds()``, which is asked after every change of state."""
        async with asyncio.timeout(timeout_s):
            while not holds():
                self._changed.clear()
                await self._changed.wait()


class Rig:
    """One of our modems on one emulated one."""

    def __init__(
        self,
        emulated: EmulatedModem,
        timings: Timings = CALM,
        pin: str = "",
        path: Path | None = None,
        power: PowerSwitch | None = None,
    ) -> None:
        self.emulated = emulated
        self.host = ListeningHost()
        self.sink = RememberingSink()
        self.record = PinRecord()
        settings = ModemSettings(
            slot="slot-01",
            port=PortConfig(str(path or emulated.path)),
            access=SimAccess(lambda _card: (pin, KEEP_TRIES), lambda _card, _pin: None, self.record),
            timings=timings,
            opener=open_port,
            learnt=Learnt(),
            power=power,
        )
        self.modem = Modem(settings, self.host, self.sink, SystemClock())
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.task = asyncio.create_task(self.modem.run(), name="rig")

    async def reach(self, state: ModemState = ModemState.REGISTERED, timeout_s: float = 20.0) -> None:
        await self.host.until(lambda: self.modem.state is state, timeout_s)

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])
            self.task = None


@asynccontextmanager
async def running(
    emulated: EmulatedModem, timings: Timings = CALM, *, pin: str = "", state: ModemState = ModemState.REGISTERED
) -> AsyncIterator[Rig]:
    """A rig whose modem has reached ``state``."""
    rig = Rig(emulated, timings, pin)
    await rig.start()
    try:
        await rig.reach(state)
        yield rig
    finally:
        await rig.stop()


async def eventually(holds: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Return once ``holds()``; for facts that come without an event of their own."""
    async with asyncio.timeout(timeout_s):
        while not holds():
            await asyncio.sleep(0.005)
