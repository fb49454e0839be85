"""What tells a text of a machine: it says the same again and again, but for a number or a date in it."""

from __future__ import annotations

import zlib

FEWEST_LETTERS = 12
"""People write ``ok``, ``yes`` and ``thanks`` again and again, too."""
_MOST_LETTERS = 400


def likeness(text: str) -> int:
    """Return a number that texts share which differ in nothing but digits, case, blanks and signs; 0: too short."""
    letters = "".join(char for char in text[: 2 * _MOST_LETTERS].casefold() if char.isalpha())[:_MOST_LETTERS]
    return 0 if len(letters) < FEWEST_LETTERS else zlib.crc32(letters.encode()) + 1
