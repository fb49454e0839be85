"""The run: an emulated bank, a daemon that lives and dies as planned, a load, and the verdict at the end."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from modembank_emulator import Bank, BankConfig, Fixed, LatencyModel, LogNormal
from modembank_selftest.api import Api, Broken
from modembank_selftest.box import Box
from modembank_selftest.judging import judge
from modembank_selftest.load import LATE_S, Load
from modembank_selftest.plan import Death, End, Plan
from modembank_selftest.verdict import Verdict
from modembank_selftest.witness import Witness

_LATENCY = LatencyModel(
    prompt=Fixed(0.01), submit=LogNormal(0.06, 0.6, 1.0), delivery=LogNormal(0.05), report=Fixed(0.05)
)
"""Quick, so that a run sees many messages, and never zero, so that a kill finds each of an exchange's moments."""
_LOOK_S = 0.1
_GLANCE_S = 0.005
_BUSY_WITHIN_S = 6.0
_QUIET_S = 4.0
"""The end has come when nothing has changed for so long."""
_STUCK_S = 420.0
"""Longer than the longest pause before a message is tried again."""
_STEP_S = 5
_LOOKS = 4_000
"""Glances in the time in which a daemon that lives says that it has a report, however slow its machine."""
_SETTLING = ("accepted", "scheduled", "queued", "sending")
_KILLED = -9
Progress = Callable[[str], None]


async def prove(plan: Plan, progress: Progress) -> Verdict:
    """Carry out a plan; ``progress`` takes a line now and then. Raises Broken, ValueError for an unusable folder."""
    started = time.monotonic()
    with _folder(plan.keep) as folder:
        config = BankConfig(modems=plan.modems, seed=plan.seed, latency=_LATENCY, link_dir=folder / "tty")
        async with Bank(config) as bank:
            _arm(bank, plan)
            box = Box(folder, plan, [modem.path for modem in bank.modems])
            run = _Run(plan, bank, box, progress)
            try:
                verdict = await run.carry_out()
            finally:
                if box.alive:
                    await box.kill()
    verdict.seconds = time.monotonic() - started
    return verdict


