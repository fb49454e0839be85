"""The GSM 7-bit default alphabet and septet packing, written for the emulator alone (3GPP TS 23.038 6.1.2, 6.2.1)."""

from __future__ import annotations

from typing import Final

ESCAPE: Final = 0x1B
BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION: Final = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
_CODE: Final = {char: code for code, char in enumerate(BASIC) if code != ESCAPE}
_EXTENDED_CODE: Final = {char: code for code, char in EXTENSION.items()}


def fits(text: str) -> bool:
    """Tell whether every character is in the default alphabet or its extension table."""
    return all(char in _CODE or char in _EXTENDED_CODE for char in text)


def to_septets(text: str) -> bytes:
    """One byte per septet, extension characters as an escape pair; KeyError for a character outside the alphabet."""
    septets = bytearray()
    for char in text:
        code = _CODE.get(char)
        if code is None:
            septets.append(ESCAPE)
            code = _EXTENDED_CODE[char]
        septets.append(code)
    return bytes(septets)


def from_septets(septets: bytes) -> str:
    """Text of a run of septets; an unknown extension shows as its basic character (3GPP TS 23.038 6.2.1.1)."""
    chars: list[str] = []
    escaped = False
    for septet in septets:
        if escaped:
            chars.append(EXTENSION.get(septet, " " if septet == ESCAPE else BASIC[septet]))
            escaped = False
        elif septet == ESCAPE:
            escaped = True
        else:
            chars.append(BASIC[septet])
    if escaped:
        chars.append(" ")
    return "".join(chars)


def pack(septets: bytes, fill_bits: int = 0) -> bytes:
    """Pack septets into octets, low bits first, after `fill_bits` zero bits that follow a header."""
    bits = 0
    for position, septet in enumerate(septets):
        bits |= septet << (fill_bits + 7 * position)
    return bits.to_bytes((fill_bits + 7 * len(septets) + 7) // 8, "little")


def unpack(octets: bytes, count: int, fill_bits: int = 0) -> bytes:
    """The first `count` septets of packed octets; fewer when the octets end early."""
    available = max(0, (8 * len(octets) - fill_bits) // 7)
    bits = int.from_bytes(octets, "little") >> fill_bits
    septets = bytearray()
    for _ in range(min(count, available)):
        septets.append(bits & 0x7F)
        bits >>= 7
    return bytes(septets)
