"""Letters that look like others: what a handset makes of Greek capitals, and what people type to be clever."""

from __future__ import annotations

import unicodedata

from modembank.optouts.folding import fold

_GREEK = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX")
"""3GPP TS 23.038, clause 6.2.1: the default alphabet has only those Greek capitals that no Latin one looks like."""
_ALIKE = (
    _GREEK
    | str.maketrans("АВЕЅІЈКМНОРСТУХԚԜӀ", "ABESIJKMHOPCTYXQWI")
    | str.maketrans("013457$@", "OIEASTSA")
    | {first + at: chr(ord("A") + at) for first in (0x1F1E6, 0x1F150, 0x1F170) for at in range(26)}
)
"""Cyrillic, digits and signs; letters of flags, and those in black circles and squares, which NFKC leaves alone."""
SIGNS = frozenset("🛑⛔🚫")
"""Pictures that say it without a word."""


def as_default_alphabet(word: str) -> str:
    """Return a word folded as it comes from a handset that writes Greek in the GSM default alphabet: capitals."""
    return fold(_capitals(word).translate(_GREEK))


def shape(text: str) -> str:
    """Return the folded word that a text looks like."""
    return fold(_capitals(text).translate(_ALIKE))


def _capitals(text: str) -> str:
    """Return capitals without accents."""
    spread = unicodedata.normalize("NFKD", text).upper()
    return "".join(char for char in spread if unicodedata.category(char) != "Mn")
