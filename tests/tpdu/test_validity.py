from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.tpdu import MalformedTpdu, UnencodableTpdu, Validity, ValidityFormat
from modembank.tpdu.cursor import Cursor

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86400, 604800


@pytest.mark.parametrize(
    ("seconds", "octet"),
    [
        (0, 0),
        (1, 0),
        (5 * MINUTE, 0),
        (10 * MINUTE - 1, 0),
        (10 * MINUTE, 1),
        (12 * HOUR, 143),
        (12 * HOUR + 29 * MINUTE, 143),
        (12 * HOUR + 30 * MINUTE, 144),
        (24 * HOUR, 167),
        (47 * HOUR, 167),
        (2 * DAY, 168),
        (4 * DAY, 170),
        (30 * DAY, 196),
        (34 * DAY, 196),
        (5 * WEEK, 197),
        (63 * WEEK, 255),
        (1000 * WEEK, 255),
        (-1, 0),
        (600.5, 1),
    ],
)
def test_seconds_round_down(seconds: float, octet: int) -> None:
    assert Validity.for_seconds(seconds).encode() == bytes((octet,))


@given(st.integers(5 * MINUTE, 63 * WEEK))
def test_never_longer_than_asked_and_never_much_shorter(seconds: int) -> None:
    duration = Validity.for_seconds(seconds).duration
    assert duration is not None
    assert duration.total_seconds() <= seconds
    assert duration.total_seconds() > seconds * 0.49


@pytest.mark.parametrize(
    ("octet", "duration"),
    [
        (0, timedelta(minutes=5)),
        (143, timedelta(hours=12)),
        (144, timedelta(hours=12.5)),
        (167, timedelta(days=1)),
        (168, timedelta(days=2)),
        (196, timedelta(days=30)),
        (197, timedelta(weeks=5)),
        (255, timedelta(weeks=63)),
    ],
)
def test_relative(octet: int, duration: timedelta) -> None:
    assert Validity.relative(octet).duration == duration
    assert Validity.for_seconds(duration.total_seconds()) == Validity.relative(octet)


def test_absolute() -> None:
    moment = datetime(2026, 12, 24, 18, 0, 0, tzinfo=UTC)
    validity = Validity.until(moment)
    assert validity.encode() == bytes.fromhex("62214281000000")
    assert validity.ends_at == moment
    assert validity.duration is None
    assert Validity.relative(0).ends_at is None
    assert Validity(ValidityFormat.ABSOLUTE, b"\xff" * 7).ends_at is None


@pytest.mark.parametrize(
    ("octets", "duration", "single_shot"),
    [
        ("01A70000000000", timedelta(days=1), False),
        ("021E0000000000", timedelta(seconds=30), False),
        ("425A0000000000", timedelta(seconds=90), True),
        ("03102030000000", timedelta(hours=1, minutes=2, seconds=3), False),
        ("00000000000000", None, False),
        ("40000000000000", None, True),
        ("07000000000000", None, False),
    ],
)
def test_enhanced(octets: str, duration: timedelta | None, single_shot: bool) -> None:
    validity = Validity.decode(Cursor(bytes.fromhex(octets)), ValidityFormat.ENHANCED)
    assert validity is not None
    assert (validity.duration, validity.single_shot) == (duration, single_shot)
    assert validity.encode() == bytes.fromhex(octets)


def test_enhanced_seconds() -> None:
    assert Validity.enhanced_seconds(30).encode() == bytes.fromhex("021E0000000000")
    assert Validity.enhanced_seconds(90, single_shot=True).encode() == bytes.fromhex("425A0000000000")
    assert not Validity.relative(5).single_shot


@pytest.mark.parametrize("seconds", [0, 256])
def test_enhanced_seconds_out_of_range(seconds: int) -> None:
    with pytest.raises(UnencodableTpdu):
        Validity.enhanced_seconds(seconds)


@pytest.mark.parametrize("octet", [-1, 256])
def test_relative_out_of_range(octet: int) -> None:
    with pytest.raises(UnencodableTpdu):
        Validity.relative(octet)


@pytest.mark.parametrize(
    ("form", "octets"), [(ValidityFormat.NONE, b""), (ValidityFormat.RELATIVE, b"12"), (ValidityFormat.ABSOLUTE, b"1")]
)
def test_octets_that_do_not_fit_the_format(form: ValidityFormat, octets: bytes) -> None:
    with pytest.raises(UnencodableTpdu):
        Validity(form, octets).encode()


@pytest.mark.parametrize("form", [ValidityFormat.RELATIVE, ValidityFormat.ABSOLUTE, ValidityFormat.ENHANCED])
def test_truncated(form: ValidityFormat) -> None:
    with pytest.raises(MalformedTpdu):
        Validity.decode(Cursor(b""), form)


@given(st.sampled_from(ValidityFormat), st.binary(min_size=7, max_size=7))
def test_any_octets(form: ValidityFormat, octets: bytes) -> None:
    validity = Validity.decode(Cursor(octets), form)
    assert (validity is None) == (form is ValidityFormat.NONE)
    if validity is not None:
        assert octets.startswith(validity.encode())
        assert validity.duration is None or validity.duration >= timedelta(0)
