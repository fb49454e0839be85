"""Septets: known packings and round trips."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank_emulator import alphabet

CHARS = "".join(char for char in alphabet.BASIC if char != "\x1b") + "".join(alphabet.EXTENSION.values())


def test_the_basic_table_has_128_places_and_the_escape_in_its_own() -> None:
    assert len(alphabet.BASIC) == 128
    assert alphabet.BASIC.index("\x1b") == alphabet.ESCAPE
    assert len(set(alphabet.BASIC)) == 128


@pytest.mark.parametrize(
    ("char", "code"),
    [("@", 0), ("$", 2), ("Δ", 0x10), ("Ω", 0x15), (" ", 0x20), ("¡", 0x40), ("Ä", 0x5B), ("§", 0x5F), ("¿", 0x60)],
)
def test_places_of_letters_that_are_not_ascii(char: str, code: int) -> None:
    assert alphabet.to_septets(char) == bytes([code])


def test_hellohello_packs_as_in_every_textbook() -> None:
    assert alphabet.pack(alphabet.to_septets("hellohello")).hex() == "e8329bfd4697d9ec37"


def test_seven_septets_do_not_grow_an_at_sign() -> None:
    packed = alphabet.pack(alphabet.to_septets("1234567"))
    assert len(packed) == 7
    assert alphabet.from_septets(alphabet.unpack(packed, 7)) == "1234567"


def test_the_euro_is_an_escape_pair() -> None:
    assert alphabet.to_septets("€") == b"\x1b\x65"


def test_an_unknown_extension_shows_its_basic_letter_and_a_lone_escape_a_space() -> None:
    assert alphabet.from_septets(b"\x1b\x41") == "A"
    assert alphabet.from_septets(b"\x41\x1b") == "A "
    assert alphabet.from_septets(b"\x1b\x1b") == " "


@pytest.mark.parametrize("text", ["ж", "`", "😀", "’"])
def test_what_does_not_fit(text: str) -> None:
    assert not alphabet.fits(text)
    with pytest.raises(KeyError):
        alphabet.to_septets(text)


@given(text=st.text(CHARS, max_size=160), fill=st.integers(0, 6))
def test_any_text_survives_packing(text: str, fill: int) -> None:
    septets = alphabet.to_septets(text)
    packed = alphabet.pack(septets, fill)
    assert len(packed) == (fill + 7 * len(septets) + 7) // 8
    assert alphabet.unpack(packed, len(septets), fill) == septets
    assert alphabet.from_septets(septets) == text


@given(octets=st.binary(max_size=140), count=st.integers(0, 300))
def test_unpacking_never_gives_more_than_there_is(octets: bytes, count: int) -> None:
    assert len(alphabet.unpack(octets, count)) == min(count, 8 * len(octets) // 7)
