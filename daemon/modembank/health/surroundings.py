"""What checks and remedies may look at and use, and what health remembers between two looks."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

import msgspec

from modembank.appliance import Appliance
from modembank.backup import ScheduledBackups
from modembank.bank import Bank
from modembank.clock import Clock, rfc3339, to_ms
from modembank.config import Config
from modembank.events import ModemStateChanged
from modembank.fleet import Fleet
from modembank.health.law import Law
from modembank.mail import Mail
from modembank.messages import HeldMessages, Loop, Messages, WaitExplainer
from modembank.modem import FailedReason, ModemState
from modembank.providers import Providers
from modembank.sim import Sims
from modembank.store import Store
from modembank.twilio import Twilio
from modembank.webhooks import Webhooks

MOST_CHANGES = 12
ABSENT_MS = 120_000
"""A modem that was away for longer was unplugged; for less it may have been restarted, still in the same trouble."""
_OVER = frozenset({ModemState.SEARCHING, ModemState.REGISTERED, ModemState.LOCKED, ModemState.DETECTED})
"""States in which a modem answers, or nothing is wanted of it."""
_TROUBLED = frozenset({ModemState.RECOVERING, ModemState.INITIALIZING})
"""States that are passed quickly, but by a modem that hangs, or that restarts again and again."""


class Sending(WaitExplainer, Protocol):
    """What health asks of whoever sends; Dispatcher is one."""

    def in_flight(self) -> int:
        """Return how many messages are being sent now."""

    def refused_numbers(self, sim_id: int) -> tuple[str, ...]:
        """Return the numbers, masked, for whose refusals a SIM was paused."""

    def loops(self) -> tuple[Loop, ...]:
        """Return the numbers to which nothing is sent for a while, because messages chase each other."""

    async def release_loop(self, number: str) -> bool:
        """Let messages go to such a number again; return whether it was one."""


class Memory:
    """What was seen since the daemon started."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._changes: defaultdict[str, deque[ModemStateChanged]] = defaultdict(lambda: deque(maxlen=MOST_CHANGES))
        self._trouble: dict[str, int] = {}
        self._gone: dict[str, int] = {}
        self._not_ready: dict[str, int] = {}
        self.latest_ms = 0
        """The latest time that the wall clock showed."""
        self.failed_checks: dict[str, str] = {}
        """By kind: what a check raised when it looked last."""

    def note(self, event: ModemStateChanged) -> None:
        """Take a change of a modem's state."""
        slot = event.slot
        self._changes[slot].append(event)
        if event.new == ModemState.GONE:
            self._gone.setdefault(slot, event.at)
        absent_ms = 0 if event.new == ModemState.GONE else event.at - self._gone.pop(slot, event.at)
        if _over(event) or absent_ms > ABSENT_MS:
            self._trouble.pop(slot, None)
        if event.new in _TROUBLED:
            self._trouble.setdefault(slot, event.at)

    def trouble_since(self, slot: str) -> int | None:
        """Return since when a modem has been in trouble without answering properly again (unix ms), or None."""
        return self._trouble.get(slot)

    def note_not_ready(self, providers: Collection[str], now_ms: int) -> None:
        """Take which providers are not ready now."""
        self._not_ready = {name: self._not_ready.get(name, now_ms) for name in providers}

    def not_ready_since(self, provider: str) -> int | None:
        """Return since when a provider was not ready whenever somebody looked (unix ms), or None."""
        return self._not_ready.get(provider)

    def changes(self, slot: str) -> list[dict[str, Any]]:
        """Return a modem's latest changes of state as evidence, oldest first."""
        return [
            {"at": rfc3339(event.at), "state": event.new, "reason": event.reason, "detail": event.detail}
            for event in self._changes[slot]
        ]


def _over(event: ModemStateChanged) -> bool:
    """Return whether a modem's trouble is over, or has become another one that has a name of its own."""
    named = event.new == ModemState.FAILED and event.reason != FailedReason.QUARANTINED
    return named or event.new in _OVER


class Surroundings(msgspec.Struct, frozen=True):
    """The parts of the box that health looks at."""

    config: Config
    clock: Clock
    store: Store
    messages: Messages
    held: HeldMessages
    backups: ScheduledBackups
    appliance: Appliance
    sims: Sims
    providers: Providers
    bank: Bank
    sending: Sending
    law: Law
    webhooks: Webhooks
    twilio: Twilio
    mail: Mail
    fleet: Fleet
    memory: Memory = msgspec.field(default_factory=Memory)
    sysfs: Path = Path("/sys")

    @property
    def now_ms(self) -> int:
        """The wall clock, unix ms."""
        return to_ms(self.clock.now())
