"""Texts, addresses and periods as SMPP carries them, and what a message looks like as requests. No I/O, no clock."""

from __future__ import annotations

import enum
import re
from typing import Final

from modembank.providers.adapters.smpp_pdu import Address, ShortMessage, Tag
from modembank.tpdu import Alphabet, Concat, Dcs, Encoding, MessageClass, Udh, UserData, gsm7_septets, split_text

UDHI: Final = 0x40
"""esm_class: the message begins with a user data header (5.2.12)."""
LATIN_1: Final = 0x03
UCS2: Final = 0x08
_FLASH_GSM7: Final = Dcs.of(Alphabet.GSM7, MessageClass.FLASH).encode()
_FLASH_UCS2: Final = Dcs.of(Alphabet.UCS2, MessageClass.FLASH).encode()
_BINARY: Final = frozenset({0x02, 0x04})
_CHARSETS: Final = {0x01: "latin-1", 0x03: "latin-1", 0x06: "iso8859_5", 0x07: "iso8859_8", 0x0E: "euc_kr"}
"""data_coding (5.2.19) by Python's names; 1 is IA5, in which some send Latin-1."""
_DIGITS: Final = re.compile(r"[0-9]{1,20}")
_DAY_S: Final = 86_400
_MOST_DAYS: Final = 99 * 365


class DefaultAlphabet(enum.StrEnum):
    """How an SMSC understands text that needs no UCS-2."""

    GSM7 = "gsm7"
    """data_coding 0 is the GSM 7-bit alphabet, one septet in an octet."""
    LATIN1 = "latin1"
    """As gsm7, but texts are sent as Latin-1 with data_coding 3."""
    LATIN1_AS_DEFAULT = "latin1_as_default"
    """data_coding 0 is Latin-1."""


class Numbering(enum.IntEnum):
    """Types of number (5.2.5)."""

    UNKNOWN = 0
    INTERNATIONAL = 1
    NETWORK_SPECIFIC = 3
    ALPHANUMERIC = 5


def address(text: str, ton: int | None, npi: int | None) -> Address | None:
    """Return a number or a sender's name as an address, its type by its look unless it is given; None: it is none.

    ``+4915112345678`` is international (1/1); digits alone are a short code (3/0); anything else is a name (5/0), of
    at most 20 characters (5.2.8). An empty one leaves the choice to the SMSC (0/0).
    """
    digits = text.removeprefix("+")
    if not text:
        looks = (Numbering.UNKNOWN, 0)
    elif not _DIGITS.fullmatch(digits):
        if len(text) > 20 or not text.isascii() or not text.isprintable():
            return None
        looks, digits = (Numbering.ALPHANUMERIC, 0), text
    else:
        looks = (Numbering.INTERNATIONAL, 1) if text != digits else (Numbering.NETWORK_SPECIFIC, 0)
    return Address(looks[0] if ton is None else ton, looks[1] if npi is None else npi, digits)


def number_of(found: Address, *, plain_is_international: bool) -> str:
    """Return an address as people and conversations know it; at most 40 characters, none of them invisible."""
    text = "".join(char for char in found.digits[:40] if char.isprintable())
    known = found.ton == Numbering.INTERNATIONAL or (
        plain_is_international and found.ton == Numbering.UNKNOWN and len(text) >= 8
    )
    return f"+{text}" if known and _DIGITS.fullmatch(text) else text


def relative_period(seconds: int) -> str:
    """Return a time from now on as ``YYMMDDhhmmss000R`` (7.1.1), a month having 30 days and a year 365."""
    seconds = max(1, min(seconds, _MOST_DAYS * _DAY_S))
    days, rest = divmod(seconds, _DAY_S)
    years, days = divmod(days, 365)
    months, days = divmod(days, 30)
    hours, rest = divmod(rest, 3600)
    return f"{years:02d}{months:02d}{days:02d}{hours:02d}{rest // 60:02d}{rest % 60:02d}000R"


