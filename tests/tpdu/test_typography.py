import pytest

from modembank.tpdu import Encoding, count_segments, gsm7_septets, replaceable, with_replacements
from modembank.tpdu.typography import _EQUIVALENTS


def test_typical_office_text() -> None:
    text = "“It’s” – 5 o\u2019clock…\u00a0ok"
    found = replaceable(text)
    assert found == {"“": '"', "’": "'", "”": '"', "–": "-", "…": "...", "\u00a0": " "}
    plain = with_replacements(text, found)
    assert plain == "\"It's\" - 5 o'clock... ok"
    assert count_segments(text).encoding is Encoding.UCS2
    assert count_segments(plain).encoding is Encoding.GSM7


@pytest.mark.parametrize("text", ["", "plain", "привет", "a\u0302", "ñ€[]"])
def test_nothing_to_offer(text: str) -> None:
    assert replaceable(text) == {}


def test_separate_accents_compose_where_the_letter_is_in_the_alphabet() -> None:
    assert replaceable("caf\u0065\u0301 e\u0302 n\u0303") == {"e\u0301": "é", "n\u0303": "ñ"}
    assert with_replacements("cafe\u0301 e", replaceable("cafe\u0301 e")) == "café e"


def test_some_of_an_offer() -> None:
    assert with_replacements("“a”…", {"…": "..."}) == "“a”..."


def test_joiner_inside_an_emoji_is_left_alone() -> None:
    assert replaceable("👩\u200d🚀") == {}


def test_every_replacement_is_in_the_alphabet_and_every_key_is_not() -> None:
    for char, replacement in _EQUIVALENTS.items():
        assert gsm7_septets(char) is None, f"U+{ord(char):04X}"
        assert gsm7_septets(replacement) is not None, f"U+{ord(char):04X}"
        assert len(char) == 1
