"""Looks at the USB, now and whenever something changes there: slots for new modems, a nudge for those that are back."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

import msgspec
import structlog

from modembank.config import USB, BankConfig, PortEntry
from modembank.discovery.model import Sighting, Standing, places_on, without_ports
from modembank.discovery.watching import Watch
from modembank.port import (
    PortConfig,
    PortError,
    PortFailure,
    UsbDevice,
    UsbPlace,
    UsbPorts,
    UsbTree,
    is_known,
    place_in,
)
from modembank.supervision import RestartPolicy, Supervisor

_log = structlog.get_logger()
_TASK = "discovery"


class Slots(Protocol):
    """What discovery wants of the bank."""

    def slots(self) -> Mapping[str, str]:
        """Return every slot's path by its name."""

    def add(self, entry: PortEntry) -> str | None:
        """Make a slot while the bank runs; return its name, or None when another slot has that name."""

    def wake(self, slot: str) -> None:
        """Have a slot whose port is closed try to open it now."""


class Periods(msgspec.Struct, frozen=True):
    """Seconds, all of them."""

    settle_s: float = 0.3
    """From a change to the look: one modem makes a dozen changes within a moment."""
    calm_s: float = 30.0
    """Between two looks while changes are told: the safety net."""
    poll_s: float = 3.0
    """The same where they are not."""
    ask_again_s: tuple[float, ...] = (2.0, 5.0, 15.0, 40.0)
    """How often a device that does not answer AT is asked again, and after how long; a modem may need to start."""
    refused_s: float = 30.0
    """Before a port that could not be opened is tried again."""


class _Trial(msgspec.Struct):
    """What is known of a place that may have a modem and has no slot."""

    tries: int = 0
    due: float = 0.0
    standing: Standing = Standing.ASKED
    why: str = "it is asked whether it is a modem"


_Key = tuple[str, int, tuple[str, ...]]


