"""What can be wrong with an order to the bank."""

from __future__ import annotations

from modembank.errors import Conflict, NotFound


class NoSuchSlot(NotFound):
    """There is no slot of that name."""

    def __init__(self, slot: str) -> None:
        """Name the slot."""
        super().__init__(what="modem", which=slot)


class CannotReset(Conflict):
    """The slot's modem cannot be reset from outside, or must not be."""

    def __init__(self, slot: str, why: str) -> None:
        """Name the slot and the reason."""
        super().__init__(why=f"{slot} cannot be reset: {why}")
        self.why = why


class NotNow(Conflict):
    """The slot is in a state in which this cannot be done."""

    def __init__(self, slot: str, why: str) -> None:
        """Name the slot and the reason."""
        super().__init__(why=f"{slot} {why}")
