"""Text to septets and back, in the default alphabet or with national language tables.

Septets travel as `bytes`, one septet in each octet's low seven bits; `packing` turns them into the octets on the air.
"""

import codecs
import re
from collections.abc import Callable
from functools import cache
from typing import Final

from modembank.tpdu.tables import LOCKING_TABLES, SINGLE_TABLES, Language

ESCAPE: Final = 0x1B
UNDEFINED: Final = "\ufffd"


def gsm7_septets(text: str, locking: Language = Language.DEFAULT, single: Language = Language.DEFAULT) -> bytes | None:
    """Encode to septets, escape pairs included; None when a character is in neither table.

    A language without a locking table (Spanish) locks to the default alphabet.
    """
    try:
        return codecs.charmap_encode(text, "strict", _encoding_map(locking, single))[0]
    except UnicodeEncodeError:
        return None


def foreign_characters(
    text: str, locking: Language = Language.DEFAULT, single: Language = Language.DEFAULT
) -> tuple[str, ...]:
    """Return the characters that `gsm7_septets` cannot encode, in order of appearance, each once."""
    return tuple(dict.fromkeys(_foreign_finder(locking, single)(text)))


def decode_septets(septets: bytes, locking: Language = Language.DEFAULT, single: Language = Language.DEFAULT) -> str:
    """Decode septets; never fails.

    An escaped code without a character shows the character of the main table (3GPP TS 23.038 clause 6.2.1.1), a second
    escape or a dangling one shows a space (NOTE 1), a position without a character in the main table shows U+FFFD.
    """
    main = _locking_table(locking)
    if ESCAPE not in septets:
        return codecs.charmap_decode(septets, "replace", main)[0]
    shifted = SINGLE_TABLES[single]
    plain, *escaped = septets.split(bytes((ESCAPE,)))
    pieces = [codecs.charmap_decode(plain, "replace", main)[0]]
    pending = False
    for run in escaped:
        if pending:  # this escape is the code of the escape before it
            pieces.append(" " + codecs.charmap_decode(run, "replace", main)[0])
            pending = False
        elif run:
            pieces.append(shifted.get(run[0]) or main[run[0] & 0x7F])
            pieces.append(codecs.charmap_decode(run[1:], "replace", main)[0])
        else:
            pending = True
    if pending:
        pieces.append(" ")
    return "".join(pieces)


def _locking_table(language: Language) -> str:
    return LOCKING_TABLES.get(language, LOCKING_TABLES[Language.DEFAULT])


@cache
def _encoding_map(locking: Language, single: Language) -> dict[int, bytes]:
    table: dict[int, bytes] = {}
    for septet, char in enumerate(_locking_table(locking)):
        if char != UNDEFINED and septet != ESCAPE:
            table.setdefault(ord(char), bytes((septet,)))
    for septet, char in sorted(SINGLE_TABLES[single].items()):
        table.setdefault(ord(char), bytes((ESCAPE, septet)))
    return table


@cache
def _foreign_finder(locking: Language, single: Language) -> Callable[[str], list[str]]:
    known = "".join(re.escape(chr(code)) for code in _encoding_map(locking, single))
    return re.compile(f"[^{known}]").findall
