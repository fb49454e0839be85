"""+CUSD in all the forms modems give it (3GPP TS 27.007 7.15): what was meant is found by what reads as text."""

import re

import msgspec

from modembank.at.fields import arguments, number

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+\Z")
# Possessive, so that no blank is tried twice: a text of blanks must not cost the square of its length.
_WITH_TEXT = re.compile(r'\s*(\d)\s*,\s*"(.*)"\s*+(?:,\s*+(\d{1,3})?+\s*+)?\Z', re.DOTALL)
_STATE = re.compile(r'\s*(\d)\s*,\s*"?')
_DCS = re.compile(r",\s*+(\d{1,3})\Z")
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufffd-\uffff]")
MAX_TEXT = 1024

# 3GPP TS 23.038 6.2.1 and 6.2.1.1.
_GSM7 = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_MORE = {10: "\f", 20: "^", 40: "{", 41: "}", 47: "\\", 60: "[", 61: "~", 62: "]", 64: "|", 101: "€"}


class UssdReport(msgspec.Struct, frozen=True):
    """``state`` 0 done, 1 the network asks back, 2 ended, 3 other client, 4 not supported, 5 timeout."""

    state: int
    text: str | None
    dcs: int | None


def parse_cusd(line: str) -> UssdReport | None:
    """A +CUSD line (its text may span lines): packed 7-bit, 8-bit or UCS-2 in hex, or plain text; with or without DCS.

    The DCS is a hint only: UCS-2 arrives under 15, ASCII octets under 0. The text is cleaned of control characters and
    of padding, and bounded.
    """
    args = arguments(line)
    found = _WITH_TEXT.match(args)
    parts = (found[1], found[2], found[3]) if found else _unquoted(args)
    if parts is None:
        state = number(args)
        return UssdReport(state, None, None) if state is not None and 0 <= state <= 9 else None
    dcs = int(parts[2]) if parts[2] else None
    return UssdReport(int(parts[0]), _clean(_decode(parts[1], dcs)) or None, dcs)


def _unquoted(args: str) -> tuple[str, str, str | None] | None:
    """State, text and DCS where the quotes are missing, or one of them is."""
    head = _STATE.match(args)
    if head is None:
        return None
    text = args[head.end() :].rstrip()
    dcs = _DCS.search(text)
    if dcs is not None:
        text = text[: dcs.start()].rstrip()
    return head[1], text.removesuffix('"'), dcs[1] if dcs else None


def from_ucs2_hex(text: str) -> str | None:
    """UCS-2 in hex as text, when it reads as such; None otherwise."""
    if len(text) % 4 or not _HEX.match(text):
        return None
    decoded = bytes.fromhex(text).decode("utf-16-be", errors="replace")
    return decoded if _is_one_script(decoded) and _reads_well(decoded) else None


def _is_one_script(text: str) -> bool:
    """Whether the letters' rows of 256 lie as in a text somebody wrote, and not scattered as in septets misread."""
    rows = [ord(letter) >> 8 for letter in text]
    if len(set(rows)) <= max(2, len(text) // 8) or rows.count(0) * 2 >= len(text):
        return True
    # Chinese and Japanese are scattered over their block; a digit or a sign between tells them from lower-case ASCII.
    return any(map(_is_sign, text)) and all(_is_sign(letter) or "\u3040" <= letter <= "\u9fff" for letter in text)


def _is_sign(letter: str) -> bool:
    """ASCII, CJK punctuation or a full-width digit or sign."""
    return letter < "\x80" or "\u3000" <= letter <= "\u301f" or "\uff00" <= letter <= "\uff1f"


def unpack_gsm7(octets: bytes) -> str:
    """Packed septets as text (3GPP TS 23.038 6.1.2.3.1, USSD packing: a CR fills the last octet)."""
    bits = int.from_bytes(octets, "little")
    septets = [(bits >> 7 * position) & 0x7F for position in range(len(octets) * 8 // 7)]
    letters, escaped = [], False
    for septet in septets:
        if escaped:
            letters.append(_GSM7_MORE.get(septet, _GSM7[septet]))
        elif septet != 0x1B:
            letters.append(_GSM7[septet])
        escaped = septet == 0x1B and not escaped
    text = "".join(letters)
    return text.removesuffix("\r")


def pack_gsm7(text: str) -> str | None:
    """A USSD request as packed 7-bit hex, for modems that want it so; None when a character is not in the alphabet."""
    septets = []
    for letter in text:
        position = _GSM7.find(letter)
        if position < 0 or letter == "\x1b":
            return None
        septets.append(position)
    if len(septets) % 8 == 7:
        septets.append(0x0D)
    bits = sum(septet << 7 * position for position, septet in enumerate(septets))
    return bits.to_bytes((len(septets) * 7 + 7) // 8, "little").hex().upper()


def _decode(text: str, dcs: int | None) -> str:
    text = text.strip()
    if len(text) < 4 or len(text) % 2 or not _HEX.match(text):
        return text
    octets = bytes.fromhex(text)
    if _says_ucs2(dcs):
        return _from_padded_ucs2(octets, with_language=dcs == 0x11)
    wide = from_ucs2_hex(text)
    # An account balance or one's own number reads as hex as well: digits are UCS-2 only where every row is 0.
    digits = text.isdigit() and len(text) < 24
    if wide is not None and not (digits and any(octets[::2])):
        return wide
    if digits:
        return text
    narrow = octets.decode("latin-1")
    if narrow.isascii() and _reads_well(narrow):
        return narrow
    packed = unpack_gsm7(octets)
    return packed if _reads_well(packed) else text


def _says_ucs2(dcs: int | None) -> bool:
    """3GPP TS 23.038 5: group 0001 with language, and general groups 01xx with alphabet 2."""
    return dcs is not None and (dcs == 0x11 or (0x40 <= dcs <= 0x7F and dcs & 0x0C == 0x08))


def _from_padded_ucs2(octets: bytes, *, with_language: bool) -> str:
    if with_language and len(octets) > 2 and octets[0] and octets[0] & 0x60 == 0x60:
        octets = octets[2:]
    text = octets[: len(octets) // 2 * 2].decode("utf-16-be", errors="replace")
    return text.partition("\uffff")[0]


def _reads_well(text: str) -> bool:
    """Whether nine letters in ten are what people write."""
    good = sum(letter.isalnum() or letter in " \r\n.,:;!?*#+-/()@$£€%&'\"_<>=" for letter in text)
    return bool(text) and good >= 0.9 * len(text)


def _clean(text: str) -> str:
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()[:MAX_TEXT]
