"""The emulator's own TPDU code: reads SUBMIT, writes DELIVER and STATUS-REPORT (3GPP TS 23.040 9.2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

from modembank_emulator import alphabet

_SEMI_OCTETS: Final = "0123456789*#abc"
_CONCAT_8: Final = 0x00
_CONCAT_16: Final = 0x08
_NATIONAL: Final = (0x24, 0x25)


class PduError(ValueError):
    """The octets are not a PDU a service centre would take."""


@dataclass(frozen=True, slots=True)
class Concat:
    """Concatenation header: reference, number of parts, place of this part from 1 (3GPP TS 23.040 9.2.3.24.1)."""

    reference: int
    total: int
    sequence: int


@dataclass(frozen=True, slots=True)
class UserData:
    """TP-UD with what is needed to read it: header present, data coding scheme, TP-UDL and octets."""

    has_header: bool
    dcs: int
    length: int
    octets: bytes

    @property
    def is_7bit(self) -> bool:
        """Packed default alphabet."""
        return coding(self.dcs) == "7bit"

    def elements(self) -> list[tuple[int, bytes]]:
        """Information elements of the header; PduError when the header runs past the data."""
        if not self.has_header:
            return []
        if not self.octets or 1 + self.octets[0] > len(self.octets):
            msg = "user data header longer than the user data"
            raise PduError(msg)
        header, place, found = self.octets[1 : 1 + self.octets[0]], 0, []
        while place < len(header):
            size = header[place + 1] if place + 1 < len(header) else len(header)
            if place + 2 + size > len(header):
                msg = "information element longer than the header"
                raise PduError(msg)
            found.append((header[place], header[place + 2 : place + 2 + size]))
            place += 2 + size
        return found

    def concat(self) -> Concat | None:
        """The concatenation header: the last one counts, an impossible place is none (9.2.3.24, 9.2.3.24.1)."""
        for element, value in reversed(self.elements()):
            if (element, len(value)) in {(_CONCAT_8, 3), (_CONCAT_16, 4)}:
                *reference, total, sequence = value
                found = Concat(int.from_bytes(reference, "big"), total, sequence)
                return found if 1 <= sequence <= total else None
        return None

    def text(self) -> str | None:
        """Text of this part alone; None for binary data and for national language tables."""
        elements = self.elements()
        if any(element in _NATIONAL for element, _ in elements):
            return None
        skip = 1 + self.octets[0] if self.has_header else 0
        kind = coding(self.dcs)
        if kind == "7bit":
            fill = (-8 * skip) % 7
            count = self.length - (8 * skip + fill) // 7
            return alphabet.from_septets(alphabet.unpack(self.octets[skip:], count, fill))
        if kind == "ucs2":
            return self.octets[skip:].decode("utf-16-be", "replace")
        return None


@dataclass(frozen=True, slots=True)
class Submit:
    """A decoded SMS-SUBMIT; `destination` carries '+' for an international number, `validity` is the raw TP-VP."""

    smsc: str
    first_octet: int
    reference: int
    destination: str
    pid: int
    validity_format: int
    validity: bytes
    data: UserData

    @property
    def wants_report(self) -> bool:
        """TP-SRR (bit 5)."""
        return bool(self.first_octet & 0x20)

    def validity_s(self) -> float | None:
        """Relative validity in seconds (3GPP TS 23.040 9.2.3.12.1); None when absent or in another form."""
        if self.validity_format != 2:
            return None
        value = self.validity[0]
        if value < 144:
            return (value + 1) * 300.0
        if value < 168:
            return 12 * 3600.0 + (value - 143) * 1800.0
        return (value - 166) * 86400.0 if value < 197 else (value - 192) * 7 * 86400.0


def coding(dcs: int) -> str:
    """`7bit`, `8bit`, `ucs2` or `compressed` for a data coding scheme (3GPP TS 23.038 clause 4)."""
    group = dcs >> 4
    if group < 8:
        if dcs & 0x20:
            return "compressed"
        return ("7bit", "8bit", "ucs2", "7bit")[dcs >> 2 & 3]
    if group == 0xE:
        return "ucs2"
    if group == 0xF:
        return "8bit" if dcs & 4 else "7bit"
    return "7bit"


def decode_submit(pdu: bytes) -> Submit:
    """Read SMSC address plus SUBMIT; PduError for anything a strict modem refuses with CMS 304."""
    try:
        return _decode_submit(pdu)
    except IndexError:
        msg = "PDU ends early"
        raise PduError(msg) from None


def decode_user_data(pdu: bytes) -> UserData:
    """TP-UD of a DELIVER (with its SMSC address); PduError when it is not one."""
    try:
        start = 1 + pdu[0]
        first = pdu[start]
        if first & 3:
            msg = "not a DELIVER"
            raise PduError(msg)
        place = start + 3 + (pdu[start + 1] + 1) // 2
        dcs = pdu[place + 1]
        return UserData(bool(first & 0x40), dcs, pdu[place + 9], pdu[place + 10 :])
    except IndexError:
        msg = "PDU ends early"
        raise PduError(msg) from None


def decode_sender(pdu: bytes) -> tuple[str, str]:
    """Originating address and time stamp `yy/MM/dd,hh:mm:ss±zz` of a DELIVER; PduError when it is not one."""
    try:
        start = 1 + pdu[0]
        if pdu[start] & 3:
            msg = "not a DELIVER"
            raise PduError(msg)
        sender, place = _decode_address(pdu, start + 1)
        year, month, day, hour, minute, second, _ = _from_bcd_pairs(pdu[place + 2 : place + 9])
        zone = pdu[place + 8]
    except (IndexError, ValueError):
        msg = "PDU ends early"
        raise PduError(msg) from None
    sign = "-" if zone & 0x08 else "+"
    return sender, f"{year}/{month}/{day},{hour}:{minute}:{second}{sign}{zone & 7}{zone >> 4:x}"


def tpdu_length(pdu: bytes) -> int:
    """Octets without the SMSC address, the number CMGS, CMGR and CMGL carry (3GPP TS 27.005 3.1)."""
    return max(0, len(pdu) - 1 - pdu[0]) if pdu else 0


def encode_submit(destination: str, data: UserData, *, first_octet: int, pid: int = 0, validity: bytes = b"") -> bytes:
    """SMSC address left to the modem ("00") plus a SUBMIT; the header bit follows `data`."""
    first = (first_octet & ~0x40) | (0x40 if data.has_header else 0)
    return bytes(
        [0, first, 0, *encode_address(destination), pid, data.dcs, *validity, data.length, *data.octets],
    )


def encode_deliver(smsc: str, sender: str, data: UserData, at: datetime, *, pid: int = 0) -> bytes:
    """SMSC address plus SMS-DELIVER; TP-MMS set: nothing more waits (3GPP TS 23.040 9.2.3.2)."""
    first = 0x04 | (0x40 if data.has_header else 0)
    head = [first, *encode_address(sender), pid, data.dcs]
    return bytes([*encode_smsc(smsc), *head, *encode_time(at), data.length, *data.octets])


def encode_report(smsc: str, reference: int, recipient: str, sent: datetime, done: datetime, *, status: int) -> bytes:
    """SMSC address plus SMS-STATUS-REPORT (3GPP TS 23.040 9.2.2.3)."""
    head = [0x06, reference, *encode_address(recipient)]
    return bytes([*encode_smsc(smsc), *head, *encode_time(sent), *encode_time(done), status])


def encode_user_data(text: str, *, concat: Concat | None = None, wide: bool = False, flash: bool = False) -> UserData:
    """One part in the narrowest alphabet that fits; `wide` asks for a 16-bit concatenation reference."""
    header = b""
    if concat is not None:
        reference = concat.reference.to_bytes(2, "big") if wide else bytes([concat.reference & 0xFF])
        element = bytes([_CONCAT_16 if wide else _CONCAT_8, len(reference) + 2, *reference])
        header = bytes([len(element) + 2, *element, concat.total & 0xFF, concat.sequence & 0xFF])
    klass = 0x10 if flash else 0
    if alphabet.fits(text):
        septets = alphabet.to_septets(text)
        fill = (-8 * len(header)) % 7
        length = (8 * len(header) + fill) // 7 + len(septets)
        return UserData(bool(header), klass, length, header + alphabet.pack(septets, fill))
    octets = header + text.encode("utf-16-be")
    return UserData(bool(header), klass | 0x08, len(octets), octets)


def split_text(text: str, *, wide: bool = False) -> list[str]:
    """Cut a text into parts, never inside an escape pair or a surrogate pair (153/152 septets, 67/66 units)."""
    narrow = alphabet.fits(text)
    single, limit = (160, 152 if wide else 153) if narrow else (70, 66 if wide else 67)
    cost = [len(alphabet.to_septets(char)) if narrow else len(char.encode("utf-16-be")) // 2 for char in text]
    if sum(cost) <= single:
        return [text]
    parts, start, used = [], 0, 0
    for place, units in enumerate(cost):
        if used + units > limit:
            parts.append(text[start:place])
            start, used = place, 0
        used += units
    return [*parts, text[start:]]


def encode_address(number: str) -> bytes:
    """Address field: length in semi-octets, type, value; a name that is no number is alphanumeric (9.1.2.5)."""
    digits = number.removeprefix("+")
    # a, b and c are semi-octets too, but a sender called "abc" is a name.
    if all(char in _SEMI_OCTETS for char in digits) and digits[:1] not in {"a", "b", "c"}:
        return bytes([len(digits), 0x91 if number.startswith("+") else 0x81, *_to_bcd(digits)])
    septets = b"".join(alphabet.to_septets(char) if alphabet.fits(char) else b"?" for char in number)[:11]
    return bytes([(7 * len(septets) + 3) // 4, 0xD0, *alphabet.pack(septets)])


def encode_smsc(number: str) -> bytes:
    """SMSC address: length in octets with the type, or a single 0 when there is none (3GPP TS 27.005 3.1)."""
    if not number:
        return b"\0"
    bcd = _to_bcd(number.removeprefix("+"))
    return bytes([len(bcd) + 1, 0x91 if number.startswith("+") else 0x81, *bcd])


def encode_time(at: datetime) -> bytes:
    """Service centre time stamp; its zone is cut to quarters of an hour, the moment stays (3GPP TS 23.040 9.2.3.11)."""
    quarters = (at.utcoffset() or timedelta()) // timedelta(minutes=15)
    at = at.astimezone(timezone(quarters * timedelta(minutes=15)))
    zone = _swap(abs(quarters)) | (0x08 if quarters < 0 else 0)
    return bytes([*(_swap(n) for n in (at.year % 100, at.month, at.day, at.hour, at.minute, at.second)), zone])


def swap_nibbles(digits: str) -> str:
    """Hex of digits stored as swapped BCD, padded with F (ICCID and IMSI on the card)."""
    return _to_bcd(digits).hex().upper()


def _decode_submit(pdu: bytes) -> Submit:
    start = 1 + pdu[0]
    first = pdu[start]
    if first & 3 != 1:
        msg = "not a SUBMIT"
        raise PduError(msg)
    destination, place = _decode_address(pdu, start + 2)
    validity_format = first >> 3 & 3
    validity_end = place + 2 + (0, 7, 1, 7)[validity_format]
    data = UserData(bool(first & 0x40), pdu[place + 1], pdu[validity_end], pdu[validity_end + 1 :])
    _check_length(data)
    smsc = _decode_smsc(pdu[1:start])
    validity = pdu[place + 2 : validity_end]
    return Submit(smsc, first, pdu[start + 1], destination, pdu[place], validity_format, validity, data)


def _check_length(data: UserData) -> None:
    expected = (7 * data.length + 7) // 8 if data.is_7bit else data.length
    if len(data.octets) != expected or expected > 140:
        msg = f"user data of {len(data.octets)} octets, TP-UDL says {expected}"
        raise PduError(msg)
    data.elements()


def _decode_address(pdu: bytes, place: int) -> tuple[str, int]:
    digits, kind = pdu[place], pdu[place + 1]
    end = place + 2 + (digits + 1) // 2
    value = pdu[place + 2 : end]
    if digits == 0 or digits > 20 or end > len(pdu):
        msg = f"destination of {digits} digits"
        raise PduError(msg)
    if kind & 0x70 == 0x50:
        return alphabet.from_septets(alphabet.unpack(value, digits * 4 // 7)), end
    number = _from_bcd(value)
    if len(number) != digits:
        msg = "destination has other digits than it says"
        raise PduError(msg)
    return ("+" if kind & 0x70 == 0x10 else "") + number, end


def _decode_smsc(field: bytes) -> str:
    if not field:
        return ""
    return ("+" if field[0] & 0x70 == 0x10 else "") + _from_bcd(field[1:])


def _to_bcd(digits: str) -> bytes:
    codes = [_SEMI_OCTETS.index(char) for char in digits]
    if len(codes) % 2:
        codes.append(0xF)
    return bytes(low | high << 4 for low, high in zip(codes[::2], codes[1::2], strict=True))


def _from_bcd_pairs(octets: bytes) -> list[str]:
    return [pair[::-1] for pair in octets.hex(" ").split()]


def _from_bcd(octets: bytes) -> str:
    # Swapped hex gives the digits in order; A..E stand for * # a b c and F fills.
    swapped = "".join(_from_bcd_pairs(octets))
    return swapped.translate(_BCD_CHARS).rstrip("f")


_BCD_CHARS: Final = str.maketrans("abcde", "*#abc")


def _swap(number: int) -> int:
    return number % 10 << 4 | number // 10
