import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.tpdu import Language, decode_septets, foreign_characters, gsm7_septets
from tpdu.strategies import gsm_text, languages


def test_default_alphabet() -> None:
    assert gsm7_septets("@£$¥èéùìòÇ\nØø\rÅå") == bytes(range(16))
    assert gsm7_septets("hello") == b"hello"
    assert gsm7_septets("") == b""


def test_extension_characters_cost_two() -> None:
    assert gsm7_septets("€\f[]") == bytes.fromhex("1B65 1B0A 1B3C 1B3E")


@pytest.mark.parametrize("char", ["`", "ç", "\t", "á", "“", "😀", "\x1b", "\ufffd", "\u00a0"])
def test_what_is_not_in_the_alphabet(char: str) -> None:
    assert gsm7_septets(f"a{char}") is None
    assert foreign_characters(f"a{char}b{char}") == (char,)


def test_half_a_surrogate_pair_is_not_in_the_alphabet() -> None:
    assert gsm7_septets("a\ud800") is None
    assert foreign_characters("a\ud800") == ("\ud800",)


def test_foreign_characters_come_in_order_and_once() -> None:
    assert foreign_characters("“Hi” – ok… “") == ("“", "”", "–", "…")
    assert foreign_characters("[plain]-^\\") == ()


def test_national_tables() -> None:
    assert gsm7_septets("ş") is None
    assert gsm7_septets("ş", single=Language.TURKISH) == b"\x1bs"
    assert gsm7_septets("ş", locking=Language.TURKISH) == b"\x1d"
    # With both tables the shorter form is taken.
    assert gsm7_septets("ş", Language.TURKISH, Language.TURKISH) == b"\x1d"
    assert gsm7_septets("ñandú", Language.SPANISH, Language.SPANISH) == b"}and\x1bu"


def test_a_character_that_stands_twice_is_sent_by_its_lowest_code() -> None:
    assert gsm7_septets("¡*", Language.HINDI, Language.HINDI) == bytes.fromhex("1B13 1B0B")


@pytest.mark.parametrize(
    ("septets", "text"),
    [
        (b"\x1be", "€"),
        (b"a\x1b", "a "),
        (b"\x1b\x1b", " "),
        (b"\x1b\x1b\x1be", " €"),
        (b"\x1b\x1be", " e"),
        (b"\x1bA\x1be", "A€"),
        (b"\x1b\x00", "@"),
        (b"\x1b", " "),
        (b"", ""),
    ],
)
def test_escapes(septets: bytes, text: str) -> None:
    assert decode_septets(septets) == text


def test_undefined_escape_falls_back_to_the_main_table_in_use() -> None:
    assert decode_septets(b"\x1b\x1d", Language.TURKISH, Language.DEFAULT) == "ş"


def test_position_without_a_character_shows() -> None:
    assert decode_septets(b"\x00a", Language.TAMIL) == "\ufffda"
    assert decode_septets(b"\x1b\x00", Language.TAMIL, Language.TURKISH) == "\ufffd"


@given(gsm_text)
def test_round_trip(text: str) -> None:
    septets = gsm7_septets(text)
    assert septets is not None
    assert max(septets, default=0) < 128
    assert decode_septets(septets) == text


@given(st.binary(), languages, languages)
def test_decoding_never_fails(octets: bytes, locking: Language, single: Language) -> None:
    text = decode_septets(octets, locking, single)
    assert len(text) <= len(octets)
    assert "\x1b" not in text
