"""Which character set a text file is in: marks and structure first, else the most plausible of the common ones."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterable
from pathlib import Path

SAMPLE = 262_144
"""Octets at the beginning of a file from which a national character set is guessed."""
_BLOCK = 1 << 20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CANDIDATES = ("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1257", "koi8-r", "cp850", "cp852", "mac-roman")
"""In the order in which one is preferred when several are as plausible."""
# Letters that the languages written in a set are full of. Others are possible, and less likely.
_USUAL = {
    "cp1252": "äöüßÄÖÜéèêëàâçîïôûùÉÈÀÇáíóúñÁÍÓÚÑãõÃÕåæøÅÆØìò",
    "cp1250": "ąćęłńśźżĄĆĘŁŃŚŹŻčďěňřšťůžýČĎĚŇŘŠŤŮŽÝáéíóúÁÉÍÓÚőűŐŰöüäÖÜĺľŕđĐăâîşţĂÂÎŞŢß",
    "cp1253": "άέήίόύώΆΈΉΊΌΎΏϊϋΐΰαβγδεζηθικλμνξοπρστυφχψωςΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ",
    "cp1254": "ğışçöüĞİŞÇÖÜâîû",
    "cp1257": "ąčęėįšųūžĄČĘĖĮŠŲŪŽāēģīķļņĀĒĢĪĶĻŅõäöüÕÄÖÜ",
    "cp850": "äöüßÄÖÜéèêëàâçîïôûùÉáíóúñÑåæøÅÆØ",
    "cp852": "ąćęłńśźżčďěňřšťůžýáéíóúőűöüäß",
    "mac-roman": "äöüßÄÖÜéèêëàâçîïôûùÉáíóúñÑåæøÅÆØãõ",
}
_CYRILLIC = frozenset("абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґ")
_MARKS_OF_TEXT = frozenset("€£–—‘’“”„…«»°§·•№")


def known_charset(name: str) -> bool:
    """Return whether text can be read in a character set of that name."""
    try:
        info = codecs.lookup(name)
        return isinstance("x".encode(info.name), bytes) and info.name not in {"idna", "punycode"} and _is_text(info)
    except (LookupError, UnicodeError, ValueError):
        return False


def detect(path: Path) -> str:
    """Return the name of the character set; reads the whole file, in blocks."""
    with path.open("rb") as file:
        sample = file.read(SAMPLE)
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    if wide := _without_mark(sample):
        return wide
    if _is_utf8(path):
        return "utf-8"
    return guess(sample)


def guess(sample: bytes) -> str:
    """Return the national character set in which the sample reads most like text; none of its octets is lost in it."""
    scores = {name: _score(sample, name) for name in CANDIDATES}
    readable = {name: score for name, score in scores.items() if score is not None}
    return max(readable, key=readable.__getitem__) if readable else "latin-1"


def _is_text(info: codecs.CodecInfo) -> bool:
    return bool(getattr(info, "_is_text_encoding", True))


def _without_mark(sample: bytes) -> str | None:
    """Tell UTF-16 by where the NULs are: most characters of a list of numbers are ASCII."""
    even, odd = sample[0:4096:2], sample[1:4096:2]
    if len(even) < 4:
        return None
    if odd.count(0) > 0.6 * len(odd) and even.count(0) < 0.1 * len(even):
        return "utf-16-le"
    if even.count(0) > 0.6 * len(even) and odd.count(0) < 0.1 * len(odd):
        return "utf-16-be"
    return None


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while block := file.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _score(sample: bytes, name: str) -> float | None:
    """Return how much like text the non-ASCII characters are, among their neighbours; None when it cannot be read."""
    try:
        text = sample.decode(name)
    except UnicodeDecodeError:
        return None
    usual = frozenset(_USUAL.get(name, ""))
    return sum(_plausible(before, char, after, usual) for before, char, after in _around(text))


def _around(text: str) -> Iterable[tuple[str, str, str]]:
    for at, char in enumerate(text):
        if char > "\x7f":
            yield text[at - 1] if at else " ", char, text[at + 1] if at + 1 < len(text) else " "


def _plausible(before: str, char: str, after: str, usual: frozenset[str]) -> float:
    if char in _MARKS_OF_TEXT or char == "\xa0":
        return 0.3
    if not char.isalpha():
        return -2.0 if unicodedata.category(char) in {"Cc", "So", "Co", "Cn"} else -1.0
    score = 1.0 if char in usual or char.lower() in _CYRILLIC else 0.1
    for neighbour in (before, after):
        if neighbour.isalpha() and _script(neighbour) != _script(char):
            score -= 1.5
    if char.isupper() and before.islower():
        score -= 1.5
    if char.isupper() and not before.isalpha() and after.islower():
        score += 0.2
    return score


def _script(char: str) -> str:
    if char < "\u0250":
        return "latin"
    return "greek" if char < "\u0400" else "cyrillic"
