"""TP-VP, how long the service centre keeps trying (3GPP TS 23.040 clause 9.2.3.12)."""

from bisect import bisect_right
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final, Self

import msgspec

from modembank.tpdu.cursor import Cursor
from modembank.tpdu.errors import UnencodableTpdu
from modembank.tpdu.timestamp import Timestamp


class ValidityFormat(IntEnum):
    """TP-VPF, bits 4 and 3 of the first octet of a SUBMIT (9.2.3.3)."""

    NONE = 0
    ENHANCED = 1
    RELATIVE = 2
    ABSOLUTE = 3


def _relative_minutes(octet: int) -> int:
    if octet <= 143:
        return (octet + 1) * 5
    if octet <= 167:
        return 12 * 60 + (octet - 143) * 30
    return (octet - 166) * 24 * 60 if octet <= 196 else (octet - 192) * 7 * 24 * 60


_RELATIVE_SECONDS: Final = tuple(60 * _relative_minutes(octet) for octet in range(256))


class Validity(msgspec.Struct, frozen=True):
    """A validity period: its format, and its octets as on the air (1 when relative, else 7)."""

    format: ValidityFormat
    octets: bytes

    @classmethod
    def for_seconds(cls, seconds: float) -> Self:
        """The longest relative period that is not longer than `seconds`: a message must not outlive its validity.

        The shortest there is are 5 minutes, the longest 63 weeks.
        """
        return cls.relative(max(0, bisect_right(_RELATIVE_SECONDS, seconds) - 1))

    @classmethod
    def relative(cls, octet: int) -> Self:
        """Take a relative octet as it is. Raises UnencodableTpdu outside 0-255."""
        if not 0 <= octet <= 255:
            msg = "a relative validity is one octet"
            raise UnencodableTpdu(msg)
        return cls(ValidityFormat.RELATIVE, bytes((octet,)))

    @classmethod
    def until(cls, moment: datetime) -> Self:
        """End at an absolute, aware time. Raises UnencodableTpdu."""
        return cls(ValidityFormat.ABSOLUTE, Timestamp.of(moment).encode())

    @classmethod
    def enhanced_seconds(cls, seconds: int, *, single_shot: bool = False) -> Self:
        """Last 1-255 seconds; with `single_shot` the centre tries once only. Raises UnencodableTpdu."""
        if not 1 <= seconds <= 255:
            msg = "an enhanced validity in seconds lasts 1-255"
            raise UnencodableTpdu(msg)
        return cls(ValidityFormat.ENHANCED, bytes((0x02 | single_shot << 6, seconds, 0, 0, 0, 0, 0)))

    @classmethod
    def decode(cls, cursor: Cursor, form: ValidityFormat) -> Self | None:
        """Read the octets that TP-VPF announces; None for NONE. Raises MalformedTpdu when there are fewer."""
        if form is ValidityFormat.NONE:
            return None
        return cls(form, cursor.take(1 if form is ValidityFormat.RELATIVE else 7, "validity period"))

    def encode(self) -> bytes:
        """Raises UnencodableTpdu when the octets do not match the format."""
        if self.format is ValidityFormat.NONE or len(self.octets) != (
            1 if self.format is ValidityFormat.RELATIVE else 7
        ):
            msg = "octets that do not match the validity format"
            raise UnencodableTpdu(msg)
        return self.octets

    @property
    def duration(self) -> timedelta | None:
        """How long after submission it ends; None when absolute, or when the octets say nothing."""
        if self.format is ValidityFormat.RELATIVE:
            return timedelta(seconds=_RELATIVE_SECONDS[self.octets[0]])
        if self.format is not ValidityFormat.ENHANCED:
            return None
        kind = self.octets[0] & 0x07
        if kind == 1:
            return timedelta(seconds=_RELATIVE_SECONDS[self.octets[1]])
        if kind == 2:
            return timedelta(seconds=self.octets[1])
        if kind == 3:
            hours, minutes, seconds = (10 * (octet & 0xF) + (octet >> 4) for octet in self.octets[1:4])
            return timedelta(hours=hours, minutes=minutes, seconds=seconds)
        return None

    @property
    def ends_at(self) -> datetime | None:
        """The absolute end; None when not absolute, or no valid time."""
        return Timestamp(self.octets).moment if self.format is ValidityFormat.ABSOLUTE else None

    @property
    def single_shot(self) -> bool:
        return self.format is ValidityFormat.ENHANCED and bool(self.octets[0] & 0x40)
