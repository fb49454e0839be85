"""Text into parts, and how many it takes (3GPP TS 23.040 clause 9.2.3.24.1)."""

from collections.abc import Iterator
from enum import StrEnum
from itertools import pairwise
from typing import Final, Literal

import msgspec

from modembank.tpdu.cutting import cluster_cuts, septet_cuts, unit_cuts
from modembank.tpdu.dcs import Alphabet
from modembank.tpdu.elements import Concat, Udh
from modembank.tpdu.errors import NotInAlphabet, TextTooLong
from modembank.tpdu.gsm7 import foreign_characters, gsm7_septets
from modembank.tpdu.tables import LOCKING_TABLES, Language
from modembank.tpdu.user_data import MAX_USER_DATA_OCTETS, UserData, utf16_units

MAX_SEGMENTS: Final = 255
ReferenceBits = Literal[8, 16]
_CONCAT_OCTETS: Final[dict[ReferenceBits, int]] = {8: 5, 16: 6}
_NATIONAL_OCTETS: Final = 3


class Encoding(StrEnum):
    """AUTO takes the 7-bit alphabet when every character is in it, else UCS-2."""

    AUTO = "auto"
    GSM7 = "gsm7"
    UCS2 = "ucs2"


class SegmentCount(msgspec.Struct, frozen=True):
    """How a text would be sent: `units` are septets (GSM7) or UTF-16 code units (UCS2) in all parts together.

    `characters_left` is how many more units the last part takes. `forced_by` are the characters that made it UCS2.
    """

    encoding: Encoding
    segments: int
    units: int
    characters_left: int
    forced_by: tuple[str, ...] = ()


class SplitText(msgspec.Struct, frozen=True):
    """A text in parts. `lengths` and `capacity` count units as in SegmentCount; the languages are those in use."""

    encoding: Encoding
    parts: tuple[UserData, ...]
    lengths: tuple[int, ...]
    capacity: int
    forced_by: tuple[str, ...] = ()
    locking: Language = Language.DEFAULT
    single: Language = Language.DEFAULT

    @property
    def characters_left(self) -> int:
        return self.capacity - self.lengths[-1]


class _Plan(msgspec.Struct, frozen=True):
    """A text encoded, and the ends of its parts in units."""

    encoding: Encoding
    encoded: bytes
    cuts: list[int]
    capacity: int
    forced_by: tuple[str, ...] = ()
    locking: Language = Language.DEFAULT
    single: Language = Language.DEFAULT

    @property
    def unit_octets(self) -> int:
        return 2 if self.encoding is Encoding.UCS2 else 1

    @property
    def cost(self) -> tuple[int, int]:
        """Segments, then the octets of the header's national part: the cheaper plan is the better."""
        return len(self.cuts), (self.locking is not Language.DEFAULT) + (self.single is not Language.DEFAULT)


def split_text(
    text: str,
    *,
    reference: int,
    encoding: Encoding = Encoding.AUTO,
    reference_bits: ReferenceBits = 8,
    national: Language | None = None,
) -> SplitText:
    """Split a text into the user data of as many SUBMITs as it takes; an empty text is one part.

    `reference` (8 or 16 bits) marks the parts of one message for the recipient. `national` opts in to that language's
    tables when the text is not in the default alphabet and they save parts. Pairs are never separated, emoji and accent
    sequences only where keeping them whole would cost a part.
    Raises TextTooLong above 255 parts, NotInAlphabet when GSM7 is demanded and impossible, UnpairedSurrogate, and
    UnencodableTpdu when the reference has more than `reference_bits`.
    """
    plan = _plan(text, encoding, reference_bits, national)
    cuts = plan.cuts
    if plan.encoding is Encoding.UCS2 and len(cuts) > 1:
        cuts = cluster_cuts(text, plan.capacity, len(cuts)) or cuts
    alphabet = Alphabet.UCS2 if plan.encoding is Encoding.UCS2 else Alphabet.GSM7
    spans = list(pairwise([0, *cuts]))
    parts = tuple(
        UserData(
            alphabet,
            plan.encoded[start * plan.unit_octets : end * plan.unit_octets],
            Udh.build(
                concat=Concat(reference, len(spans), number, reference_bits == 16) if len(spans) > 1 else None,
                locking=plan.locking,
                single=plan.single,
            ),
        )
        for number, (start, end) in enumerate(spans, 1)
    )
    lengths = tuple(end - start for start, end in spans)
    return SplitText(plan.encoding, parts, lengths, plan.capacity, plan.forced_by, plan.locking, plan.single)


