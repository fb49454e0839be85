import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.tpdu import GAP_MARK, Alphabet, Concat, Language, Udh, UserData, join_parts, split_text
from tpdu.strategies import mixed_text


def part(sequence: int, total: int, payload: bytes, alphabet: Alphabet = Alphabet.GSM7, **udh: Language) -> UserData:
    return UserData(alphabet, payload, Udh.build(concat=Concat(9, total, sequence), **udh))


def test_an_escape_pair_that_the_sender_cut_heals() -> None:
    assert join_parts([part(1, 2, b"a\x1b"), part(2, 2, b"eb")]).text == "a€b"


def test_a_surrogate_pair_that_the_sender_cut_heals() -> None:
    high, low = part(1, 2, b"\0a\xd8\x3d", Alphabet.UCS2), part(2, 2, b"\xde\x00\0b", Alphabet.UCS2)
    assert join_parts([low, high]).text == "a😀b"
    assert high.text == "a\ufffd"


def test_half_a_character_that_the_sender_cut_heals() -> None:
    assert join_parts([part(1, 2, b"\0a\x04", Alphabet.UCS2), part(2, 2, b"\x41\0b", Alphabet.UCS2)]).text == "aсb"


UCS2_PIECES = st.lists(st.text(st.sampled_from("aж中"), min_size=1, max_size=5), min_size=2, max_size=5)


def ucs2(payloads: list[bytes]) -> str | None:
    total = len(payloads)
    return join_parts([part(number, total, octets, Alphabet.UCS2) for number, octets in enumerate(payloads, 1)]).text


@pytest.mark.parametrize(
    ("payloads", "text"),
    [
        ([b"\0a\0", b"\0b", b"\0c"], "a\ufffdbc"),
        ([b"\0a", b"\0b\0", b"\0c", b"\0d"], "ab\ufffdcd"),
        ([b"\0", b"\0b"], "\ufffdb"),
        ([b"\0a", b"\0b\0"], "ab\ufffd"),
        ([b"\0a\0", b"\0b", b"\0c\0"], "a\ufffdbc\ufffd"),
        ([b"\0a\0", b"", b"\0c"], "a\ufffdc"),
        ([b"\0a\xd8\x3d\xde", b"\0b"], "a\ufffd\ufffdb"),
    ],
)
def test_half_a_character_that_no_cut_explains_shifts_nothing(payloads: list[bytes], text: str) -> None:
    assert ucs2(payloads) == text


@given(UCS2_PIECES, st.data())
def test_an_odd_part_harms_no_other(pieces: list[str], data: st.DataObject) -> None:
    payloads = [piece.encode("utf-16-be") for piece in pieces]
    place = data.draw(st.integers(0, len(pieces) - 1))
    longer = data.draw(st.booleans())
    payloads[place] = payloads[place] + b"\0" if longer else payloads[place][:-1]
    pieces[place] = (pieces[place] if longer else pieces[place][:-1]) + "\ufffd"
    assert ucs2(payloads) == "".join(pieces)


@given(mixed_text, st.sampled_from([1, 3, 67, 133]))
def test_characters_cut_at_one_odd_size_heal(text: str, size: int) -> None:
    octets = text[:100].encode("utf-16-be")
    assert ucs2([octets[start : start + size] for start in range(0, len(octets), size)]) == text[:100]


def test_missing_parts_leave_a_mark() -> None:
    joined = join_parts([part(2, 5, b"two "), part(5, 5, b" five")])
    assert joined.text == f"{GAP_MARK}two {GAP_MARK} five"
    assert joined.missing == (1, 3, 4)
    assert join_parts([part(1, 2, b"one ")]).text == f"one {GAP_MARK}"


def test_a_pair_is_not_healed_across_a_gap() -> None:
    assert join_parts([part(1, 3, b"a\x1b"), part(3, 3, b"eb")]).text == f"a {GAP_MARK}eb"
    joined = join_parts([part(1, 3, b"\xd8\x3d", Alphabet.UCS2), part(3, 3, b"\xde\x00", Alphabet.UCS2)])
    assert joined.text == f"\ufffd{GAP_MARK}\ufffd"


def test_a_part_that_came_twice_counts_once() -> None:
    joined = join_parts([part(1, 2, b"one "), part(1, 2, b"other "), part(2, 2, b"two")])
    assert joined.text == "one two"
    assert joined.missing == ()


def test_parts_of_different_alphabets() -> None:
    joined = join_parts([part(1, 3, b"a\x1b"), part(2, 3, "ж".encode("utf-16-be"), Alphabet.UCS2), part(3, 3, b"eb")])
    assert joined.text == "a жeb"


def test_parts_of_different_languages() -> None:
    joined = join_parts([part(1, 2, b"\x1bs", single=Language.TURKISH), part(2, 2, b"\x1bs")])
    assert joined.text == "şs"


def test_octets_are_joined_as_octets() -> None:
    joined = join_parts([part(2, 3, b"\x02", Alphabet.OCTET), part(1, 3, b"\x01", Alphabet.OCTET)])
    assert (joined.text, joined.octets, joined.missing) == (None, b"\x01\x02", (3,))


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([], ""),
        ([UserData.of_text("alone")], "alone"),
        ([UserData.of_text("a"), UserData.of_text("b")], "ab"),
        ([UserData()], ""),
    ],
)
def test_parts_without_a_place(parts: list[UserData], text: str) -> None:
    joined = join_parts(parts)
    assert (joined.text, joined.octets, joined.missing) == (text, None, ())


def test_totals_that_disagree_take_the_larger() -> None:
    joined = join_parts([part(1, 2, b"a"), part(3, 3, b"c")])
    assert (joined.text, joined.missing) == (f"a{GAP_MARK}c", (2,))


@given(mixed_text, st.randoms(use_true_random=False))
def test_any_order(text: str, order: random.Random) -> None:
    parts = list(split_text(text, reference=3).parts)
    order.shuffle(parts)
    assert join_parts(parts).text == text


@given(mixed_text.filter(lambda text: len(text) > 160), st.data())
def test_any_gap(text: str, data: st.DataObject) -> None:
    parts = list(split_text(text, reference=3).parts)
    lost = data.draw(st.sampled_from(parts))
    joined = join_parts([part for part in parts if part is not lost])
    if len(parts) > 1:
        assert lost.concat is not None
        assert joined.missing == (lost.concat.sequence,)
        assert joined.text is not None
        assert GAP_MARK in joined.text
