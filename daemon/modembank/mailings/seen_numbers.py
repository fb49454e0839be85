"""Which numbers came before, and in which line: a million of them in little room.

An object for each would take four times as much. These are tables of open addressing with linear probing, each of which
grows by itself, so that there is never twice as much of all. Table and slot are chosen by multiplication with a random
odd number (Dietzfelbinger et al., "A reliable randomized algorithm for the closest-pair problem", 1997), so that no
file can be made of numbers that all want the same slot.
"""

from __future__ import annotations

import secrets
from array import array

_WORD = 64
_MASK = (1 << _WORD) - 1
_TABLES_BITS = 6
_TABLE_SHIFT = _WORD - _TABLES_BITS
_LEAST_BITS = 4
_Table = tuple["array[int]", "array[int]", int, int]
"""Numbers (0: the slot is free), their lines, how far a hash is shifted, and the mask of what is then the slot."""


class SeenNumbers:
    """Numbers in E.164, or short codes as they are, each with the line in which it came first."""

    def __init__(self) -> None:
        """Start with none."""
        self._factor = secrets.randbits(_WORD) | 1
        self._tables = [_table(_LEAST_BITS) for _ in range(1 << _TABLES_BITS)]
        self._room = [_most(_LEAST_BITS)] * len(self._tables)

    def first(self, number: str, line: int) -> int:
        """Return the line in which a number came first, which is this one if it is new."""
        # No number begins with a zero behind its plus; a short code may, and its sign tells it from a number.
        key = int(number) if number[0] == "+" else -int("1" + number)
        code = key * self._factor & _MASK
        at = code >> _TABLE_SHIFT
        keys, lines, shift, mask = self._tables[at]
        slot = code >> shift & mask
        while found := keys[slot]:
            if found == key:
                return lines[slot]
            slot = slot + 1 & mask
        keys[slot], lines[slot] = key, line
        self._room[at] -= 1
        if not self._room[at]:
            self._grow(at)
        return line

    def _grow(self, at: int) -> None:
        old_keys, old_lines, old_shift, _ = self._tables[at]
        bits = _TABLE_SHIFT - old_shift + 1
        keys, lines, shift, mask = self._tables[at] = _table(bits)
        for key, line in zip(old_keys, old_lines, strict=True):
            if key:
                slot = (key * self._factor & _MASK) >> shift & mask
                while keys[slot]:
                    slot = slot + 1 & mask
                keys[slot], lines[slot] = key, line
        self._room[at] = _most(bits) - _most(bits - 1)


def _table(bits: int) -> _Table:
    return array("q", [0]) * (1 << bits), array("i", [0]) * (1 << bits), _TABLE_SHIFT - bits, (1 << bits) - 1


def _most(bits: int) -> int:
    """Return how many of the slots may be taken before the table grows."""
    return (1 << bits) * 5 // 8
