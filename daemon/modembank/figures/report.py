"""What a report holds: days, and a line of numbers for each user and each SIM."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import msgspec

from modembank.messages import MessageState

MOST_DAYS = 92
"""A quarter."""


class Line(msgspec.Struct, frozen=True):
    """One user, one SIM or one provider."""

    key: str
    """The user's name, the SIM's ICCID, or ``provider`` and its name."""
    name: str
    hint: str
    """What tells it from others of the same name: the SIM's number, the end of its ICCID, or that it is a provider."""
    by_day: tuple[int, ...]
    """Segments on each day of the report."""

    @property
    def total(self) -> int:
        """Segments on all its days."""
        return sum(self.by_day)


class Report(msgspec.Struct, frozen=True):
    """A span of days of the box, in segments; and messages that came to a bad end, by the day they were accepted on."""

    days: tuple[date, ...]
    senders: tuple[Line, ...]
    """Who had segments accepted, the most first."""
    sims: tuple[Line, ...]
    """What SIMs and providers sent, the most first; a segment that was tried again counts again."""
    sims_since: date
    """What SIMs sent is known from this day on."""
    ends: Mapping[MessageState, tuple[int, ...]]
    """Messages by state and day."""

    @property
    def accepted(self) -> tuple[int, ...]:
        """Segments accepted on each day."""
        return self._sum(self.senders)

    @property
    def sent(self) -> tuple[int, ...]:
        """Segments that SIMs sent on each day."""
        return self._sum(self.sims)

    def _sum(self, lines: tuple[Line, ...]) -> tuple[int, ...]:
        return tuple(sum(line.by_day[place] for line in lines) for place in range(len(self.days)))
