"""The bank: slots from the configuration, one supervised worker each, and the orders faces may give them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from modembank.bank.claims import Claims
from modembank.bank.errors import CannotReset, NoSuchSlot, NotNow
from modembank.bank.hard_reset import HardReset, ResetLevel
from modembank.bank.line import LineListener
from modembank.bank.pins import Pins
from modembank.bank.port_power import PortPower
from modembank.bank.view import ModemView
from modembank.bank.worker import SlotSurroundings, SlotWorker
from modembank.bus import Bus
from modembank.clock import Clock, to_ms
from modembank.config import BankConfig, PortEntry
from modembank.events import ModemForgotten, SimChanged
from modembank.metrics import Metrics
from modembank.modem import (
    AdminState,
    InboundSink,
    Learnt,
    ModemSettings,
    ModemState,
    Opener,
    Timings,
    TranscriptLine,
    UssdAnswer,
)
from modembank.port import (
    DEV,
    PROGRAM,
    SETTLE_S,
    SYSFS,
    HubError,
    PortConfig,
    Uhubctl,
    UsbAuthority,
    UsbPorts,
    UsbTree,
    in_order,
    open_port,
    place_in,
)
from modembank.sim import Sims
from modembank.supervision import RestartPolicy, Supervisor

_log = structlog.get_logger()
SWEEP_S = 20.0
"""For reading and deleting what lies in a modem's memories, as long as somebody waits for it."""
USB_NOTES = "usb-left-off.json"
"""In the folder of state: which device is taken off the USB just now."""
STOP_S = 10.0
"""The bank is down within this time, whatever its modems do."""


class BankOptions(msgspec.Struct, frozen=True):
    """What seldom differs: deadlines, how ports are opened, where PIN tries are remembered, port power."""

    timings: Timings = msgspec.field(default_factory=Timings)
    opener: Opener = open_port
    state_dir: Path | None = None
    """Keeps across restarts which PINs failed and which people typed; None: in memory only."""
    sysfs: Path = SYSFS
    dev: Path = DEV
    """Where USB places are read, and the ttys found there."""
    uhubctl: str = PROGRAM
    """What switches the power of USB ports, unless the configuration says never."""
    settle_s: float = SETTLE_S
    """How long the ports of a device that was just plugged in may take to appear."""
    stagger_s: float = 0.25
    """Between the first openings of two neighbouring slots."""

    def tree(self) -> UsbTree:
        """Return the USB that is looked at."""
        return UsbTree(self.sysfs, self.dev)

    def ports(self) -> UsbPorts:
        """Return what opens ports, those on the USB by their place."""
        return UsbPorts(self.tree(), self.opener, self.settle_s)


