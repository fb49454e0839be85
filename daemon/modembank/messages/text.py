"""What a text costs, and whether it can be sent at all; refusals are sentences for the field they are about."""

from __future__ import annotations

import re
from collections.abc import Sequence

from modembank.messages.views import Preview, Replacement
from modembank.tpdu import (
    MAX_SEGMENTS,
    Encoding,
    NotInAlphabet,
    SegmentCount,
    TextTooLong,
    count_segments,
    gsm7_septets,
    replaceable,
    with_replacements,
)

MAX_CHARACTERS = MAX_SEGMENTS * 153
"""What fits into the most segments of the denser encoding (3GPP TS 23.040 9.2.3.24.1)."""

# Line feed, carriage return, tab and form feed have a meaning in a text; the other C0 and C1 controls only do harm.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_SURROGATES = re.compile("[\ud800-\udfff]")
# ASCII characters that are one septet each in the default alphabet (3GPP TS 23.038 6.2.1), as many as one part holds.
_PLAIN = re.compile("[\n\r !-Z_a-z]{1,160}")
_SHOWN = 10


class TextProblem(ValueError):
    """The text cannot be sent as asked; the message is the sentence to show."""


def is_plain(text: str) -> bool:
    """Return whether a text is one segment of characters that cost one septet each, as most are; cheap to ask."""
    return _PLAIN.fullmatch(text) is not None


def measure(text: str, encoding: Encoding, max_segments: int = MAX_SEGMENTS) -> SegmentCount:
    """Return how the text would be sent; raises TextProblem for one that cannot be, or takes too many segments."""
    if encoding is not Encoding.UCS2 and _PLAIN.fullmatch(text):  # most texts; what follows would find the same
        return SegmentCount(Encoding.GSM7, 1, len(text), 160 - len(text))
    if not text:
        msg = "is empty: there is nothing to send"
        raise TextProblem(msg)
    if len(text) > MAX_CHARACTERS:
        msg = f"has {len(text)} characters: no message can hold more than {MAX_CHARACTERS}"
        raise TextProblem(msg)
    if found := _CONTROLS.search(text):
        msg = f"has the control character {_named(found.group())} at position {found.start()}: remove it"
        raise TextProblem(msg)
    if found := _SURROGATES.search(text):
        msg = f"has half of a surrogate pair at position {found.start()}: it is no valid Unicode text"
        raise TextProblem(msg)
    try:
        count = count_segments(text, encoding=encoding)
    except NotInAlphabet as error:
        what = f"has characters outside the GSM 7-bit alphabet: {_listed(error.characters)}"
        msg = f"{what}; replace them, or use the encoding auto or ucs2"
        raise TextProblem(msg) from error
    except TextTooLong as error:
        msg = f"needs {error.segments} segments: no message can have more than {error.limit}"
        raise TextProblem(msg) from error
    if count.segments > max_segments:
        raise TextProblem(_too_many(count, max_segments))
    return count


def preview_text(text: str, encoding: Encoding = Encoding.AUTO) -> Preview:
    """Return how a text would go out and what would make it shorter; raises TextProblem as ``measure`` does."""
    count = measure(text, encoding)
    offers = replaceable(text) if count.forced_by else {}
    if not offers:
        return Preview(count.encoding.value, count.segments, count.characters_left, count.forced_by)
    shorter = with_replacements(text, offers)
    after = measure(shorter, encoding).segments if shorter else count.segments
    return Preview(
        encoding=count.encoding.value,
        segments=count.segments,
        characters_left=count.characters_left,
        forced_by=count.forced_by,
        replacements=tuple(Replacement(char, instead) for char, instead in offers.items()),
        text_after=shorter,
        segments_after=after,
        segments_saved=count.segments - after,
    )


def replaced(text: str, encoding: Encoding = Encoding.AUTO) -> str:
    """Return a text with what forces UCS-2 replaced, if then nothing does any more; else as it is."""
    if encoding is Encoding.UCS2 or _PLAIN.fullmatch(text) or gsm7_septets(text) is not None:
        return text
    shorter = with_replacements(text, replaceable(text))
    return shorter if gsm7_septets(shorter) is not None else text


def sanitised(text: str) -> str:
    """Return inbound text that breaks no protocol: controls but line ends and tabs become U+FFFD, as do lone halves.

    Nothing is removed, so that what was sent stays visible; a form feed of the 7-bit alphabet becomes a line end.
    """
    text = _CONTROLS.sub("\ufffd", text.replace("\f", "\n"))
    return _SURROGATES.sub("\ufffd", text)


def _too_many(count: SegmentCount, allowed: int) -> str:
    sentence = f"needs {count.segments} segments and may have {allowed}"
    if not count.forced_by:
        return f"{sentence}: shorten it, or raise max_segments"
    return f"{sentence}: {_listed(count.forced_by)} forced it to UCS-2, with 70 instead of 160 characters a segment"


def _listed(characters: Sequence[str]) -> str:
    # A tab or a mark that turns the text around is named only: shown, it would spoil the sentence.
    shown = " ".join(f"{char} ({_named(char)})" if char.isprintable() else _named(char) for char in characters[:_SHOWN])
    more = len(characters) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _named(character: str) -> str:
    return "+".join(f"U+{ord(char):04X}" for char in character)