def bodies_of(
    text: str, template: ShortMessage, *, alphabet: DefaultAlphabet, flash: bool, payload: bool, reference: int
) -> list[ShortMessage]:
    """Return a text as the requests that carry it, all else as in ``template``.

    One, when it fits one segment or ``payload`` puts longer ones into message_payload; else as many as segments, each
    with a header under ``reference``, of which only the last asks for a receipt, so that the message has one.
    Raises TextRefused.
    """
    coding, split_as = _coding(text, alphabet, flash=flash)
    parts = split_text(text, reference=reference & 0xFF, encoding=split_as).parts
    if len(parts) == 1:
        return [_with(template, coding, _octets(parts[0], coding, alphabet))]
    if payload:
        whole = _octets(UserData.of_text(text), coding, alphabet)
        return [_with(template, coding, b"", tlvs={Tag.MESSAGE_PAYLOAD: whole})]
    bodies = [_with(template, coding, _octets(part, coding, alphabet), segment=True) for part in parts]
    return [*(_with(body, coding, body.octets, quiet=True) for body in bodies[:-1]), bodies[-1]]


def user_data(message: ShortMessage, alphabet: DefaultAlphabet) -> UserData:
    """Return what a message from the SMSC says, with its place among others when it is a part; never fails."""
    udh, octets = _split_header(message)
    coding = message.data_coding
    if coding == 0 and alphabet is DefaultAlphabet.LATIN1_AS_DEFAULT:
        return UserData(Alphabet.UCS2, _utf16(octets.decode("latin-1")), udh)
    if coding in _CHARSETS:
        return UserData(Alphabet.UCS2, _utf16(octets.decode(_CHARSETS[coding], "replace")), udh)
    if coding == UCS2:
        return UserData(Alphabet.UCS2, octets, udh)
    if coding in _BINARY or 0 < coding < 0x10:
        return UserData(Alphabet.OCTET, octets, udh)
    kind = Dcs(coding).payload_alphabet
    return UserData(kind, bytes(octet & 0x7F for octet in octets) if kind is Alphabet.GSM7 else octets, udh)


def _coding(text: str, alphabet: DefaultAlphabet, *, flash: bool) -> tuple[int, Encoding]:
    """Return the data_coding for a text and how it is split.

    A text is only sent as Latin-1 when the 7-bit alphabet has all of it too, for that is what phones will get. A class
    is only known to the codings of GSM 03.38, so that a flash message is never Latin-1.
    """
    if gsm7_septets(text) is None:
        return (_FLASH_UCS2 if flash else UCS2), Encoding.UCS2
    if flash:
        return _FLASH_GSM7, Encoding.GSM7
    if alphabet is DefaultAlphabet.GSM7:
        return 0, Encoding.GSM7
    if not _is_latin(text):
        return UCS2, Encoding.UCS2
    return (LATIN_1 if alphabet is DefaultAlphabet.LATIN1 else 0), Encoding.GSM7


def _is_latin(text: str) -> bool:
    return all(ord(char) < 0x100 for char in text)


def _octets(part: UserData, coding: int, alphabet: DefaultAlphabet) -> bytes:
    header = part.udh.encode() if part.udh else b""
    if coding in {UCS2, _FLASH_UCS2}:
        return header + _utf16(part.text or "")
    if coding == _FLASH_GSM7 or alphabet is DefaultAlphabet.GSM7:
        return header + part.payload
    return header + (part.text or "").encode("latin-1")


def _with(
    message: ShortMessage,
    coding: int,
    octets: bytes,
    *,
    tlvs: dict[int, bytes] | None = None,
    segment: bool = False,
    quiet: bool = False,
) -> ShortMessage:
    """Return a message with other contents; msgspec.structs.replace() does not know which types it keeps."""
    return ShortMessage(
        message.source,
        message.destination,
        octets,
        message.esm_class | (UDHI if segment else 0),
        coding,
        0 if quiet else message.registered_delivery,
        message.validity,
        message.service_type,
        tlvs=tlvs or {},
    )


def _split_header(message: ShortMessage) -> tuple[Udh | None, bytes]:
    """Return the header, from the message or made of the sar_* parameters (5.3.2.22-24), and what is behind it."""
    octets = message.content
    if message.esm_class & UDHI and octets and octets[0] < len(octets):
        size = 1 + octets[0]
        return Udh.decode(octets[1:size]), octets[size:]
    numbers = [
        int.from_bytes(message.tlvs.get(tag, b""))
        for tag in (Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM)
    ]
    reference, total, sequence = numbers
    if not 1 <= sequence <= total <= 255:
        return None, octets
    return Udh.build(concat=Concat(reference & 0xFFFF, total, sequence, wide=True)), octets


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be")
