"""The tables of 3GPP TS 23.038: their shape, letters picked from each clause, and a digest against slips of the pen.

The tables were compared position by position with two independent transcriptions (the Python package gsmcodecs, from
Release 18, and oFono 1.31), the differences settled by a third (Android's GsmAlphabet); see `indic_locking`.
"""

import hashlib
import string

import pytest

from modembank.tpdu import LOCKING_TABLES, SINGLE_TABLES, Language, decode_septets, gsm7_septets

ESCAPE = 0x1B
INDIC = [language for language in Language if language >= Language.BENGALI]
BLOCKS = {
    Language.BENGALI: 0x0980,
    Language.GUJARATI: 0x0A80,
    Language.HINDI: 0x0900,
    Language.KANNADA: 0x0C80,
    Language.MALAYALAM: 0x0D00,
    Language.ORIYA: 0x0B00,
    Language.PUNJABI: 0x0A00,
    Language.TAMIL: 0x0B80,
    Language.TELUGU: 0x0C00,
}


@pytest.mark.parametrize("language", LOCKING_TABLES)
def test_locking_table_has_128_positions_and_the_fixed_ones(language: Language) -> None:
    table = LOCKING_TABLES[language]
    assert len(table) == 128
    assert (table[0x0A], table[0x0D], table[ESCAPE], table[0x20]) == ("\n", "\r", "\x1b", " ")
    assert table[0x30:0x3A] == string.digits
    assert table[0x61:0x7B] == string.ascii_lowercase
    assert (table[0x21], table[0x2C], table[0x2E], table[0x3F]) == ("!", ",", ".", "?")


@pytest.mark.parametrize("language", LOCKING_TABLES)
def test_no_character_stands_twice_in_a_locking_table(language: Language) -> None:
    characters = [char for char in LOCKING_TABLES[language] if char != "\ufffd"]
    assert len(characters) == len(set(characters))


def test_spanish_has_no_locking_table_and_everyone_has_a_single_one() -> None:
    assert set(Language) - set(LOCKING_TABLES) == {Language.SPANISH}
    assert set(SINGLE_TABLES) == set(Language)


@pytest.mark.parametrize("language", Language)
def test_single_table_keeps_the_programmers_signs(language: Language) -> None:
    table = SINGLE_TABLES[language]
    signs = {0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|"}
    assert {code: table[code] for code in signs} == signs
    assert ESCAPE not in table
    assert all(0 <= code < 128 for code in table)
    assert table.get(0x65) == (None if language is Language.TELUGU else "€")


@pytest.mark.parametrize("language", INDIC)
def test_indic_single_table_has_the_capitals(language: Language) -> None:
    table = SINGLE_TABLES[language]
    assert "".join(table[code] for code in range(0x41, 0x5B)) == string.ascii_uppercase


@pytest.mark.parametrize(("language", "block"), BLOCKS.items())
def test_indic_letters_come_from_their_block_in_order(language: Language, block: int) -> None:
    letters = [ord(char) for char in LOCKING_TABLES[language] if ord(char) > 0x7F and char != "\ufffd"]
    assert all(block <= code < block + 0x80 for code in letters)
    assert letters == sorted(letters)


@pytest.mark.parametrize(
    ("language", "septet", "char"),
    [
        (Language.TURKISH, 0x04, "€"),
        (Language.TURKISH, 0x07, "ı"),
        (Language.TURKISH, 0x40, "İ"),
        (Language.TURKISH, 0x60, "ç"),
        (Language.PORTUGUESE, 0x12, "ª"),
        (Language.PORTUGUESE, 0x15, "∞"),
        (Language.PORTUGUESE, 0x7D, "`"),
        (Language.BENGALI, 0x0B, "\u098c"),
        (Language.GUJARATI, 0x7F, "\u0af1"),
        (Language.HINDI, 0x60, "\u0950"),
        (Language.KANNADA, 0x24, "\u0ca1"),
        (Language.MALAYALAM, 0x7F, "\u0d79"),
        (Language.ORIYA, 0x7B, "\u0b57"),
        (Language.PUNJABI, 0x60, "\u0a51"),
        (Language.TAMIL, 0x3C, "\u0ba9"),
        (Language.TELUGU, 0x60, "\u0c55"),
        (Language.URDU, 0x00, "\u0627"),
        (Language.URDU, 0x59, "\u06cc"),
    ],
)
def test_letters_of_the_locking_tables(language: Language, septet: int, char: str) -> None:
    assert LOCKING_TABLES[language][septet] == char


@pytest.mark.parametrize(
    ("language", "septet", "char"),
    [
        (Language.TURKISH, 0x47, "Ğ"),
        (Language.SPANISH, 0x09, "ç"),
        (Language.SPANISH, 0x75, "ú"),
        (Language.PORTUGUESE, 0x7F, "â"),
        (Language.BENGALI, 0x34, "\u09fa"),
        (Language.GUJARATI, 0x19, "\u0964"),
        (Language.HINDI, 0x3A, "\u0971"),
        (Language.KANNADA, 0x2A, "\u0cf2"),
        (Language.MALAYALAM, 0x34, "\u0d7f"),
        (Language.ORIYA, 0x2A, "\u0b5f"),
        (Language.PUNJABI, 0x2D, "\u0a75"),
        (Language.TAMIL, 0x24, "\u0bee"),
        (Language.TELUGU, 0x22, "\u0c6c"),
        (Language.URDU, 0x3F, "\u06d4"),
    ],
)
def test_letters_of_the_single_tables(language: Language, septet: int, char: str) -> None:
    assert SINGLE_TABLES[language][septet] == char


def test_tables_are_as_compared() -> None:
    """Any change of a table must be deliberate: compare it again, then change this digest."""
    digest = hashlib.sha256()
    for language in Language:
        digest.update(LOCKING_TABLES.get(language, "").encode())
        digest.update("".join(f"{code}{char}" for code, char in sorted(SINGLE_TABLES[language].items())).encode())
    assert digest.hexdigest() == "83043d43a99b989415109a2a127cd024e23ca4654e379b7d39480bd3dd35f7dd"


@pytest.mark.parametrize("single", Language)
@pytest.mark.parametrize("locking", Language)
def test_every_character_of_every_pair_of_tables_survives(locking: Language, single: Language) -> None:
    main = LOCKING_TABLES.get(locking, LOCKING_TABLES[Language.DEFAULT])
    text = "".join(char for char in main if char not in "\x1b\ufffd") + "".join(SINGLE_TABLES[single].values())
    septets = gsm7_septets(text, locking, single)
    assert septets is not None
    assert decode_septets(septets, locking, single) == text