class Bank:
    """All slots of the box."""

    def __init__(
        self,
        config: BankConfig,
        sims: Sims,
        sink: InboundSink,
        listener: LineListener,
        *,
        bus: Bus,
        clock: Clock,
        metrics: Metrics | None = None,
        options: BankOptions = BankOptions(),
    ) -> None:
        """Prepare the slots; ``start`` opens them."""
        self._sims = sims
        self._bus = bus
        self._metrics = metrics
        self._supervisor = Supervisor()
        self._unsubscribe: Callable[[], None] | None = None
        self._counted: dict[tuple[str, ...], int] = {}
        self._options = options
        self._around = SlotSurroundings(sims, sink, listener, Claims(), bus, clock)
        self._pins = Pins(sims, options.state_dir)
        self._learnt = Learnt()
        self._paths: dict[str, str] = {}
        self._power = _port_power(config, self._paths, options, self._at_work)
        usb = UsbAuthority(options.sysfs, options.state_dir and options.state_dir / USB_NOTES)
        self._hard = HardReset(self._paths, options.tree(), self._power, usb, self._at_work)
        self._resetting: set[str] = set()
        self._workers: dict[str, SlotWorker] = {}
        self._running = False
        for number, entry in enumerate(config.port):
            self._place(slot_name(entry, number), entry, number * options.stagger_s)
        self._listed = len(self._workers)

    async def start(self) -> None:
        """Start every slot's worker and return at once."""
        await self._hard.heal()
        self._running = True
        self._unsubscribe = self._bus.subscribe(SimChanged, self._sim_changed)
        for worker in self._workers.values():
            self._begin(worker)

    async def stop(self) -> bool:
        """Stop all slots within STOP_S; return whether all ended in time.

        No message is taken any more, an exchange in flight may finish, what takes too long ends as UNKNOWN.
        """
        self._running = False
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        return await self._supervisor.stop_all(STOP_S)

    # -- what discovery may ask

    def slots(self) -> Mapping[str, str]:
        """Return every slot's path by its name."""
        return dict(self._paths)

    def add(self, entry: PortEntry) -> str | None:
        """Make a slot; its worker starts at once while the bank runs. None when another slot has its name."""
        slot = slot_name(entry, len(self._workers))
        if slot in self._workers:
            return None
        worker = self._place(slot, entry, 0.0)
        if self._running:
            self._begin(worker)
        return slot

    def wake(self, slot: str) -> None:
        """Have a slot whose port is closed try to open it now. Raises NoSuchSlot."""
        self._worker(slot).modem.wake()

    # -- what faces see

    def modems(self) -> list[ModemView]:
        """Return a snapshot of every slot, in the order of the configuration; those that were added follow by place."""
        workers = list(self._workers.values())
        added = sorted(workers[self._listed :], key=lambda worker: in_order(self._paths[worker.slot]))
        return [worker.view() for worker in (*workers[: self._listed], *added)]

    def modem(self, slot: str) -> ModemView:
        """Return one slot's snapshot. Raises NoSuchSlot."""
        return self._worker(slot).view()

    def transcript(self, slot: str, last: int | None = None) -> list[TranscriptLine]:
        """Return the last lines between us and the modem, masked, oldest first. Raises NoSuchSlot."""
        return self._worker(slot).modem.transcript.lines(last)

    # -- what faces may ask

    def reset(self, slot: str) -> None:
        """Restart the modem after the exchange in flight; one out of service is tried again at once.

        Raises NoSuchSlot, or NotNow for a disabled one.
        """
        worker = self._worker(slot)
        if worker.admin is AdminState.DISABLED:
            raise NotNow(slot, "is disabled")
        worker.modem.reset()

    async def reset_hard(self, slot: str, level: ResetLevel) -> None:
        """Reset the modem from outside, whatever it does; the exchange in flight may finish.

        Raises NoSuchSlot, NotNow for a disabled one, and CannotReset where that cannot or must not be: nothing is
        disturbed then.
        """
        worker = self._worker(slot)
        if worker.admin is AdminState.DISABLED:
            raise NotNow(slot, "is disabled")
        if slot in self._resetting:
            raise NotNow(slot, "is being reset")
        self._resetting.add(slot)
        try:
            await self._hard.check(slot, level)
            if not await self._supervisor.stop(_task_name(slot), STOP_S):
                raise NotNow(slot, f"did not let go of its port within {STOP_S:g} s")
            await self._hard.carry_out(slot, level)
            _log.warning("modem_reset_hard", modem=slot, level=level.value)
        except HubError as error:
            raise CannotReset(slot, str(error)) from error
        finally:
            self._resetting.discard(slot)
            worker.modem.was_cut_off()
            self._begin_again(worker)

    def enter_pin(self, slot: str, pin: str) -> None:
        """Try a PIN once on the SIM of a modem that wants one; one that opens it is kept for that SIM.

        What came of it is the modem's next state. Raises NoSuchSlot, or NotNow when no PIN is wanted.
        """
        worker = self._worker(slot)
        if not worker.view().wants_pin:
            raise NotNow(slot, "does not wait for a PIN")
        self._pins.offer(slot, pin)
        worker.modem.reset()

    async def disable(self, slot: str) -> None:
        """Close the port and leave it alone until ``enable``; the exchange in flight may finish. Raises NoSuchSlot."""
        worker = self._worker(slot)
        worker.wish(AdminState.DISABLED)
        await self._supervisor.stop(_task_name(slot), STOP_S)

    def enable(self, slot: str) -> None:
        """Serve again, also after ``drain``. Raises NoSuchSlot."""
        worker = self._worker(slot)
        worker.wish(AdminState.ENABLED)
        self._begin_again(worker)

    def is_found(self, slot: str) -> bool:
        """Return whether a slot was added while the bank ran, and is not listed. Raises NoSuchSlot."""
        self._worker(slot)
        return slot not in list(self._workers)[: self._listed]

    async def forget(self, slot: str) -> None:
        """Give up a slot that was added and whose modem is gone; one that comes back is added anew.

        Raises NoSuchSlot, or NotNow for one that is listed or not gone.
        """
        self.check_forgettable(slot)
        del self._workers[slot], self._paths[slot]
        await self._supervisor.stop(_task_name(slot), STOP_S)
        self._counted = {labels: count for labels, count in self._counted.items() if labels[0] != slot}
        if self._metrics is not None:
            with suppress(KeyError):
                self._metrics.signal.remove(slot)
        _log.info("modem_forgotten", modem=slot)
        self._bus.publish(ModemForgotten(to_ms(self._around.clock.now()), slot))

    def check_forgettable(self, slot: str) -> None:
        """Raise what forget() would: NoSuchSlot, or NotNow with the reason."""
        worker = self._worker(slot)
        if not self.is_found(slot):
            raise NotNow(slot, "is listed in the configuration: take it out there")
        if worker.admin is AdminState.DISABLED:
            raise NotNow(slot, "is disabled: put it into service, to see whether its modem is gone")
        if worker.modem.state is not ModemState.GONE:
            raise NotNow(slot, f"is {worker.modem.state.value} and not gone: only an unplugged modem is forgotten")

    def drain(self, slot: str) -> None:
        """Give the modem no new message to send; it goes on receiving. Raises NoSuchSlot, or NotNow when disabled."""
        worker = self._worker(slot)
        if worker.admin is AdminState.DISABLED:
            raise NotNow(slot, "is disabled")
        worker.wish(AdminState.DRAINING)

    async def sweep(self, slot: str) -> int:
        """Take all messages out of the modem's memories; return how many.

        Raises NoSuchSlot, or NotNow when the modem is not in service or does not finish in time.
        """
        serving = self._worker(slot).modem.serving
        if serving is None or serving.closing:
            raise NotNow(slot, "has no modem in service")
        try:
            async with asyncio.timeout(SWEEP_S):
                return await serving.sweep()
        except TimeoutError:
            raise NotNow(slot, f"did not finish within {SWEEP_S:g} s; it goes on") from None

    async def ussd(self, slot: str, code: str) -> UssdAnswer:
        """Ask a USSD code such as ``*100#``. Raises NoSuchSlot, UssdFailed."""
        return await self._worker(slot).modem.ussd(code)

    # -- metrics

    def observe(self) -> None:
        """Bring gauges and counters up to date; called when metrics are read."""
        if self._metrics is None:
            return
        states = dict.fromkeys(ModemState, 0)
        for slot, worker in self._workers.items():
            states[worker.modem.state] += 1
            serving = worker.modem.serving
            if serving is not None and serving.watch.radio.signal_dbm is not None:
                self._metrics.signal.labels(slot).set(serving.watch.radio.signal_dbm)
            for result, count in worker.modem.results.items():
                self._metrics.at_commands.labels(slot, result).inc(self._new(count, slot, result))
            for (rung, trouble, outcome), count in worker.modem.recovery.counts.items():
                labels = (slot, rung.value, trouble.value, outcome.value)
                self._metrics.recovery_rungs.labels(*labels).inc(self._new(count, *labels))
        for state, number in states.items():
            self._metrics.modems.labels(state.value).set(number)

    # -- inside

    def _place(self, slot: str, entry: PortEntry, start_after_s: float) -> SlotWorker:
        options = self._options
        settings = ModemSettings(
            slot=slot,
            port=PortConfig(entry.path, entry.baudrate, entry.label),
            access=self._pins.access(slot, entry.pin),
            timings=options.timings,
            opener=options.ports(),
            learnt=self._learnt,
            power=self._power,
        )
        self._paths[slot] = entry.path
        self._workers[slot] = SlotWorker(settings, self._around, start_after_s)
        return self._workers[slot]

    def _new(self, count: int, *labels: str) -> int:
        """Return by how much a count has grown since it was last asked for."""
        new = count - self._counted.get(labels, 0)
        self._counted[labels] = count
        return new

    def _at_work(self, slot: str) -> bool:
        worker = self._workers.get(slot)
        return worker is not None and worker.at_work

    def _begin(self, worker: SlotWorker) -> None:
        self._supervisor.start(_task_name(worker.slot), worker.run, RestartPolicy())

    def _begin_again(self, worker: SlotWorker) -> None:
        """Let a slot be served again, unless it is, or somebody wants it left alone."""
        kept_off = worker.admin is AdminState.DISABLED or worker.slot in self._resetting or not self._running
        if not kept_off and _task_name(worker.slot) not in self._supervisor.names():
            self._begin(worker)

    def _sim_changed(self, event: SimChanged) -> None:
        for worker in self._workers.values():
            if worker.sim_id is not None and self._sims.get(worker.sim_id).id == event.sim:
                worker.reconsider()

    def _worker(self, slot: str) -> SlotWorker:
        worker = self._workers.get(slot)
        if worker is None:
            raise NoSuchSlot(slot)
        return worker


def slot_name(entry: PortEntry, number: int) -> str:
    """Return a slot's name: its label, else its place on the USB, else that in the configuration counted from 1."""
    if not entry.label and place_in(entry.path):
        return entry.path.replace(":", "-")
    return entry.label or f"slot-{number + 1:02d}"


def _task_name(slot: str) -> str:
    return f"modem[{slot}].worker"


def _port_power(
    config: BankConfig, paths: Mapping[str, str], options: BankOptions, at_work: Callable[[str], bool]
) -> PortPower | None:
    if config.usb_power == "none":
        return None
    return PortPower(paths, options.tree(), Uhubctl(options.uhubctl), at_work)
