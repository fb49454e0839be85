"""The couriers of one kind: begun, poked when something of theirs was changed, and let go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from modembank.supervision import Supervisor

LEAVE_S = 1.0
"""For what is being posted when a courier is let go."""


class Courier(Protocol):
    """Carries what happens to one person's endpoints, until it returns."""

    async def run(self) -> None:
        """Go on where the last run was."""

    def poke(self) -> None:
        """Look at once, and try what fails at once: something was changed, or a person says so."""

    def leave(self) -> None:
        """End soon: what is being posted is finished, if it takes not too long."""


class Crew:
    """Couriers by the name of their task. None runs before ``open``."""

    def __init__(self) -> None:
        """Start without any."""
        self._couriers: dict[str, Courier] = {}
        self._supervisor = Supervisor()
        self._opened = False

    def open(self) -> None:
        """Let couriers be begun."""
        self._opened = True

    def send(self, name: str, make: Callable[[], Courier]) -> None:
        """Begin a courier, or poke the one that runs."""
        if self._opened and not self.poke(name):
            courier = self._couriers[name] = make()
            self._supervisor.start(name, courier.run)

    def poke(self, name: str) -> bool:
        """Let one try at once; return whether it runs."""
        if name not in self._supervisor.names():
            return False
        self._couriers[name].poke()
        return True

    def names(self) -> tuple[str, ...]:
        """Return the names of those that run."""
        return self._supervisor.names()

    async def halt(self, name: str) -> None:
        """Let one go, and return when it has ended."""
        courier = self._couriers.pop(name, None)
        if courier is not None:
            courier.leave()
            await self._supervisor.wait_for([name], LEAVE_S)
            await self._supervisor.stop(name)

    async def close(self, within_s: float = LEAVE_S) -> None:
        """Let all go; what is not finished in time is told again by the next run."""
        self._opened = False
        for courier in self._couriers.values():
            courier.leave()
        await self._supervisor.wait_for(self._supervisor.names(), within_s)
        await self._supervisor.stop_all(1.0)
        self._couriers.clear()