class _Run:
    """One run."""

    def __init__(self, plan: Plan, bank: Bank, box: Box, progress: Progress) -> None:
        self._plan = plan
        self._bank = bank
        self._box = box
        self._progress = progress
        self._witness = Witness()
        self._load = Load(box.api, bank, self._witness, Random(plan.seed + 1))
        self._deaths: Counter[str] = Counter()

    async def carry_out(self) -> Verdict:
        deaths = self._plan.deaths()
        loading = asyncio.create_task(self._load.run())
        try:
            for number, death in enumerate(deaths, 1):
                await self._live(death)
                if number % max(1, len(deaths) // 20) == 0:
                    self._progress(self._state(f"{number} of {len(deaths)} kills"))
                _check(loading)
            return await self._settle(loading)
        finally:
            loading.cancel()
            await asyncio.wait([loading])

    async def _live(self, death: Death) -> None:
        """Start the daemon, let it work, and see it die."""
        box = self._box
        await box.start(f"{death.failpoint}:{death.nth}" if death.failpoint else "")
        if death.end is End.STARTING:
            await box.ended(death.after_s)
        elif await box.until_up():
            self._load.up.set()
            if death.busy:
                await self._until_busy()
            await box.ended(death.after_s)
            if death.end is End.STOPPING:
                box.ask_to_stop()
                await box.ended(death.stop_s)
            self._load.up.clear()
        self._deaths[await self._how_it_ended(death)] += 1

    async def _until_busy(self) -> None:
        """Wait, not for ever, until the network sees a segment."""
        before, give_up = len(self._bank.network.ledger), time.monotonic() + _BUSY_WITHIN_S
        while len(self._bank.network.ledger) == before and time.monotonic() < give_up:
            if await self._box.ended(_GLANCE_S):
                return

    async def _how_it_ended(self, death: Death) -> str:
        box = self._box
        if box.alive:
            await box.kill()
            return death.end.value if death.end is not End.FAILPOINT else End.RANDOM.value
        status = box.process.returncode
        if status == _KILLED and death.failpoint:
            return death.failpoint
        if status == 0 and death.end is End.STOPPING:
            return "stopped in time"
        message = f"the daemon ended by itself with {status}; the end of its log:\n{box.log_tail()}"
        raise Broken(message)

    async def _settle(self, loading: asyncio.Task[None]) -> Verdict:
        """Let the last life finish everything, and judge."""
        box, bank = self._box, self._bank
        await box.start()
        if not await box.until_up():
            message = f"the daemon does not start any more; the end of its log:\n{box.log_tail()}"
            raise Broken(message)
        self._load.up.set()
        while self._witness.accepted < self._plan.messages:
            await asyncio.sleep(_LOOK_S)
            _check(loading)
        await self._load.finish()
        self._progress(self._state("all was accepted; it settles"))
        await self._until_quiet()
        await late_reports(self._bank)
        await self._until_quiet()
        told = await box.api.pages("/api/v1/messages?limit=500")
        inbox = await self._whole_inbox()
        verdict = judge(self._witness, bank.network, told, inbox)
        verdict.broken += await _conservation(box.api, verdict.accepted)
        verdict.deaths, verdict.submits = self._deaths, len(bank.network.ledger)
        return verdict

    async def _whole_inbox(self) -> list[dict[str, Any]]:
        """Return the inbox, once everything is in it or nothing more comes: memories are read now and then."""
        give_up = time.monotonic() + _STUCK_S
        while True:
            inbox = await self._box.api.pages("/api/v1/inbox?limit=500")
            whole = sum(not message["missing"] for message in inbox)
            if whole >= len(self._witness.injected) or time.monotonic() > give_up:
                return inbox
            await asyncio.sleep(1.0)

    async def _until_quiet(self) -> None:
        """Return when nothing waits to be sent and nothing has changed for a while, or nothing changes any more.

        What waits for ever is judged as it is: the verdict names it, and why it waits.
        """
        before: dict[str, float] = {}
        quiet = 0.0
        while True:
            await asyncio.sleep(_LOOK_S)
            states = await _states(self._box.api)
            quiet = quiet + _LOOK_S if states == before else 0.0
            before = states
            waits = sum(states.get(state, 0) for state in _SETTLING)
            waits += sum(len(card.waiting) + len(card.waiting_reports) for card in self._bank.cards)
            if quiet >= (_STUCK_S if waits else _QUIET_S):
                return

    def _state(self, where: str) -> str:
        witness = self._witness
        return f"{where}: {witness.accepted} accepted, {len(self._bank.network.ledger)} segments seen"


async def late_reports(bank: Bank) -> None:
    """Let time pass until the late reports come, in steps: a modem waits only so long for its CNMA."""
    lasted_s = bank.schedule.now()
    bank.advance(LATE_S - lasted_s - _STEP_S)
    for _ in range(round(lasted_s / _STEP_S) + 2):
        bank.advance(_STEP_S)
        for _ in range(_LOOKS):
            if not any(modem.reception.unanswered for modem in bank.modems):
                break
            await asyncio.sleep(_GLANCE_S)


def _check(loading: asyncio.Task[None]) -> None:
    """Raise what ended the load, if it ended."""
    if loading.done() and (error := loading.exception()) is not None:
        raise error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error


async def _states(api: Api) -> dict[str, float]:
    """Return how many messages are in which state, and what came in, as the daemon's metrics have it."""
    found: dict[str, float] = {}
    text: str = (await api.get("/metrics")).body
    for line in text.splitlines():
        if line.startswith(("modembank_messages{", "modembank_messages_received_total{")):
            name, _, value = line.rpartition(" ")
            found[name.split('"')[1]] = float(value)
    return found


async def _conservation(api: Api, accepted: int) -> list[str]:
    """Ask the daemon whether its own books are right: accepted = terminal + open."""
    books: dict[str, Any] = (await api.get("/api/v1/conservation")).body
    broken = []
    if not books["holds"]:
        broken.append(f"the law of conservation does not hold: {books}")
    if books["accepted"] != accepted:
        broken.append(f"the daemon counts {books['accepted']} accepted messages, its clients {accepted}")
    return broken


def _arm(bank: Bank, plan: Plan) -> None:
    for modem in bank.modems:
        if plan.lost_finals:
            modem.faults.arm("drop_final", times=None, chance=plan.lost_finals)
        if plan.hangs:
            modem.faults.arm("hang", times=None, chance=plan.hangs, lasts_s=plan.hang_s)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        if (keep / "data").exists():
            message = f"{keep} holds the data of an earlier run: choose another folder, or remove that one"
            raise ValueError(message)
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="modembank-selftest-") as name:
        yield Path(name)