class Discovery:
    """Watches the USB for one bank."""

    def __init__(
        self,
        config: BankConfig,
        slots: Slots,
        tree: UsbTree,
        ports: UsbPorts,
        watch: Watch,
        periods: Periods = Periods(),
    ) -> None:
        """``start`` begins to look; what is listed in the configuration has its slots already."""
        self._config = config
        self._slots = slots
        self._tree = tree
        self._ports = ports
        self._watch = watch
        self._periods = periods
        self._finds = config.discovery == "usb"
        self._changed = asyncio.Event()
        self._supervisor = Supervisor()
        self._present: set[_Key] = set()
        self._trials: dict[tuple[_Key, str], _Trial] = {}

    @property
    def watching(self) -> bool:
        """Whether the system tells of changes; else the USB is looked at every few seconds."""
        return self._watch.alive

    async def start(self) -> None:
        """Look once, then go on looking; nothing at all where no place on the USB matters."""
        if self._finds or any(path.startswith(USB) for path in self._slots.slots().values()):
            await self._watch.start(self._changed.set)
            self._supervisor.start(_TASK, self._run, RestartPolicy())

    async def stop(self) -> None:
        """Look no more."""
        self._watch.stop()
        await self._supervisor.stop_all(1.0)

    async def sightings(self) -> list[Sighting]:
        """Return what is on the USB now except hubs, by place, and what each is to the box."""
        devices, places = await asyncio.to_thread(self._read)
        return [self._sighting(device, _slots_on(device, places)) for device in devices]

    async def look(self) -> None:
        """Wake slots whose device has changed, and give new modems a slot."""
        devices, places = await asyncio.to_thread(self._read)
        keys = {_key(device): device for device in devices}
        for key, device in keys.items():
            if key not in self._present:
                self._arrived(device, places)
        self._present = set(keys)
        self._trials = {about: trial for about, trial in self._trials.items() if about[0] in self._present}
        if self._finds:
            now = asyncio.get_running_loop().time()
            due = [path for device in devices for path in self._due(device, places, now)]
            await asyncio.gather(*(self._try(*one) for one in due))

    # -- inside

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            await self.look()
            longest = self._periods.calm_s if self._watch.alive else self._periods.poll_s
            due = min((trial.due for trial in self._trials.values()), default=math.inf)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), max(0.0, min(longest, due - loop.time())))
                await asyncio.sleep(self._periods.settle_s)

    def _read(self) -> tuple[list[UsbDevice], dict[str, UsbPlace]]:
        """Return all devices, and where each slot is that is on the USB; reads files."""
        places = {slot: self._tree.place_of(path) for slot, path in self._slots.slots().items()}
        return self._tree.devices(), {slot: place for slot, place in places.items() if place is not None}

    def _arrived(self, device: UsbDevice, places: Mapping[str, UsbPlace]) -> None:
        _log.info("usb_device", place=device.name, id=f"{device.vendor}:{device.product}", ports=len(device.ttys))
        for slot in _slots_on(device, places):
            self._slots.wake(slot)

    def _due(
        self, device: UsbDevice, places: Mapping[str, UsbPlace], now: float
    ) -> list[tuple[UsbDevice, str, _Trial]]:
        """Return the places on a device that are to be asked now, with what is known of each."""
        found = []
        for path in places_on(device):
            if self._is_ignored(path) or _is_taken(path, places):
                self._trials.pop((_key(device), path), None)
                continue
            trial = self._trials.setdefault((_key(device), path), _Trial())
            if trial.due <= now:
                found.append((device, path, trial))
        return found

    async def _try(self, device: UsbDevice, path: str, trial: _Trial) -> None:
        """Find out whether there is a modem, and give it a slot."""
        place, config, now = place_in(path), PortConfig(path), asyncio.get_running_loop().time()
        if place is None:
            return
        try:
            ttys = await self._ports.candidates(config, place)
            if is_known(device) or await self._ports.first_answering(config, ttys):
                self._add(path, trial)
                return
        except PortError as error:
            missing = error.failure is PortFailure.MISSING
            trial.standing = Standing.NO_PORT if missing else Standing.REFUSED
            trial.why = error.detail if missing else str(error)
            trial.due = now + self._wait_s(trial) if missing else now + self._periods.refused_s
        else:
            trial.standing, trial.why = Standing.SILENT, "it does not answer AT, so it is taken for no modem"
            trial.due = now + self._wait_s(trial)

    def _wait_s(self, trial: _Trial) -> float:
        waits = self._periods.ask_again_s
        trial.tries += 1
        return waits[trial.tries - 1] if trial.tries <= len(waits) else math.inf

    def _add(self, path: str, trial: _Trial) -> None:
        slot = self._slots.add(PortEntry(path=path))
        if slot is None:
            trial.standing, trial.due = Standing.REFUSED, math.inf
            trial.why = "a slot elsewhere has its name; give that one another label"
            return
        _log.info("modem_found", modem=slot, place=path)

    def _sighting(self, device: UsbDevice, slots: tuple[str, ...]) -> Sighting:
        paths = places_on(device)
        trials = [trial for path in paths if (trial := self._trials.get((_key(device), path))) is not None]
        why = "; ".join(dict.fromkeys(trial.why for trial in trials))
        if slots:
            return Sighting(device, Standing.SERVED, why, slots)
        if not paths:
            return without_ports(device)
        if all(self._is_ignored(path) for path in paths):
            return Sighting(device, Standing.IGNORED, "the configuration says so (ignore)")
        if not self._finds:
            return Sighting(device, Standing.UNUSED, 'name it in [[bank.port]], or set discovery = "usb"')
        return Sighting(device, trials[0].standing, why) if trials else Sighting(device, Standing.ASKED, _Trial().why)

    def _is_ignored(self, path: str) -> bool:
        return any(path == ignored or path.startswith(f"{ignored}:") for ignored in self._config.ignore)


def _key(device: UsbDevice) -> _Key:
    """Return what changes whenever there is something new to find: it was enumerated again, or has other ports."""
    return device.name, device.number, tuple(tty.name for tty in device.ttys)


def _slots_on(device: UsbDevice, places: Mapping[str, UsbPlace]) -> tuple[str, ...]:
    return tuple(slot for slot, place in places.items() if place.device == device.name)


def _is_taken(path: str, places: Mapping[str, UsbPlace]) -> bool:
    """Return whether a slot has a place, or all of the device there."""
    wanted = place_in(path)
    return wanted is not None and any(
        place.device == wanted.device and (None in {place.interface, wanted.interface} or place == wanted)
        for place in places.values()
    )
