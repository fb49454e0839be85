"""What the emulated network saw: every SUBMIT, every inbound message, every delivery report."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from modembank_emulator import pdu as tpdu


class ItemKind(StrEnum):
    """What waits for a SIM."""

    MESSAGE = "message"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class SeenSubmit:
    """One SUBMIT that reached the network; `outcome` is "accepted" or "refused:CODE"; `at` in emulated seconds."""

    at: float
    imsi: str
    iccid: str
    destination: str
    mr: int
    pdu_hex: str
    outcome: str
    wants_report: bool

    @property
    def accepted(self) -> bool:
        """The network took it."""
        return self.outcome == "accepted"

    @property
    def text(self) -> str | None:
        """Text of this part; None for binary."""
        return tpdu.decode_submit(bytes.fromhex(self.pdu_hex)).data.text()

    @property
    def concat(self) -> tpdu.Concat | None:
        """Place of this part in a longer message."""
        return tpdu.decode_submit(bytes.fromhex(self.pdu_hex)).data.concat()

    def as_json(self) -> dict[str, Any]:
        """Plain values for the control socket."""
        concat = self.concat
        return {
            "at": self.at,
            "imsi": self.imsi,
            "iccid": self.iccid,
            "destination": self.destination,
            "mr": self.mr,
            "pdu_hex": self.pdu_hex,
            "outcome": self.outcome,
            "wants_report": self.wants_report,
            "text": self.text,
            "concat": [concat.reference, concat.total, concat.sequence] if concat else None,
        }


@dataclass(frozen=True, slots=True)
class SeenInbound:
    """One message that reached a modem; `where` is "SM", "ME" or "direct"."""

    at: float
    imsi: str
    iccid: str
    sender: str
    pdu_hex: str
    where: str

    @property
    def text(self) -> str | None:
        """Text of this part; None for binary and for what is no DELIVER."""
        try:
            return tpdu.decode_user_data(bytes.fromhex(self.pdu_hex)).text()
        except ValueError:  # PduError is one
            return None

    def as_json(self) -> dict[str, Any]:
        """Plain values for the control socket."""
        return {
            "at": self.at,
            "imsi": self.imsi,
            "iccid": self.iccid,
            "sender": self.sender,
            "pdu_hex": self.pdu_hex,
            "where": self.where,
            "text": self.text,
        }


@dataclass(frozen=True, slots=True)
class SeenReport:
    """One delivery report that reached a modem; `where` is "direct", "SR" or "discarded" (the host asked for none)."""

    at: float
    imsi: str
    iccid: str
    recipient: str
    mr: int
    status: int
    pdu_hex: str
    where: str

    def as_json(self) -> dict[str, Any]:
        """Plain values for the control socket."""
        return {
            "at": self.at,
            "imsi": self.imsi,
            "iccid": self.iccid,
            "recipient": self.recipient,
            "mr": self.mr,
            "status": self.status,
            "pdu_hex": self.pdu_hex,
            "where": self.where,
        }


@dataclass(slots=True)
class Inbound:
    """Something on its way to a SIM: a message or a report, as hex with its SMSC address.

    `source` is the SUBMIT it came from, `expires` an emulated time, `status` the TP-ST of a report.
    """

    kind: ItemKind
    pdu_hex: str
    length: int
    party: str
    source: SeenSubmit | None = None
    expires: float | None = None
    mr: int = 0
    status: int = 0
    attempts: int = field(default=0)
