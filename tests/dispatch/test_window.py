"""Sending windows in local time, also across midnight and the clock's changes."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.dispatch import opens_at

BERLIN = ZoneInfo("Europe/Berlin")


def ms(*when):
    return round(datetime(*when, tzinfo=BERLIN).timestamp() * 1000)


@pytest.mark.parametrize(
    ("window", "now", "opens"),
    [
        ("08:00-20:00", (2027, 1, 15, 7, 59), (2027, 1, 15, 8)),
        ("08:00-20:00", (2027, 1, 15, 8), None),
        ("08:00-20:00", (2027, 1, 15, 19, 59), None),
        ("08:00-20:00", (2027, 1, 15, 20), (2027, 1, 16, 8)),
        ("22:00-06:00", (2027, 1, 15, 21), (2027, 1, 15, 22)),
        ("22:00-06:00", (2027, 1, 15, 23), None),
        ("22:00-06:00", (2027, 1, 15, 5, 59), None),
        ("22:00-06:00", (2027, 1, 15, 6), (2027, 1, 15, 22)),
        ("09:00-09:00", (2027, 1, 15, 3), None),
        ("nonsense", (2027, 1, 15, 3), None),
        ("", (2027, 1, 15, 3), None),
        ("08:00-20:00", (2027, 3, 27, 21), (2027, 3, 28, 8)),  # the clock goes forward in the night
        ("08:00-20:00", (2027, 10, 30, 21), (2027, 10, 31, 8)),  # and back
        ("02:30-04:00", (2027, 3, 28, 1), (2027, 3, 28, 3, 30)),  # 02:30 does not exist that day
    ],
)
def test_when_it_opens(window, now, opens):
    assert opens_at(window, ms(*now), BERLIN) == (None if opens is None else ms(*opens))


MINUTES = st.integers(0, 1439).map(lambda minute: f"{minute // 60:02d}:{minute % 60:02d}")


@given(MINUTES, MINUTES, st.integers(1_700_000_000, 1_900_000_000))
def test_it_is_open_when_it_opens(start, end, seconds):
    opens = opens_at(f"{start}-{end}", seconds * 1000, BERLIN)
    if opens is not None:
        assert 0 < opens - seconds * 1000 <= 25 * 3_600_000
        again = opens_at(f"{start}-{end}", opens, BERLIN)
        assert again is None or again - opens <= 3_600_000 * 25  # a window inside the missing hour is skipped
