"""When a port cannot be opened: what that says of the slot, and how long to wait before the next try."""

from __future__ import annotations

import random

from modembank.modem.states import FailedReason, ModemEvent
from modembank.modem.timings import Timings
from modembank.port import PortError, PortFailure

_FAILURES = {
    PortFailure.BUSY: FailedReason.PORT_BUSY,
    PortFailure.PERMISSION: FailedReason.PORT_PERMISSION,
    PortFailure.NOT_A_TTY: FailedReason.PORT_NOT_A_TTY,
}
_MISSING = frozenset({PortFailure.MISSING, PortFailure.GONE})
_ABSENT = _MISSING | {PortFailure.REFUSED, PortFailure.TIMEOUT}


def absent(error: PortError) -> bool:
    """Whether there is no device at all."""
    return error.failure in _ABSENT


def missing(error: PortError) -> bool:
    """Whether there is no device of this machine's: it is seen at once when it is plugged in."""
    return error.failure in _MISSING


def verdict_on(error: PortError) -> tuple[ModemEvent, FailedReason | None]:
    """Return what happened to the slot."""
    if absent(error):
        return ModemEvent.PORT_MISSING, None
    return ModemEvent.PORT_REFUSED, _FAILURES.get(error.failure, FailedReason.PORT_IO)


class Backoff:
    """Waits that double from ``reopen_s`` to ``reopen_most_s``, with jitter so that slots do not go in step."""

    def __init__(self, timings: Timings) -> None:
        """Start with the shortest."""
        self._timings = timings
        self._failures = 0

    def reset(self) -> None:
        """It worked."""
        self._failures = 0

    def failed(self, *, missing: bool = False) -> float:
        """It failed once more; return the seconds to wait: fewer for a node that is missing, which is cheap to see."""
        shortest = self._timings.reopen_s
        longest = self._timings.missing_most_s if missing else self._timings.reopen_most_s
        wait_s = min(longest, shortest * 2.0 ** min(self._failures, 10))
        self._failures += 1
        return wait_s * random.uniform(0.75, 1.25)
