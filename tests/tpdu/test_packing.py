import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.tpdu import fill_bits_after, pack_septets, unpack_septets

septet_strings = st.binary(max_size=170).map(lambda octets: bytes(value & 0x7F for value in octets))


def test_the_textbook_example() -> None:
    assert pack_septets(b"hello") == bytes.fromhex("E8329BFD06")
    assert unpack_septets(bytes.fromhex("E8329BFD06"), 5) == b"hello"


def test_eight_septets_take_seven_octets() -> None:
    assert pack_septets(b"Testmail") == bytes.fromhex("D4F29CDE0EA7D9")
    assert len(pack_septets(b"x" * 160)) == 140


def test_seven_septets_in_seven_octets_make_no_eighth() -> None:
    packed = pack_septets(b"1234567")
    assert len(packed) == 7
    assert unpack_septets(packed, 7) == b"1234567"
    assert unpack_septets(packed) == b"1234567\0"  # only the count tells


@pytest.mark.parametrize(("header", "fill"), [(0, 0), (6, 1), (7, 0), (4, 3), (9, 5), (12, 2), (1, 6)])
def test_fill_bits(header: int, fill: int) -> None:
    assert fill_bits_after(header) == fill
    assert (8 * header + fill) % 7 == 0


@given(septet_strings, st.integers(0, 6))
def test_round_trip(septets: bytes, fill: int) -> None:
    packed = pack_septets(septets, fill)
    assert len(packed) == (7 * len(septets) + fill + 7) // 8
    assert unpack_septets(packed, len(septets), fill) == septets


@given(st.binary(max_size=200), st.integers(-5, 400), st.integers(0, 6))
def test_unpacking_takes_what_is_there(octets: bytes, count: int, fill: int) -> None:
    septets = unpack_septets(octets, count, fill)
    assert len(septets) == max(0, min(count, max(0, 8 * len(octets) - fill) // 7))
