"""When to post again: what an answer means, and how long an endpoint that fails is left alone. No I/O, no clock."""

from __future__ import annotations

import email.utils
import enum
import random
from collections.abc import Mapping

import msgspec

FIRST_WAIT_S = 5.0
MOST_WAIT_S = 900.0
"""Between two probes of an endpoint that fails."""
REFUSED_IN_A_ROW = 3
"""Events that an endpoint refuses one after the other before it counts as failing."""
MOST_RETRY_AFTER_S = 86_400.0
FIRST_RETRY_S = 30.0
MOST_RETRY_S = 3_600.0
"""Between two tries of an event that was refused."""
RETRY_FOR_S = 3 * 86_400.0
"""How long an event that was refused is tried again."""
_LATER = frozenset({408, 425, 429, 502, 503, 504})
"""The endpoint, or what stands before it, cannot serve now: nothing is wrong with the event."""


class Verdict(enum.Enum):
    """What an answer means for the event and for the endpoint."""

    TAKEN = "taken"
    REFUSED = "refused"
    """This event, at this time; others may pass."""
    LATER = "later"
    """The endpoint takes nothing now."""
    GONE = "gone"
    """The endpoint wants nothing any more (410)."""


def judge(status: int) -> Verdict:
    """Return what an HTTP status means. A redirect is a refusal: it is not followed."""
    if 200 <= status < 300:
        return Verdict.TAKEN
    if status == 410:
        return Verdict.GONE
    return Verdict.LATER if status in _LATER else Verdict.REFUSED


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that Retry-After asks for (RFC 9110 10.2.3), a day at most; None when it asks for nothing."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MOST_RETRY_AFTER_S)
    try:
        moment = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(moment - now, 0.0), MOST_RETRY_AFTER_S)


def retry_wait_s(tries: int) -> float:
    """Return how long to wait before an event that was refused ``tries`` times is tried again, with jitter."""
    return _jittered(min(MOST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(tries - 1, 20)))


class Circuit(msgspec.Struct):
    """Whether an endpoint works. Open: nothing but one probe at a time is posted."""

    open: bool = False
    failures: int = 0
    """In a row."""

    def took(self) -> bool:
        """Note a success; return whether the circuit was open."""
        was_open, self.open, self.failures = self.open, False, 0
        return was_open

    def refused(self) -> bool:
        """Note that an event was refused; return whether the endpoint counts as failing now."""
        self.failures += 1
        self.open = self.open or self.failures >= REFUSED_IN_A_ROW
        return self.open

    def failed(self) -> None:
        """Note that the endpoint takes nothing now."""
        self.failures += 1
        self.open = True

    def wait_s(self, asked_s: float | None) -> float:
        """Return how long to leave the endpoint alone: as long as it asked for, or longer each time."""
        own_s = _jittered(min(MOST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(max(self.failures - 1, 0), 20)))
        return own_s if asked_s is None else max(asked_s, FIRST_WAIT_S)


def _jittered(seconds: float) -> float:
    """Many boxes behind one failed server must not come back at the same second."""
    return seconds * random.uniform(0.8, 1.2)
