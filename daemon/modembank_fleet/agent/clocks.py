"""Whether the box knows what time it is, and how long it has run."""

from __future__ import annotations

import ctypes
from datetime import UTC, datetime
from pathlib import Path

from modembank.clock import Clock
from modembank_fleet.wire.shapes import ClockState

SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd makes it once it has set the clock."""
RELEASED = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
"""No clock that is right shows an earlier time."""
STEP_S = 5.0
"""What a clock is set by is more than what it drifts by."""
_UNSYNC = 0x0040
"""STA_UNSYNC of adjtimex(2)."""


class Timekeeper:
    """Tells time as the fleet's payloads want it."""

    def __init__(self, clock: Clock, synchronized: Path = SYNCHRONIZED) -> None:
        """Count the box's uptime from now."""
        self._clock = clock
        self._began = clock.monotonic()
        self._file = synchronized
        self._offset = clock.now() - clock.monotonic()
        self._known = self.state() != "unsync"

    def state(self) -> ClockState:
        """Return whether a time server set the clock, or it is at least plausible."""
        if self._file.exists() or _kernel_is_synchronized():
            return "ntp"
        return "rtc" if self._clock.now() >= RELEASED else "unsync"

    def up_s(self) -> float:
        """Return seconds since the start, by the clock that never jumps."""
        return round(self._clock.monotonic() - self._began, 3)

    def now(self) -> float | None:
        """Return unix seconds, None while nobody knows the time."""
        return None if self.state() == "unsync" else round(self._clock.now(), 3)

    def step(self) -> dict[str, float] | None:
        """Return what is to be told when the clock was set since the last look: how long the box ran, before and after.

        With it the hub can date what was told before.
        """
        offset, known = self._clock.now() - self._clock.monotonic(), self.state() != "unsync"
        set_by = offset - self._offset
        stepped = abs(set_by) > STEP_S or (known and not self._known)
        self._offset, self._known = offset, known
        if not stepped:
            return None
        return {"up": self.up_s(), "utc": round(self._clock.now(), 3), "set_by": round(set_by, 3)}


class _Timex(ctypes.Structure):
    """The beginning of struct timex of adjtimex(2), and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def _kernel_is_synchronized() -> bool:
    asked = _Timex()
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(asked))
    except (OSError, AttributeError):
        return False
    return state >= 0 and not asked.status & _UNSYNC
