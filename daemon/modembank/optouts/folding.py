"""One form for words however they are typed: case, width, accents, punctuation, emoji and invisible characters away."""

from __future__ import annotations

import unicodedata

_ROUNDS = 4
"""Folding settles in two rounds; a bound, for Unicode grows."""
_SAME = str.maketrans({"ı": "i", "ς": "σ", "ـ": None, "ø": "o", "ł": "l", "đ": "d"})
_ACCENTS = ((0x0300, 0x036F), (0x064B, 0x065F), (0x0670, 0x0670))
"""Combining marks that people leave out; elsewhere (as in Devanagari) they are letters."""


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text, folded; what is neither letter, digit nor needed mark separates them or goes."""
    for _ in range(_ROUNDS):
        folded = _once(text)
        if folded == text:
            break
        text = folded
    return tuple(text.split())


def fold(text: str) -> str:
    """Return the whole text as one folded word: ``" S.T.O.P !"`` is ``stop``."""
    return "".join(words_of(text))


def _once(text: str) -> str:
    spread = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold()).translate(_SAME)
    return unicodedata.normalize("NFC", "".join(_kept(char) for char in spread))


def _kept(char: str) -> str:
    if char.isalnum():
        return char
    category = unicodedata.category(char)
    if category in {"Mn", "Mc"}:
        accent = any(first <= ord(char) <= last for first, last in _ACCENTS) or ord(char) in range(0xFE00, 0xFE10)
        return "" if accent else char
    invisible = category in {"Cf", "Cc", "Me"} and not char.isspace()
    return "" if invisible or char in "'’" else " "
