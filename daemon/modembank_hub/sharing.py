"""What processes of one hub tell each other, and which of them leads; a hub over SQLite is one process, and leads.

The one that leads does what is to be done once: it speaks to the boxes, moves roll-outs on, lends, looks for alerts,
tells of them, and forgets what is old. All take in, answer people, and enrol.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

Receive: TypeAlias = Callable[[Any], None]
CREDITS, BACK = "credits", "back"
"""What is told beside the hub's events: credits of boxes that a process heard; that a connection is back."""


class Sharing(Protocol):
    """Between this process and the others."""

    @property
    def shared(self) -> bool:
        """Whether there may be others."""

    @property
    def leads(self) -> asyncio.Event:
        """Set while this process leads."""

    @property
    def follows(self) -> asyncio.Event:
        """Set while it does not."""

    def tell(self, what: str, told: object) -> None:
        """Tell the others, soon; what nobody hears is found by whoever looks, some seconds later."""

    def on(self, what: str, receive: Receive) -> None:
        """Call ``receive`` with what another process tells."""

    async def listen(self) -> None:
        """Hear the others, and lead when nobody does, for ever."""

    async def speak(self) -> None:
        """Tell what there is to tell, for ever."""


class Alone:
    """There are no others."""

    shared = False

    def __init__(self) -> None:
        """Lead."""
        self.leads, self.follows = asyncio.Event(), asyncio.Event()
        self.leads.set()

    def tell(self, what: str, told: object) -> None:
        """Nobody is there."""

    def on(self, what: str, receive: Receive) -> None:
        """Nobody tells anything."""

    async def listen(self) -> None:
        """Nobody is there to be heard."""

    async def speak(self) -> None:
        """Nobody is there to hear."""
