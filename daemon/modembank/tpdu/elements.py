"""The user data header and its information elements (3GPP TS 23.040 clause 9.2.3.24)."""

from collections.abc import Sequence
from typing import Final, Self

import msgspec

from modembank.tpdu.errors import UnencodableTpdu
from modembank.tpdu.tables import Language

CONCAT_8: Final = 0x00
SPECIAL_INDICATION: Final = 0x01
PORTS_8: Final = 0x04
PORTS_16: Final = 0x05
CONCAT_16: Final = 0x08
NATIONAL_SINGLE: Final = 0x24
NATIONAL_LOCKING: Final = 0x25


class InformationElement(msgspec.Struct, frozen=True):
    """One element as received: its identifier and its value's octets."""

    tag: int
    value: bytes


class Concat(msgspec.Struct, frozen=True):
    """This part's place: `sequence` of `total` (both 1-255), under a reference of 8 bits, or 16 when `wide`."""

    reference: int
    total: int
    sequence: int
    wide: bool = False

    def element(self) -> InformationElement:
        """Raises UnencodableTpdu for a value out of range."""
        width = 2 if self.wide else 1
        if not (0 <= self.reference < 1 << 8 * width and 1 <= self.sequence <= self.total <= 255):
            msg = "concatenation values out of range"
            raise UnencodableTpdu(msg)
        value = self.reference.to_bytes(width) + bytes((self.total, self.sequence))
        return InformationElement(CONCAT_16 if self.wide else CONCAT_8, value)


class Ports(msgspec.Struct, frozen=True):
    """Application ports, of 8 bits, or 16 when `wide`."""

    destination: int
    source: int
    wide: bool = True

    def element(self) -> InformationElement:
        """Raises UnencodableTpdu for a value out of range."""
        width = 2 if self.wide else 1
        if not all(0 <= port < 1 << 8 * width for port in (self.destination, self.source)):
            msg = "port out of range"
            raise UnencodableTpdu(msg)
        value = self.destination.to_bytes(width) + self.source.to_bytes(width)
        return InformationElement(PORTS_16 if self.wide else PORTS_8, value)


class Udh(msgspec.Struct, frozen=True):
    """A user data header: its elements in order, and in `remainder` what stood behind the last readable one."""

    elements: tuple[InformationElement, ...] = ()
    remainder: bytes = b""

    @classmethod
    def build(
        cls,
        *,
        concat: Concat | None = None,
        ports: Ports | None = None,
        locking: Language = Language.DEFAULT,
        single: Language = Language.DEFAULT,
    ) -> Self | None:
        """Build a header of what is given; None when that is nothing. Raises UnencodableTpdu."""
        elements = [part.element() for part in (concat, ports) if part is not None]
        if single is not Language.DEFAULT:
            elements.append(InformationElement(NATIONAL_SINGLE, bytes((single,))))
        if locking is not Language.DEFAULT:
            elements.append(InformationElement(NATIONAL_LOCKING, bytes((locking,))))
        return cls(tuple(elements)) if elements else None

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the octets behind UDHL; an element that runs past the end stays, unread, in `remainder`."""
        elements: list[InformationElement] = []
        position = 0
        while position + 2 <= len(body) and position + 2 + body[position + 1] <= len(body):
            end = position + 2 + body[position + 1]
            elements.append(InformationElement(body[position], body[position + 2 : end]))
            position = end
        return cls(tuple(elements), body[position:])

    def encode(self) -> bytes:
        """Encode UDHL and the elements. Raises UnencodableTpdu when they do not fit."""
        if any(len(element.value) > 255 for element in self.elements):
            msg = "an information element has more than 255 octets"
            raise UnencodableTpdu(msg)
        body = b"".join(bytes((item.tag, len(item.value))) + item.value for item in self.elements) + self.remainder
        if len(body) > 139:
            msg = "the user data header has more than 140 octets"
            raise UnencodableTpdu(msg)
        return bytes((len(body),)) + body

    @property
    def size(self) -> int:
        """Octets of the whole header, UDHL included."""
        return 1 + sum(2 + len(element.value) for element in self.elements) + len(self.remainder)

    @property
    def concat(self) -> Concat | None:
        """This part's place, or None; impossible totals and sequence numbers are ignored as 9.2.3.24.1 asks."""
        value, wide = self._last({CONCAT_8: 3, CONCAT_16: 4})
        if not value:
            return None
        reference, total, sequence = int.from_bytes(value[:-2]), value[-2], value[-1]
        return Concat(reference, total, sequence, wide) if 1 <= sequence <= total else None

    @property
    def ports(self) -> Ports | None:
        value, wide = self._last({PORTS_8: 2, PORTS_16: 4})
        half = len(value) // 2
        return Ports(int.from_bytes(value[:half]), int.from_bytes(value[half:]), wide) if value else None

    @property
    def locking(self) -> Language:
        """The locking-shift language; DEFAULT when absent or unknown."""
        return _language(self._last({NATIONAL_LOCKING: 1})[0])

    @property
    def single(self) -> Language:
        """The single-shift language; DEFAULT when absent or unknown."""
        return _language(self._last({NATIONAL_SINGLE: 1})[0])

    def find(self, tag: int) -> Sequence[bytes]:
        """The values of every element with this identifier, in order."""
        return [element.value for element in self.elements if element.tag == tag]

    def _last(self, lengths: dict[int, int]) -> tuple[bytes, bool]:
        """Return the last element of these identifiers and exact lengths, and whether it is the wider kind.

        The last one counts where an element that must not repeat does (9.2.3.24).
        """
        for element in reversed(self.elements):
            if lengths.get(element.tag) == len(element.value):
                return element.value, element.tag in {CONCAT_16, PORTS_16}
        return b"", False


def _language(value: bytes) -> Language:
    try:
        return Language(value[0]) if value else Language.DEFAULT
    except ValueError:
        return Language.DEFAULT
