"""Quiet hours: nobody is disturbed at night, wherever their number says that they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from modembank.decency import QuietHoursConfig
from modembank.dispatch.window import opens_at
from modembank.messages.model import MessageFlags, QueuedMessage
from modembank.messages.zones import zones_of

_HORIZON_MS = 49 * 3_600_000
"""After two nights and the longer of two days that the clock was put: what is not open by then never is."""


class Quiet(NamedTuple):
    """Quiet hours that hold a message now."""

    until: int
    """Unix ms."""
    zone: str
    """Where they end last; empty: where the box is."""


class QuietHours:
    """The box's rule."""

    def __init__(self, config: QuietHoursConfig, zone: tzinfo | None = None) -> None:
        """``zone`` is that of numbers which tell of none; None: the box's own."""
        self._zone = zone
        self._window = ""
        self.set(config)

    @property
    def rule(self) -> QuietHoursConfig:
        """What holds now."""
        return self._config

    def set(self, config: QuietHoursConfig) -> None:
        """Let another rule hold from now on; what was put off before keeps its hour."""
        self._config = config
        self._window = f"{config.to}-{config.from_}" if config.from_ else ""

    def hold(self, message: QueuedMessage, now: int) -> Quiet | None:
        """Return what holds a message now, or None.

        What has begun is finished, and an answer to an opt-out goes at any time.
        """
        exempt = 9 - message.rank >= self._config.exempt_priority
        if not self._window or exempt or message.done or message.flags & MessageFlags.CONSENT:
            return None
        zones: Sequence[tzinfo | None] = zones_of(message.recipient) or (self._zone,)
        return self._until(zones, now) or None

    def _until(self, zones: Sequence[tzinfo | None], now: int) -> Quiet | None:
        """Go from opening to opening until all zones are open at once; where that never is, the box's zone counts."""
        at, last = now, self._zone
        while at - now <= _HORIZON_MS:
            closed = [(opening, zone) for zone in zones if (opening := opens_at(self._window, at, zone)) is not None]
            if not closed:
                return None if at == now else Quiet(at, _name(last))
            at, last = max(closed, key=lambda one: one[0])
        return self._until((self._zone,), now) if len(zones) > 1 else None


def local_time(ms: int, zone: tzinfo) -> str:
    """Return the time of day there, to the minute."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone):%H:%M}"


def _name(zone: tzinfo | None) -> str:
    return "" if zone is None else str(zone)
