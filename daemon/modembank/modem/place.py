"""Where a modem stands, for what it hands on: SIM, slot and time."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from modembank.modem.inbound import RawInbound, Via


class Standing(msgspec.Struct, frozen=True):
    """One SIM in one slot, for as long as it is there."""

    sim_id: int
    slot: str
    now_ms: Callable[[], int]

    def stored(self, pdu: str, memory: str, index: int) -> RawInbound:
        """A PDU read from a memory slot."""
        return RawInbound(self.sim_id, self.slot, pdu, Via.STORED, memory, index, self.now_ms())

    def direct(self, pdu: str) -> RawInbound:
        """A PDU that the modem keeps no copy of."""
        return RawInbound(self.sim_id, self.slot, pdu, Via.DIRECT, None, None, self.now_ms())
