import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.tpdu.cutting import cluster_cuts, septet_cuts, unit_cuts
from tpdu.strategies import mixed_text


def utf16(text: str) -> bytes:
    return text.encode("utf-16-be")


@pytest.mark.parametrize(
    ("septets", "capacity", "cuts"),
    [
        (b"", 5, []),
        (b"abcde", 5, [5]),
        (b"abcdef", 5, [5, 6]),
        (b"abcd\x1be", 5, [4, 6]),  # the escape would stand last
        (b"abc\x1bef", 5, [5, 6]),
        (b"\x1be" * 4, 5, [4, 8]),
        (b"abcd\x1b", 5, [5]),  # nothing follows it: nothing to keep together
    ],
)
def test_septets(septets: bytes, capacity: int, cuts: list[int]) -> None:
    assert septet_cuts(septets, capacity) == cuts


@pytest.mark.parametrize(
    ("text", "capacity", "cuts"),
    [
        ("", 4, []),
        ("abcd", 4, [4]),
        ("abcde", 4, [4, 5]),
        ("abc😀", 4, [3, 5]),
        ("ab😀c", 4, [4, 5]),
        ("😀😀😀", 5, [4, 6]),
    ],
)
def test_code_units(text: str, capacity: int, cuts: list[int]) -> None:
    assert unit_cuts(utf16(text), capacity) == cuts


@pytest.mark.parametrize(
    ("text", "capacity", "cuts"),
    [
        ("", 4, []),
        ("abcdef", 4, [4, 6]),
        ("abce\u0301f", 4, [3, 6]),
        ("a\r\nb", 2, [1, 3, 4]),
        ("ab👍🏽c", 4, [2, 6, 7]),
        ("a🇬🇧🇫🇷", 6, [5, 9]),  # between the flags, not inside one
        ("🇬🇧🇫🇷", 6, [4, 8]),
        ("a\u0301\u0301\u0301\u0301", 3, [3, 5]),  # longer than a part: cut inside
        ("x👩\u200d🚀y", 5, [1, 6, 7]),
    ],
)
def test_clusters(text: str, capacity: int, cuts: list[int]) -> None:
    assert cluster_cuts(text, capacity, 10) == cuts


def test_clusters_within_a_limit_or_not_at_all() -> None:
    assert cluster_cuts("abce\u0301f", 4, 2) == [3, 6]
    assert cluster_cuts("abce\u0301f", 4, 1) is None


@given(mixed_text, st.integers(4, 67))
def test_every_cut_is_within_capacity_and_outside_pairs(text: str, capacity: int) -> None:
    encoded = utf16(text)
    for cuts in (unit_cuts(encoded, capacity), cluster_cuts(text, capacity, 10_000)):
        assert cuts is not None
        assert (cuts[-1] if cuts else 0) == len(encoded) // 2
        pieces = [encoded[2 * start : 2 * end] for start, end in zip([0, *cuts], cuts, strict=False)]
        assert all(0 < len(piece) <= 2 * capacity for piece in pieces)
        assert "".join(piece.decode("utf-16-be") for piece in pieces) == text


@given(st.text(st.sampled_from("abe\u0301\u0323"), max_size=200).filter(lambda text: "\u0301" * 5 not in text))
def test_no_part_begins_with_an_accent_where_a_base_fits(text: str) -> None:
    cuts = cluster_cuts(text, 60, 10_000) or []
    starts = [cut for cut in cuts if cut < len(text)]
    for start in starts:
        run = start
        while run and unicodedata.combining(text[run]):
            run -= 1
        assert run == start or start - run >= 60
