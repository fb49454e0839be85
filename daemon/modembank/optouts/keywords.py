"""What an inbound text means: stop, start, maybe stop, or nothing of the kind."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from typing import NamedTuple

from modembank.decency import OptOutConfig
from modembank.optouts.folding import fold, words_of
from modembank.optouts.lookalikes import SIGNS, as_default_alphabet, shape
from modembank.optouts.tables.words import EVERYWHERE, IN_SENTENCES, ORDINARY, PHRASES, WORDS

MOST_LETTERS = 160
"""Longer texts say more than a keyword does."""
MOST_WORDS = 6
"""Of a text that a stop word in it makes look like one."""
MOST_WORDS_AFTER = 20
"""Of a text that begins with one: ``Stop sending me these things, I never asked for them``."""
LONG_ENOUGH = 4
"""Letters of a keyword from which on a slip in it is looked for."""


class Meaning(enum.Enum):
    """What follows from a text."""

    STOP = "stop"
    START = "start"
    REVIEW = "review"
    """It may mean stop: a person decides."""
    NOTHING = "nothing"


class Heard(NamedTuple):
    """A text's meaning, and the keyword that it is or looks like."""

    meaning: Meaning
    keyword: str = ""


NOTHING = Heard(Meaning.NOTHING)


class Keywords:
    """The words in force; to be used from any thread."""

    def __init__(self, config: OptOutConfig) -> None:
        """Take the tables of the configured languages and the extra words."""
        chosen = [EVERYWHERE, *(WORDS[language] for language in config.languages)]
        self._start = {word: shown for words in chosen for word, shown in _folded(words.start)}
        self._stop = {word: shown for words in chosen for word, shown in _folded(words.stop)}
        self._stop.update((fold(word), word) for word in config.keywords if fold(word))
        self._stop.update((as_default_alphabet(shown), shown) for shown in [*self._stop.values()])
        self._start.update((as_default_alphabet(shown), shown) for shown in [*self._start.values()])
        for word in self._stop.keys() & self._start.keys():  # of two languages: it rather stops
            del self._start[word]
        self._maybe = {
            word: shown
            for words in WORDS.values()
            for folded, shown in (*_folded(words.doubtful), *_folded(words.stop))
            for word in (folded, as_default_alphabet(shown))
            if word not in self._stop and word not in self._start
        }
        telling = (*IN_SENTENCES, *config.keywords)
        self._within = {fold(word) for word in telling if fold(word) in self._stop}
        self._shapes = {shape(shown): shown for shown in self._stop.values()}
        self._slips = [word for word in self._stop if len(word) >= LONG_ENOUGH]

    def hear(self, text: str) -> Heard:
        """Return what a text means. Only a keyword that is the whole text is acted on."""
        if len(text) > MOST_LETTERS:
            return self._review(self._first_line(text))
        words = words_of(text)
        whole = "".join(words)
        if not whole:
            return self._review(self._shape(text) or next((sign for sign in text if sign in SIGNS), None))
        if whole in self._stop:
            return Heard(Meaning.STOP, self._stop[whole])
        if whole in self._start:
            return Heard(Meaning.START, self._start[whole])
        if whole in self._maybe:
            return Heard(Meaning.REVIEW, self._maybe[whole])
        alike = self._slip(whole) or self._within_sentence(words) or self._first_line(text) or self._shape(text)
        return self._review(alike)

    @staticmethod
    def _review(alike: str | None) -> Heard:
        return NOTHING if alike is None else Heard(Meaning.REVIEW, alike)

    def _first_line(self, text: str) -> str | None:
        """Return the stop word that is the whole first line, with a signature or a quotation under it."""
        lines = [line for line in text[: 2 * MOST_LETTERS].splitlines() if line.strip()]
        return self._stop.get(fold(lines[0][:MOST_LETTERS])) if len(lines) > 1 else None

    def _shape(self, text: str) -> str | None:
        """Return the stop word that a text looks like: written in letters of other alphabets, in digits or signs."""
        return self._shapes.get(shape(text)) if any(not char.isdecimal() for char in text) else None

    def _slip(self, whole: str) -> str | None:
        """Return the stop word of which this is a slip, or which it is with letters held down."""
        if whole in ORDINARY or any(char.isdigit() for char in whole):
            return None
        single = _without_repeats(whole)
        for word in self._slips:
            if abs(len(word) - len(whole)) <= 1 and is_one_slip(whole, word):
                return self._stop[word]
            if len(whole) > len(word) and single == _without_repeats(word):
                return self._stop[word]
        return None

    def _within_sentence(self, words: tuple[str, ...]) -> str | None:
        if len(words) <= MOST_WORDS:
            for word in words:
                if word in self._within:
                    return self._stop[word]
        if words[0] in self._within and len(words) <= MOST_WORDS_AFTER:
            return self._stop[words[0]]
        spaced = f" {' '.join(words)} "
        return next((phrase for phrase in PHRASES if f" {phrase} " in spaced), None)


def is_one_slip(one: str, other: str) -> bool:
    """Return whether one letter too many, too few, another, or two in the wrong order make one of the other."""
    if one == other:
        return False
    start = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    if start is None:
        return abs(len(one) - len(other)) == 1
    a, b = one[start:], other[start:]
    swapped = len(a) > 1 and len(b) > 1 and a[0] == b[1] and a[1] == b[0] and a[2:] == b[2:]
    return swapped or a[1:] == b[1:] or a[1:] == b or a == b[1:]


def _folded(words: str) -> Iterable[tuple[str, str]]:
    """Yield each word folded, and as it is shown to people."""
    for word in words.split():
        shown = word.replace("_", " ")
        yield fold(shown), shown


def _without_repeats(word: str) -> str:
    return re.sub(r"(.)\1+", r"\1", word)
