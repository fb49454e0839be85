"""A port's contract: how it is named, what it can do, and how it fails."""

import enum
from collections.abc import Callable
from typing import Protocol

import msgspec


class PortConfig(msgspec.Struct, frozen=True):
    """Where a modem is reached: a tty path, ``socket://host:port``, ``rfc2217://host:port`` or ``usb:1-1.4.3``.

    8N1, bit/s. ``place`` is what a tty was found by, when it was not named itself.
    """

    path: str
    baudrate: int = 115200
    label: str = ""
    place: str = ""

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"{self.place} ({self.path})" if self.place else self.path


class PortFailure(enum.Enum):
    """Why a port cannot be opened or was lost."""

    MISSING = "missing"
    """No such node (unplugged, or not yet enumerated)."""
    BUSY = "busy"
    """Another program holds it."""
    PERMISSION = "permission"
    NOT_A_TTY = "not_a_tty"
    IO = "io"
    """The device answers with errors, or refuses the line settings."""
    GONE = "gone"
    """It was open and the device went away."""
    STUCK = "stuck"
    """The peer takes no more data."""
    REFUSED = "refused"
    """A network port that does not answer."""
    TIMEOUT = "timeout"
    """Opening did not finish in time."""
    CLOSED = "closed"
    """We closed it."""


class PortError(Exception):
    """A port failed. ``failure`` classifies it, ``detail`` is for the operator."""

    def __init__(self, failure: PortFailure, path: str, detail: str = "") -> None:
        super().__init__(f"{path}: {failure.value}" + (f" ({detail})" if detail else ""))
        self.failure = failure
        self.path = path
        self.detail = detail


OnData = Callable[[bytes], None]
"""Called on the loop with what came in; must not block."""
OnLost = Callable[[PortError | None], None]
"""Called once, on the loop, when the port ends: with the cause, or None when we closed it."""


class Port(Protocol):
    """An open port. All methods are called on the loop's thread; none blocks."""

    @property
    def config(self) -> PortConfig:
        """What it was opened with."""

    @property
    def write_stuck(self) -> bool:
        """True while the peer does not take what was written."""

    @property
    def closed(self) -> bool:
        """True once closed or lost."""

    def write(self, data: bytes) -> None:
        """Send, in order, without waiting. Raises PortError: CLOSED/GONE, or STUCK when the bounded buffer is full."""

    async def drain(self, timeout_s: float) -> None:
        """Return once all written has left. Raises PortError: STUCK after ``timeout_s``, or the cause of a loss."""

    def close(self) -> None:
        """Close at once, dropping unsent data; idempotent. ``on_lost(None)`` follows."""

    async def wait_closed(self) -> None:
        """Return when the descriptor is released, so that the path can be opened again."""
