"""The border over which a PDU from the air leaves the modem layer: it is durable before the modem may forget it."""

from __future__ import annotations

import enum
from typing import Protocol

import msgspec


class Via(enum.StrEnum):
    """How the PDU came."""

    STORED = "stored"
    """Read from a memory slot by CMGR or CMGL; to be deleted there after it is durable."""
    DIRECT = "direct"
    """By +CMT, +CDS or +CBM: the modem keeps no copy."""


class RawInbound(msgspec.Struct, frozen=True):
    """A PDU as the modem gave it, not yet decoded; anything in it is hostile."""

    sim_id: int
    slot: str
    pdu: str
    """Hex with the service centre's address in front, bounded by the AT engine's line limit."""
    via: Via
    memory: str | None = None
    index: int | None = None
    received_at: int = 0
    """Unix milliseconds."""


class InboundSink(Protocol):
    """Where PDUs go; implemented by the messages slice."""

    async def store(self, pdu: RawInbound) -> int:
        """Make the PDU durable and return its ledger id; the same physical slot again returns the same id.

        Never raises for what the PDU contains: what cannot be decoded is quarantined. Raises StoreError when it could
        not be made durable; the modem then keeps its copy.
        """

    async def deleted(self, ledger_id: int) -> None:
        """Note that the modem's slot is free again, so that an equal PDU there is a new message."""
