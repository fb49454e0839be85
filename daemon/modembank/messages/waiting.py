"""What a view asks of whoever sends: why is this message not sent yet?"""

from __future__ import annotations

from typing import Protocol

import msgspec

from modembank.messages.model import MessageState


class WaitingMessage(msgspec.Struct, frozen=True):
    """What is stored of a message that is not sent yet; times are unix milliseconds."""

    id: int
    route_id: int
    rank: int
    state: MessageState
    ready: bool
    """May be dispatched now; else it waits for ``not_before``, or is held."""
    not_before: int | None
    window: str | None
    cause: str | None
    held: bool = False
    """Until an admin decides."""
    paused: bool = False
    """Until its mailing goes on."""


class WaitExplainer(Protocol):
    """Knows the queues, limits and lines; implemented by dispatch."""

    def explain(self, message: WaitingMessage) -> str | None:
        """Return one sentence for people, such as ``SIM slot-3: 200 of 200 this hour, next at 14:05``, or None.

        Called on the event loop for each message of a page; must not block.
        """
