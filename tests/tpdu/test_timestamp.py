from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.tpdu import MalformedTpdu, Timestamp, UnencodableTpdu
from modembank.tpdu.cursor import Cursor
from tpdu.strategies import moments


def zone(hours: float) -> timezone:
    return timezone(timedelta(hours=hours))


@pytest.mark.parametrize(
    ("octets", "moment"),
    [
        ("99202150750321", datetime(1999, 2, 12, 5, 57, 30, tzinfo=zone(3))),
        ("99202150750329", datetime(1999, 2, 12, 5, 57, 30, tzinfo=zone(-3))),
        ("99202150750300", datetime(1999, 2, 12, 5, 57, 30, tzinfo=UTC)),
        ("20806291731448", datetime(2002, 8, 26, 19, 37, 41, tzinfo=zone(-1))),
        ("62111101000022", datetime(2026, 11, 11, 10, 0, 0, tzinfo=zone(5.5))),
        ("98213132959565", datetime(2089, 12, 13, 23, 59, 59, tzinfo=zone(14))),
        ("62209200000000", None),  # 29 February 2026 - no leap year
        ("00000000000000", None),
        ("FFFFFFFFFFFFFF", None),
        ("62111311000000", None),  # 31 November
        ("62111142000000", None),  # 24 o'clock
        ("62111101000067", None),  # a zone of 76 quarters
        ("6211110100000F", None),  # zone digits that are none
        ("6A111101000000", None),
    ],
)
def test_decoding(octets: str, moment: datetime | None) -> None:
    assert Timestamp(bytes.fromhex(octets)).moment == moment
    if moment is not None:
        assert Timestamp.of(moment).encode() == bytes.fromhex(octets)


def test_octets_are_kept_even_when_they_are_no_time() -> None:
    stamp = Timestamp.decode(Cursor(b"\xff" * 9))
    assert stamp.moment is None
    assert stamp.encode() == b"\xff" * 7


def test_what_cannot_be_written() -> None:
    with pytest.raises(UnencodableTpdu):
        Timestamp.of(datetime(2026, 1, 1))  # noqa: DTZ001
    for year in (1989, 2090):
        with pytest.raises(UnencodableTpdu):
            Timestamp.of(datetime(year, 6, 1, tzinfo=UTC))
    with pytest.raises(UnencodableTpdu):
        Timestamp(b"\0" * 6).encode()


def test_too_short_is_malformed_when_read_and_no_time_when_built() -> None:
    with pytest.raises(MalformedTpdu):
        Timestamp.decode(Cursor(b"\0" * 6))
    assert Timestamp(b"").moment is None
    assert Timestamp(b"\x11" * 6).moment is None


def test_an_odd_zone_keeps_the_instant() -> None:
    moment = datetime(2026, 5, 5, 12, 0, 0, tzinfo=timezone(timedelta(minutes=20)))
    assert Timestamp.of(moment).moment == moment


@given(moments)
def test_round_trip(moment: datetime) -> None:
    assert Timestamp.of(moment).moment == moment


@given(st.binary(min_size=7, max_size=7))
def test_any_octets(octets: bytes) -> None:
    moment = Timestamp(octets).moment
    if moment is not None and octets[6] != 0x08:  # minus zero reads as zero
        assert Timestamp.of(moment).encode() == octets
