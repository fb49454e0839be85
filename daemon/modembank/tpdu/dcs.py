"""TP-DCS, the data coding scheme (3GPP TS 23.038 clause 4)."""

from enum import IntEnum, StrEnum
from typing import Final, Self

import msgspec


class Alphabet(StrEnum):
    """How user data is coded (3GPP TS 23.038 4)."""

    GSM7 = "gsm7"
    OCTET = "octet"
    UCS2 = "ucs2"


class MessageClass(IntEnum):
    """Where the message is meant to go: FLASH is shown at once and not stored."""

    FLASH = 0
    DEVICE = 1
    SIM = 2
    TERMINAL = 3


class WaitingKind(IntEnum):
    """What waits, as a message-waiting indication says (3GPP TS 23.038 4)."""

    VOICEMAIL = 0
    FAX = 1
    EMAIL = 2
    OTHER = 3


class Indication(msgspec.Struct, frozen=True):
    """A message waiting indication: the indicator to set or clear, and whether the message itself is to be kept."""

    kind: WaitingKind
    active: bool
    store: bool


_ALPHABET_BITS: Final = {Alphabet.GSM7: 0x00, Alphabet.OCTET: 0x04, Alphabet.UCS2: 0x08}
_ALPHABETS: Final = (Alphabet.GSM7, Alphabet.OCTET, Alphabet.UCS2, Alphabet.GSM7)  # 11 is reserved: taken as GSM 7-bit


class Dcs(msgspec.Struct, frozen=True):
    """One TP-DCS octet, kept as received; every other property is read from it."""

    value: int = 0

    @classmethod
    def of(cls, alphabet: Alphabet, message_class: MessageClass | None = None) -> Self:
        """Build an octet of the general group (00xx)."""
        coded = _ALPHABET_BITS[alphabet]
        return cls(coded if message_class is None else coded | 0x10 | message_class)

    def encode(self) -> int:
        return self.value

    @property
    def _group(self) -> int:
        return self.value >> 4 & 0xF

    @property
    def alphabet(self) -> Alphabet:
        """The alphabet of the text; GSM7 for every reserved coding, as clause 4 asks."""
        group = self._group
        if group < 0x8:
            return _ALPHABETS[self.value >> 2 & 3]
        if group == 0xE:
            return Alphabet.UCS2
        if group == 0xF and self.value & 0x04:
            return Alphabet.OCTET
        return Alphabet.GSM7

    @property
    def payload_alphabet(self) -> Alphabet:
        """How the user data are counted and packed: as octets when compressed."""
        return Alphabet.OCTET if self.compressed else self.alphabet

    @property
    def compressed(self) -> bool:
        """Whether the text is compressed as in 3GPP TS 23.042 (which nothing in the field does)."""
        return self._group < 0x8 and bool(self.value & 0x20)

    @property
    def auto_delete(self) -> bool:
        """Whether the message is marked for automatic deletion once read (group 01xx)."""
        return 0x4 <= self._group < 0x8

    @property
    def message_class(self) -> MessageClass | None:
        group = self._group
        if group == 0xF or (group < 0x8 and self.value & 0x10):
            return MessageClass(self.value & 3)
        return None

    @property
    def indication(self) -> Indication | None:
        """The message waiting indication of groups 1100 (discard), 1101 and 1110 (store)."""
        if not 0xC <= self._group <= 0xE:
            return None
        return Indication(WaitingKind(self.value & 3), active=bool(self.value & 0x08), store=self._group != 0xC)


PLAIN: Final = Dcs()
"""The default alphabet, no class: TP-DCS 0."""