def count_segments(
    text: str,
    *,
    encoding: Encoding = Encoding.AUTO,
    reference_bits: ReferenceBits = 8,
    national: Language | None = None,
) -> SegmentCount:
    """Count what `split_text` would make, without making it. Raises the same, the reference apart."""
    plan = _plan(text, encoding, reference_bits, national)
    units = plan.cuts[-1]
    last = units - plan.cuts[-2] if len(plan.cuts) > 1 else units
    return SegmentCount(plan.encoding, len(plan.cuts), units, plan.capacity - last, plan.forced_by)


def _plan(text: str, encoding: Encoding, bits: ReferenceBits, national: Language | None) -> _Plan:
    plan = None if encoding is Encoding.UCS2 else _plan_septets(text, bits)
    if plan is None and encoding is not Encoding.UCS2 and national is not None:
        candidates = [found for pair in _pairs(national) if (found := _plan_septets(text, bits, *pair))]
        plan = min(candidates, key=lambda found: found.cost, default=None)
    if plan is None and encoding is Encoding.GSM7:
        raise NotInAlphabet(_nowhere_found(text, national))
    if plan is None or plan.cost[1]:
        wide = _plan_units(text, bits, forced=encoding is Encoding.AUTO)
        if plan is None or (encoding is Encoding.AUTO and len(wide.cuts) < len(plan.cuts)):
            plan = wide
    if len(plan.cuts) > MAX_SEGMENTS:
        raise TextTooLong(len(plan.cuts), MAX_SEGMENTS)
    return plan


def _plan_septets(
    text: str, bits: ReferenceBits, locking: Language = Language.DEFAULT, single: Language = Language.DEFAULT
) -> _Plan | None:
    septets = gsm7_septets(text, locking, single)
    if septets is None:
        return None
    national = _NATIONAL_OCTETS * ((locking is not Language.DEFAULT) + (single is not Language.DEFAULT))
    capacity = _free_octets(national) * 8 // 7
    if len(septets) <= capacity:
        return _Plan(Encoding.GSM7, septets, [len(septets)], capacity, (), locking, single)
    capacity = _free_octets(national + _CONCAT_OCTETS[bits]) * 8 // 7
    return _Plan(Encoding.GSM7, septets, septet_cuts(septets, capacity), capacity, (), locking, single)


def _plan_units(text: str, bits: ReferenceBits, *, forced: bool) -> _Plan:
    utf16 = utf16_units(text)
    forced_by = foreign_characters(text) if forced else ()
    capacity = MAX_USER_DATA_OCTETS // 2
    if len(utf16) <= MAX_USER_DATA_OCTETS:
        return _Plan(Encoding.UCS2, utf16, [len(utf16) // 2], capacity, forced_by)
    capacity = _free_octets(_CONCAT_OCTETS[bits]) // 2
    return _Plan(Encoding.UCS2, utf16, unit_cuts(utf16, capacity), capacity, forced_by)


def _free_octets(elements: int) -> int:
    """Octets left beside a header with so many octets of elements (UDHL is one more)."""
    return MAX_USER_DATA_OCTETS - (elements + 1 if elements else 0)


def _pairs(language: Language) -> Iterator[tuple[Language, Language]]:
    yield Language.DEFAULT, language
    if language in LOCKING_TABLES:
        yield language, Language.DEFAULT
        yield language, language


def _nowhere_found(text: str, national: Language | None) -> tuple[str, ...]:
    """Return the characters that keep a text out of the 7-bit alphabet, the opted-in language's tables included."""
    if national is None:
        return foreign_characters(text)
    return min((foreign_characters(text, *pair) for pair in _pairs(national)), key=len)
