"""Octets as decisions: what a target does is read from the octets it is given, so that both drivers can steer it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

CUT = 0x1C
"""Separates the records of a script (ASCII's file separator): mutating one record leaves the others alone."""


class Dice:
    """Reads octets in order; once they run out, every decision is the first choice."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._position = 0

    @property
    def left(self) -> int:
        return max(0, len(self._octets) - self._position)

    def octet(self) -> int:
        return next(iter(self.take(1)), 0)

    def flag(self) -> bool:
        return self.octet() % 2 == 1

    def number(self, below: int) -> int:
        """From 0 up to, and without, ``below``."""
        return int.from_bytes(self.take(1 if below <= 256 else 3)) % below

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.number(len(choices))]

    def take(self, count: int) -> bytes:
        taken = self._octets[self._position : self._position + count]
        self._position += count
        return taken

    def text(self, longest: int) -> str:
        """Up to so many characters, from a length and UTF-8; what is none becomes Latin-1."""
        octets = self.take(self.number(longest + 1))
        try:
            return octets.decode()
        except UnicodeDecodeError:
            return octets.decode("latin-1")

    def rest(self) -> bytes:
        return self.take(self.left)


def records(octets: bytes) -> Iterator[Dice]:
    """The records of a script, each to be read from its start."""
    return (Dice(record) for record in octets.split(bytes([CUT])))


def script(*parts: bytes) -> bytes:
    """A script of these records."""
    return bytes([CUT]).join(parts)
