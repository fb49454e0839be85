"""Characters that force a text out of the 7-bit alphabet although it has an equivalent."""

import re
import unicodedata
from typing import Final

from modembank.tpdu.gsm7 import gsm7_septets

_GROUPS: Final = (
    ("‘’‚‛′‵ʼʹ`´ˈ＇", "'"),
    ("“”„‟″‶«»〝〞＂", '"'),
    ("‐‑‒–—―−﹣－⁃", "-"),
    ("‹〈", "<"),
    ("›〉", ">"),
    ("…", "..."),
    ("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t", " "),
    ("\u00ad\u200b\u200e\u200f\u2060\ufeff", ""),
    ("\u0085\u2028\u2029\v", "\n"),
    ("•·∙‧▪◦●", "*"),
    ("⁄∕", "/"),
    ("×", "x"),
    ("÷", ":"),
    ("™", "(TM)"),
    ("©", "(c)"),
    ("®", "(R)"),
    ("№", "No."),
    ("ﬁ", "fi"),
    ("ﬂ", "fl"),
    ("ﬀ", "ff"),
    ("ﬃ", "ffi"),
    ("ﬄ", "ffl"),
    ("½", "1/2"),
    ("¼", "1/4"),
    ("¾", "3/4"),
    ("∆", "Δ"),
    ("\u2126", "Ω"),
    ("₤", "£"),
    ("！", "!"),
    ("？", "?"),
    ("，", ","),
    ("．", "."),
    ("：", ":"),
    ("；", ";"),
)
_EQUIVALENTS: Final = {char: replacement for chars, replacement in _GROUPS for char in chars}
_CANDIDATE: Final = re.compile("[A-Za-z][\u0300-\u036f]+|[" + "".join(map(re.escape, _EQUIVALENTS)) + "]")


def replaceable(text: str) -> dict[str, str]:
    """Return the typographic characters of a text with their 7-bit equivalents, in order of appearance.

    A letter with a separate accent counts as one key of several characters when its composed form is in the alphabet.
    Meant as an offer to the writer: applying it changes the text.
    """
    found: dict[str, str] = {}
    for key in dict.fromkeys(_CANDIDATE.findall(text)):
        replacement = _EQUIVALENTS.get(key)
        if replacement is None:
            replacement = unicodedata.normalize("NFC", key)
            if gsm7_septets(replacement) is None:
                continue
        found[key] = replacement
    return found


def with_replacements(text: str, replacements: dict[str, str]) -> str:
    """Apply what `replaceable` offered, or a part of it."""
    return _CANDIDATE.sub(lambda match: replacements.get(match.group(), match.group()), text)
