"""What dispatch knows of one SIM in a modem, or of one provider."""

from __future__ import annotations

import asyncio

import msgspec

from modembank.bank.line import Line
from modembank.providers import Provider
from modembank.sim import Denied


class LineState(msgspec.Struct, eq=False):
    """A line that is or was up; one sender serves it for as long as the daemon runs."""

    sim_id: int
    """Negative: a provider."""
    line: Line | None = None
    """None while it is down, and for a provider."""
    provider: Provider | None = None
    """While it is ready."""
    down_at: int = 0
    """Unix ms, when it ceased to be able to send; 0: it never did."""
    slot: str = ""
    why_down: str = ""
    first_up_at: int = 0
    """Unix ms, when it came up for the first time in this life of the box."""
    turn: int = 0
    """When it was last used, as a running number: the smallest among the idle goes first."""
    idle: bool = False
    """Waits to be woken."""
    closed_until: int = 0
    """Unix ms before which asking again is pointless: a limit, or the modem rests."""
    denied: Denied | None = None
    """The limit behind ``closed_until``; None when the modem rests."""
    failures: int = 0
    """In a row, with the modem to blame."""
    in_hand: set[int] = msgspec.field(default_factory=set)
    """The messages that it is given now; a SIM has one at most."""
    wake_up: asyncio.Event = msgspec.field(default_factory=asyncio.Event)

    @property
    def is_up(self) -> bool:
        """Whether messages may be given to it, as far as modem or provider are concerned."""
        return self.line is not None or self.provider is not None

    def open(self, now: int) -> bool:
        """Return whether it could send now."""
        return self.is_up and self.closed_until <= now

    def wake(self) -> None:
        """Have the sender look again."""
        self.idle = False
        self.wake_up.set()

    def close(self, until: int, denied: Denied | None = None) -> None:
        """Send nothing before ``until``."""
        self.closed_until, self.denied = until, denied

    def reopen(self) -> None:
        """Forget why nothing was sent: limits or pause changed."""
        self.closed_until, self.denied = 0, None
