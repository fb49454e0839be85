"""What the client side knows: every request it made, and what it was answered."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Cancelling(enum.Enum):
    """What became of asking to cancel a message."""

    NOT_ASKED = "not asked"
    IN_DOUBT = "in doubt"
    REFUSED = "refused"
    DONE = "done"


@dataclass(slots=True)
class Request:
    """One request to send, repeated under its idempotency key until it was answered."""

    key: str
    text: str
    numbers: tuple[str, ...]
    """Each used once in a run, so that what the network saw can be told apart."""
    policy: str
    """``hold`` or ``resend``; empty: the box's default, which is hold."""
    reports: str
    """The name of the emulated network's plan for its delivery reports; empty: a report when it is delivered."""
    tries: int = 0
    cancelling: Cancelling = Cancelling.NOT_ASKED
    ids: dict[str, str] = field(default_factory=dict)
    """Number to message id, once accepted."""

    @property
    def holds(self) -> bool:
        """Whether nothing of it may be sent twice."""
        return self.policy != "resend"


@dataclass(slots=True)
class Witness:
    """The client's ledger, and what it was promised."""

    requests: list[Request] = field(default_factory=list)
    injected: list[str] = field(default_factory=list)
    """Texts of the inbound messages given to the network, each of them once."""
    broken: list[str] = field(default_factory=list)
    """Promises broken before its eyes, in words."""
    seen: dict[str, str] = field(default_factory=dict)
    """Message id to the status it was last seen in."""

    @property
    def accepted(self) -> int:
        """Messages that the daemon answered for."""
        return sum(len(request.ids) for request in self.requests)
