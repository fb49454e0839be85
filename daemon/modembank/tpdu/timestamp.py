"""Time stamps in semi-octets (TP-SCTS, TP-DT and the absolute TP-VP; 3GPP TS 23.040 clause 9.2.3.11)."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Final, Self

import msgspec

from modembank.tpdu.cursor import Cursor
from modembank.tpdu.errors import UnencodableTpdu

_MAX_QUARTERS: Final = 56  # UTC-12 to UTC+14 are the zones in use
_CENTURY_TURN: Final = 90  # there was no SMS before 1990


class Timestamp(msgspec.Struct, frozen=True):
    """Seven octets as received, which may be no time at all: see `moment`."""

    octets: bytes

    @classmethod
    def of(cls, moment: datetime) -> Self:
        """Encode an aware time, to the second; its zone is rounded down to the quarter of an hour.

        Raises UnencodableTpdu for a naive time or one outside 1990-2089.
        """
        offset = moment.utcoffset()
        if offset is None:
            msg = "a time stamp needs a time zone"
            raise UnencodableTpdu(msg)
        quarters = offset // timedelta(minutes=15)
        local = moment.astimezone(timezone(quarters * timedelta(minutes=15)))
        if not 1900 + _CENTURY_TURN <= local.year < 2000 + _CENTURY_TURN:
            msg = "a time stamp lies between 1990 and 2089"
            raise UnencodableTpdu(msg)
        fields = (local.year % 100, local.month, local.day, local.hour, local.minute, local.second)
        zone = _swapped(abs(quarters)) | (0x08 if quarters < 0 else 0)
        return cls(bytes(map(_swapped, fields)) + bytes((zone,)))

    @classmethod
    def decode(cls, cursor: Cursor, field: str = "time stamp") -> Self:
        """Read seven octets, whatever they are. Raises MalformedTpdu when there are fewer."""
        return cls(cursor.take(7, field))

    def encode(self) -> bytes:
        """Raises UnencodableTpdu when there are not seven octets."""
        if len(self.octets) != 7:
            msg = "a time stamp has seven octets"
            raise UnencodableTpdu(msg)
        return self.octets

    @property
    def moment(self) -> datetime | None:
        """The time with its zone, or None when the octets are no valid time."""
        if len(self.octets) != 7:
            return None
        *fields, last = self.octets
        values = [_digits(octet) for octet in (*fields, last & 0xF7)]
        if None in values:
            return None
        year, month, day, hour, minute, second, zone = (value or 0 for value in values)
        if zone > _MAX_QUARTERS:
            return None
        offset = timedelta(minutes=15 * (-zone if last & 0x08 else zone))
        century = 2000 if year < _CENTURY_TURN else 1900
        try:
            return datetime(century + year, month, day, hour, minute, second, tzinfo=timezone(offset) if zone else UTC)
        except ValueError:
            return None


def _swapped(value: int) -> int:
    return value % 10 << 4 | value // 10


def _digits(octet: int) -> int | None:
    tens, units = octet & 0xF, octet >> 4
    return 10 * tens + units if tens < 10 and units < 10 else None
