"""What can go wrong in the codec."""


class MalformedTpdu(ValueError):
    """Octets that are no TPDU. The only exception that decoding raises, whatever the octets.

    `reason` is a short English phrase without any of the message's content; `offset` is the octet, counted from the
    first octet given to the decoder, at which reading failed.
    """

    def __init__(self, reason: str, offset: int = 0) -> None:
        super().__init__(f"{reason} (octet {offset})")
        self.reason = reason
        self.offset = offset


class UnencodableTpdu(ValueError):
    """A value that the field meant for it cannot carry."""


class BadAddress(UnencodableTpdu):
    """A number or sender name that no address field can carry."""


class TextRefused(ValueError):
    """Base of the reasons for which a text cannot be sent as asked."""


class NotInAlphabet(TextRefused):
    """The text was to be sent in the 7-bit alphabet but has other `characters`, listed in order, each once."""

    def __init__(self, characters: tuple[str, ...]) -> None:
        shown = " ".join(f"U+{ord(char):04X}" for char in characters[:10])
        super().__init__(f"{len(characters)} character(s) are not in the GSM 7-bit alphabet: {shown}")
        self.characters = characters


class TextTooLong(TextRefused):
    """The text needs more than `limit` segments: `segments`, or more."""

    def __init__(self, segments: int, limit: int) -> None:
        super().__init__(f"the text needs {segments} segments, and a message can have {limit}")
        self.segments = segments
        self.limit = limit


class UnpairedSurrogate(TextRefused):
    """The text has half of a surrogate pair at character `position`: it is no valid Unicode text."""

    def __init__(self, position: int) -> None:
        super().__init__(f"half of a surrogate pair stands at character {position}")
        self.position = position
