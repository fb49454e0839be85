"""TP-OA, TP-DA, TP-RA and the service centre address (3GPP TS 23.040 clauses 9.1.2.5 and 8.2.5.2 of TS 24.011)."""

import re
from enum import IntEnum
from typing import Final, Self

import msgspec

from modembank.tpdu.cursor import Cursor
from modembank.tpdu.errors import BadAddress
from modembank.tpdu.gsm7 import decode_septets, gsm7_septets
from modembank.tpdu.packing import pack_septets, unpack_septets

MAX_DIGITS: Final = 20
MAX_NAME_SEPTETS: Final = 11
_DIGITS: Final = "0123456789*#abc"
_END_MARK: Final = 0xF
_NUMBER: Final = re.compile(r"\+?[0-9*#][0-9*#abc]*")
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f]")


class TypeOfNumber(IntEnum):
    """Bits 6..4 of the type-of-address octet."""

    UNKNOWN = 0
    INTERNATIONAL = 1
    NATIONAL = 2
    NETWORK_SPECIFIC = 3
    SUBSCRIBER = 4
    ALPHANUMERIC = 5
    ABBREVIATED = 6
    RESERVED = 7


class NumberingPlan(IntEnum):
    """Bits 3..0 of the type-of-address octet; the reserved values are kept as received."""

    UNKNOWN = 0
    ISDN = 1
    RESERVED_2 = 2
    DATA = 3
    TELEX = 4
    SC_SPECIFIC_5 = 5
    SC_SPECIFIC_6 = 6
    RESERVED_7 = 7
    NATIONAL = 8
    PRIVATE = 9
    ERMES = 10
    RESERVED_11 = 11
    RESERVED_12 = 12
    RESERVED_13 = 13
    RESERVED_14 = 14
    RESERVED_15 = 15


class Address(msgspec.Struct, frozen=True):
    """A party: `digits` are digits and `*#abc`, or the text of an alphanumeric sender free of control characters."""

    digits: str
    type: TypeOfNumber = TypeOfNumber.UNKNOWN
    plan: NumberingPlan = NumberingPlan.ISDN

    @classmethod
    def from_number(cls, number: str) -> Self:
        """Read `+4479…` as international, other digits as of unknown type, anything else as a sender name.

        Raises BadAddress for an empty, too long or unencodable value.
        """
        if _NUMBER.fullmatch(number):
            international = number.startswith("+")
            kind = TypeOfNumber.INTERNATIONAL if international else TypeOfNumber.UNKNOWN
            address = cls(number.removeprefix("+"), kind, NumberingPlan.ISDN)
        elif number.startswith("+"):
            msg = "an international number has only digits behind its +"
            raise BadAddress(msg)
        else:
            address = cls(number, TypeOfNumber.ALPHANUMERIC, NumberingPlan.UNKNOWN)
        address.encode()
        return address

    @property
    def number(self) -> str:
        """E.164 with `+` when international, the digits as they came otherwise, the name when alphanumeric."""
        return f"+{self.digits}" if self.type is TypeOfNumber.INTERNATIONAL and self.digits else self.digits

    @property
    def is_name(self) -> bool:
        return self.type is TypeOfNumber.ALPHANUMERIC

    def encode(self) -> bytes:
        """Encode length (semi-octets), type and value. Raises BadAddress."""
        if self.is_name:
            semi_octets, value = self._encode_name()
        else:
            semi_octets, value = len(self.digits), encode_digits(self.digits)
        return bytes((semi_octets, self._type_octet)) + value

    def encode_service_centre(self) -> bytes:
        """Encode as the service centre address before a TPDU: the length counts octets. Raises BadAddress."""
        if self.is_name:
            msg = "a service centre has no name"
            raise BadAddress(msg)
        value = encode_digits(self.digits)
        return bytes((len(value) + 1, self._type_octet)) + value

    @classmethod
    def decode(cls, cursor: Cursor, field: str = "address") -> Self:
        """Read an address. Raises MalformedTpdu when it runs past the end."""
        semi_octets = cursor.octet(f"{field} length")
        kind, plan = _read_type(cursor, field)
        value = cursor.take((semi_octets + 1) // 2, field)
        digits = _decode_name(value, semi_octets) if kind is TypeOfNumber.ALPHANUMERIC else _decode_digits(value)
        return cls(digits[:semi_octets], kind, plan)

    @classmethod
    def decode_service_centre(cls, cursor: Cursor) -> Self | None:
        """Read the service centre address; None when its length is 0 (the modem's stored centre is meant)."""
        length = cursor.octet("service centre length")
        if length == 0:
            return None
        inner = Cursor(cursor.take(length, "service centre"))
        kind, plan = _read_type(inner, "service centre")
        return cls(_decode_digits(inner.rest()), kind, plan)

    @property
    def _type_octet(self) -> int:
        return 0x80 | self.type << 4 | self.plan

    def _encode_name(self) -> tuple[int, bytes]:
        septets = None if _CONTROLS.search(self.digits) else gsm7_septets(self.digits)
        if not septets:
            msg = "a sender name needs at least one character, all of the GSM 7-bit alphabet"
            raise BadAddress(msg)
        if len(septets) > MAX_NAME_SEPTETS:
            msg = f"a sender name has at most {MAX_NAME_SEPTETS} septets"
            raise BadAddress(msg)
        return (7 * len(septets) + 3) // 4, pack_septets(septets)


def encode_digits(digits: str) -> bytes:
    """Encode digits as semi-octets, low nibble first, an odd count filled with 1111. Raises BadAddress."""
    if len(digits) > MAX_DIGITS:
        msg = f"a number has at most {MAX_DIGITS} digits"
        raise BadAddress(msg)
    try:
        nibbles = [_DIGITS.index(digit) for digit in digits]
    except ValueError:
        msg = "a number has only digits and *#abc"
        raise BadAddress(msg) from None
    if len(nibbles) % 2:
        nibbles.append(_END_MARK)
    return bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))


def _decode_digits(octets: bytes) -> str:
    digits: list[str] = []
    for octet in octets:
        for nibble in (octet & 0xF, octet >> 4):
            if nibble == _END_MARK:
                return "".join(digits)
            digits.append(_DIGITS[nibble])
    return "".join(digits)


def _decode_name(octets: bytes, semi_octets: int) -> str:
    septets = unpack_septets(octets, 4 * semi_octets // 7)
    if len(septets) % 8 == 0 and septets.endswith(b"\0"):
        # Seven characters fill 49 of 56 bits: a sender that counts octets, not bits, makes an eighth "@" of the rest.
        septets = septets[:-1]
    return _CONTROLS.sub("", decode_septets(septets))


def _read_type(cursor: Cursor, field: str) -> tuple[TypeOfNumber, NumberingPlan]:
    octet = cursor.octet(f"{field} type")
    return TypeOfNumber(octet >> 4 & 7), NumberingPlan(octet & 0xF)
