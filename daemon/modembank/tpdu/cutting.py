"""Where a text may be cut into parts."""

import unicodedata
from typing import Final

from modembank.tpdu.gsm7 import ESCAPE

_ZWJ: Final = "\u200d"
_HIGH_SURROGATES: Final = range(0xD8, 0xDC)


def septet_cuts(septets: bytes, capacity: int) -> list[int]:
    """Return the end of each part, in septets; an escape pair stays together."""
    cuts = []
    start, size = 0, len(septets)
    while start < size:
        end = min(start + capacity, size)
        # The encoder writes an escape only in front of its code, so one in last place has lost it.
        if end < size and septets[end - 1] == ESCAPE:
            end -= 1
        cuts.append(end)
        start = end
    return cuts


def unit_cuts(utf16: bytes, capacity: int) -> list[int]:
    """Return the end of each part, in UTF-16 code units of big-endian octets; a surrogate pair stays together."""
    cuts = []
    start, size = 0, len(utf16) // 2
    while start < size:
        end = min(start + capacity, size)
        if end < size and utf16[2 * end - 2] in _HIGH_SURROGATES:
            end -= 1
        cuts.append(end)
        start = end
    return cuts


def cluster_cuts(text: str, capacity: int, limit: int) -> list[int] | None:
    """Cut as `unit_cuts` does but between clusters (base with accents, emoji sequences), in code units as well.

    A cluster longer than a part is cut inside. None when this needs more than `limit` parts.
    """
    cuts: list[int] = []
    start, units = 0, 0
    while start < len(text) and len(cuts) < limit:
        end, width = _fill(text, start, capacity)
        if end < len(text):
            cut = next((cut for cut in range(end, start, -1) if _between_clusters(text, cut, start)), end)
            width -= sum(map(_width, text[cut:end]))
            end = cut
        units += width
        cuts.append(units)
        start = end
    return cuts if start >= len(text) else None


def _fill(text: str, start: int, capacity: int) -> tuple[int, int]:
    """Return the end of the longest slice that fits `capacity` code units, and its width."""
    end = min(start + capacity, len(text))
    width = sum(map(_width, text[start:end]))
    while width > capacity:
        end -= 1
        width -= _width(text[end])
    return end, width


def _width(char: str) -> int:
    return 2 if char > "\uffff" else 1


def _between_clusters(text: str, index: int, start: int) -> bool:
    """Whether a cut before `text[index]` leaves whole clusters on both sides (the main rules of UAX #29).

    `start` is where the part begins, between clusters itself.
    """
    before, after = text[index - 1], text[index]
    if _ZWJ in {before, after} or (before == "\r" and after == "\n"):
        return False
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":
        return False  # skin tones; the letters of a regional flag
    if _is_flag_half(after) and _is_flag_half(before):
        run = index
        while run > start and _is_flag_half(text[run - 1]):
            run -= 1
        return (index - run) % 2 == 0
    return not unicodedata.category(after).startswith("M")


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
