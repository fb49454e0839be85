"""TP-UDL and TP-UD: a header, and the text or octets behind it (3GPP TS 23.040 clauses 9.2.3.16 and 9.2.3.24)."""

from typing import Final, Self

import msgspec

from modembank.tpdu.dcs import Alphabet
from modembank.tpdu.elements import Concat, Udh
from modembank.tpdu.errors import UnencodableTpdu, UnpairedSurrogate
from modembank.tpdu.gsm7 import decode_septets, gsm7_septets
from modembank.tpdu.packing import fill_bits_after, pack_septets, unpack_septets
from modembank.tpdu.tables import Language

MAX_USER_DATA_OCTETS: Final = 140


class UserData(msgspec.Struct, frozen=True):
    """What one TPDU carries.

    `payload` holds septets, one per octet, when the alphabet is GSM7; otherwise octets as on the air. `udh_error` says
    why a header was not or only partly read (the text behind it is kept), `truncated` that fewer octets came than
    TP-UDL promised.
    """

    alphabet: Alphabet = Alphabet.GSM7
    payload: bytes = b""
    udh: Udh | None = None
    udh_error: str = ""
    truncated: bool = False

    @classmethod
    def of_text(cls, text: str, udh: Udh | None = None) -> Self:
        """Hold a text that fits one part: 7-bit when every character is in the alphabet, else UCS-2.

        Raises UnpairedSurrogate.
        """
        locking, single = (udh.locking, udh.single) if udh else (Language.DEFAULT, Language.DEFAULT)
        septets = gsm7_septets(text, locking, single)
        if septets is not None:
            return cls(Alphabet.GSM7, septets, udh)
        return cls(Alphabet.UCS2, utf16_units(text), udh)

    @classmethod
    def of_octets(cls, octets: bytes, udh: Udh | None = None) -> Self:
        return cls(Alphabet.OCTET, octets, udh)

    @property
    def text(self) -> str | None:
        """The text; None for octets. Unreadable positions and halves of surrogate pairs show as U+FFFD."""
        if self.alphabet is Alphabet.OCTET:
            return None
        if self.alphabet is Alphabet.UCS2:
            return self.payload.decode("utf-16-be", "replace")
        return decode_septets(self.payload, self.locking, self.single)

    @property
    def locking(self) -> Language:
        return self.udh.locking if self.udh else Language.DEFAULT

    @property
    def single(self) -> Language:
        return self.udh.single if self.udh else Language.DEFAULT

    @property
    def concat(self) -> Concat | None:
        return self.udh.concat if self.udh else None

    def encode(self) -> bytes:
        """Encode TP-UDL and TP-UD. Raises UnencodableTpdu above 140 octets."""
        header = self.udh.encode() if self.udh else b""
        if self.alphabet is Alphabet.GSM7:
            fill = fill_bits_after(len(header))
            length = (8 * len(header) + fill) // 7 + len(self.payload)
            body = header + pack_septets(self.payload, fill)
        else:
            body = header + self.payload
            length = len(body)
        if len(body) > MAX_USER_DATA_OCTETS:
            msg = f"{len(body)} octets of user data; a TPDU carries {MAX_USER_DATA_OCTETS}"
            raise UnencodableTpdu(msg)
        return bytes((length,)) + body

    @classmethod
    def decode(cls, length: int, octets: bytes, alphabet: Alphabet, *, has_header: bool) -> Self:
        """Read user data whose TP-UDL is `length` (septets for GSM7, else octets); octets behind it are ignored.

        Never fails: what came is kept, `truncated` and `udh_error` say what is wrong with it.
        """
        promised = (7 * length + 7) // 8 if alphabet is Alphabet.GSM7 else length
        octets, truncated = octets[:promised], len(octets) < promised
        udh, error, size = _split_header(octets) if has_header else (None, "", 0)
        if alphabet is not Alphabet.GSM7:
            return cls(alphabet, octets[size:], udh, error, truncated)
        fill = fill_bits_after(size)
        septets = unpack_septets(octets[size:], length - (8 * size + fill) // 7, fill)
        return cls(alphabet, septets, udh, error, truncated)


def utf16_units(text: str) -> bytes:
    """Encode to big-endian UTF-16 (what the field calls UCS-2). Raises UnpairedSurrogate."""
    try:
        return text.encode("utf-16-be")
    except UnicodeEncodeError as error:
        raise UnpairedSurrogate(error.start) from None


def _split_header(octets: bytes) -> tuple[Udh | None, str, int]:
    """Return the header, what is wrong with it, and how many octets to skip before the text."""
    if not octets:
        return None, "no header where one was announced", 0
    size = 1 + octets[0]
    if size > len(octets):
        return None, "header longer than the user data", 0
    udh = Udh.decode(octets[1:size])
    return udh, "an information element runs past the header" if udh.remainder else "", size
