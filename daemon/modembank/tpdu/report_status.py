"""TP-ST, what became of a message (3GPP TS 23.040 clause 9.2.3.15)."""

from enum import StrEnum
from typing import Final

import msgspec


class ReportClass(StrEnum):
    """What a delivery report means for the message (3GPP TS 23.040 9.2.3.15)."""

    DELIVERED = "delivered"
    PENDING = "pending"
    FAILED = "failed"


_MEANINGS: Final = {
    0x00: "received by the recipient",
    0x01: "forwarded to the recipient, delivery not confirmed",
    0x02: "replaced by the service centre",
    0x20: "congestion, still trying",
    0x21: "recipient busy, still trying",
    0x22: "no response from the recipient, still trying",
    0x23: "service rejected, still trying",
    0x24: "quality of service not available, still trying",
    0x25: "error in the recipient's device, still trying",
    0x40: "remote procedure error",
    0x41: "incompatible destination",
    0x42: "connection rejected by the recipient",
    0x43: "not obtainable",
    0x44: "quality of service not available",
    0x45: "no interworking available",
    0x46: "validity period expired",
    0x47: "deleted by the sender",
    0x48: "deleted by the service centre",
    0x49: "unknown to the service centre",
    0x60: "congestion, given up",
    0x61: "recipient busy, given up",
    0x62: "no response from the recipient, given up",
    0x63: "service rejected, given up",
    0x64: "quality of service not available, given up",
    0x65: "error in the recipient's device, given up",
}
_SERVICE_REJECTED: Final = 0x63
_BLOCKS: Final = (
    (0x20, ReportClass.DELIVERED, "completed"),
    (0x40, ReportClass.PENDING, "temporary error, still trying"),
    (0x60, ReportClass.FAILED, "permanent error"),
    (0x80, ReportClass.FAILED, "temporary error, given up"),
)


class ReportStatus(msgspec.Struct, frozen=True):
    """One TP-ST octet, kept as received."""

    value: int

    @property
    def is_reserved(self) -> bool:
        """Whether the standard gives the value no meaning; it then counts as "service rejected", final."""
        return self.value >= 0x80 or (self.value not in _MEANINGS and not self.value & 0x10)

    @property
    def report_class(self) -> ReportClass:
        """Whether the message arrived, may still arrive, or was given up."""
        effective = _SERVICE_REJECTED if self.is_reserved else self.value
        return next(kind for end, kind, _ in _BLOCKS if effective < end)

    @property
    def confirmed(self) -> bool:
        """Whether the recipient's device itself acknowledged: 0x01 counts as delivered but proves nothing."""
        return self.report_class is ReportClass.DELIVERED and self.value != 0x01

    @property
    def meaning(self) -> str:
        """A short English phrase."""
        if self.is_reserved:
            return f"reserved status 0x{self.value:02X}, taken as {_MEANINGS[_SERVICE_REJECTED]}"
        block = next(text for end, _, text in _BLOCKS if self.value < end)
        return _MEANINGS.get(self.value, f"{block} (service centre's own status 0x{self.value:02X})")
