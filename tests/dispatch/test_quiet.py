"""Quiet hours by the recipient's zone: right on the nights the clock is put, and in all zones of a large country."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.lines import DispatchBox
from modembank.decency import QuietHoursConfig
from modembank.dispatch import QuietHours
from modembank.messages import MessageFlags, OnUnknown, QueuedMessage, WaitingMessage
from modembank.messages.model import MessageState
from modembank.messages.zones import zones_of

RULE = QuietHoursConfig("21:00", "08:00")
BERLIN, NEW_YORK, TOKYO = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")
GERMAN, AMERICAN, AUSTRALIAN, RUSSIAN, NOBODY = (
    "+4915112345678", "+12125551234", "+61412345678", "+79161234567", "+80012345678",
)  # fmt: skip


def ms(zone, *when):
    return round(datetime(*when, tzinfo=zone).timestamp() * 1000)


def message(number=GERMAN, *, rank=4, flags=MessageFlags.NONE, done=frozenset()):
    return QueuedMessage(1, 1, number, "x", 2, flags, 1, rank, 1 << 60, None, OnUnknown.HOLD, 0, None, done)


def until(number, now, rule=RULE, zone=TOKYO):
    quiet = QuietHours(rule, zone).hold(message(number), now)
    return None if quiet is None else quiet.until


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ((2027, 1, 15, 20, 59), None),
        ((2027, 1, 15, 21), (2027, 1, 16, 8)),
        ((2027, 1, 16, 7, 59), (2027, 1, 16, 8)),
        ((2027, 1, 16, 8), None),
        ((2027, 3, 27, 23), (2027, 3, 28, 8)),  # a night of ten hours
        ((2027, 10, 30, 23), (2027, 10, 31, 8)),  # and one of twelve
    ],
)
def test_the_recipients_time_counts(now, opens):
    for zone, number in ((BERLIN, GERMAN), (NEW_YORK, AMERICAN)):
        assert until(number, ms(zone, *now)) == (None if opens is None else ms(zone, *opens))


def test_the_night_the_clock_is_put_is_as_long_as_it_is():
    start = ms(BERLIN, 2027, 3, 27, 23)
    assert until(GERMAN, start) - start == 8 * 3_600_000
    start = ms(BERLIN, 2027, 10, 30, 23)
    assert until(GERMAN, start) - start == 10 * 3_600_000


def test_who_tells_of_no_place_is_where_the_box_is():
    assert until(NOBODY, ms(TOKYO, 2027, 1, 15, 22)) == ms(TOKYO, 2027, 1, 16, 8)
    assert until("70070", ms(TOKYO, 2027, 1, 15, 12)) is None


def test_of_several_zones_all_must_be_awake():
    perth, sydney = ZoneInfo("Australia/Perth"), ZoneInfo("Australia/Sydney")
    assert until(AUSTRALIAN, ms(sydney, 2027, 1, 15, 8)) > ms(perth, 2027, 1, 15, 7, 59)
    assert until(AUSTRALIAN, ms(perth, 2027, 1, 15, 12)) is None


def test_where_all_are_never_awake_at_once_the_box_decides():
    late = QuietHoursConfig("14:00", "13:00")
    assert len(zones_of(RUSSIAN)) > 10
    assert until(RUSSIAN, ms(TOKYO, 2027, 1, 15, 13, 30), late) is None
    assert until(RUSSIAN, ms(TOKYO, 2027, 1, 15, 12), late) == ms(TOKYO, 2027, 1, 15, 13)


def test_what_goes_at_any_time():
    night = ms(BERLIN, 2027, 1, 15, 23)
    quiet = QuietHours(RULE, BERLIN)
    assert quiet.hold(message(), night).zone == "Europe/Berlin"
    assert quiet.hold(message(rank=0), night) is None, "priority 9"
    assert quiet.hold(message(rank=1), night) is not None
    assert quiet.hold(message(flags=MessageFlags.CONSENT), night) is None
    assert quiet.hold(message(done=frozenset({1})), night) is None, "what has begun is finished"
    assert QuietHours(QuietHoursConfig("21:00", "08:00", 10), BERLIN).hold(message(rank=0), night) is not None
    assert QuietHours(QuietHoursConfig(), BERLIN).hold(message(), night) is None


TIMES = st.integers(0, 1439).map(lambda minute: f"{minute // 60:02d}:{minute % 60:02d}")


@settings(max_examples=60)
@given(
    TIMES, TIMES, st.integers(1_700_000_000, 1_900_000_000), st.sampled_from([GERMAN, AMERICAN, AUSTRALIAN, RUSSIAN])
)
def test_when_it_goes_on_nobody_sleeps(start, end, seconds, number):
    rule = QuietHoursConfig(start, end)
    if start == end:
        return
    quiet = QuietHours(rule, TOKYO)
    held = quiet.hold(message(number), seconds * 1000)
    if held is not None:
        assert 0 < held.until - seconds * 1000 <= 50 * 3_600_000
        again = quiet.hold(message(number), held.until)
        assert again is None or again.until - held.until <= 25 * 3_600_000  # an hour that the clock leaves out


@pytest.fixture
async def box(tmp_path):
    opened = DispatchBox(tmp_path / "box.db", quiet=RULE, zone=UTC)
    opened.clock.now_ms = ms(BERLIN, 2027, 1, 15, 23)
    yield await opened.open()
    await opened.close()


async def explained(box, number):
    query = "SELECT id, route_id, rank, state, ready, not_before, cause FROM messages WHERE id = ?"
    row = await box.store.fetch_one(query, (number,))
    return box.dispatcher.explain(
        WaitingMessage(row[0], row[1], row[2], MessageState(row[3]), row[4] == 1, row[5], None, row[6])
    )


async def test_a_message_waits_for_the_morning_and_says_so(box):
    await box.line()
    sleeping, awake = await box.accept(GERMAN), await box.accept(AMERICAN)
    urgent = await box.accept(GERMAN, rank=0)
    await box.until(lambda: len(box.air) == 2)
    await box.settled()
    assert {sent.number for sent in box.air} == {AMERICAN, GERMAN}
    assert await box.state(awake) is await box.state(urgent) is MessageState.SENT
    words = await explained(box, sleeping)
    assert words.startswith("quiet hours of its recipient until 08:00 in Europe/Berlin: goes on at ")
    await box.turn(9 * 3_600_000)
    await box.until(lambda: len(box.air) == 3)


async def test_where_the_box_is_counts_for_who_tells_no_place(box):
    await box.line()
    message = await box.accept(NOBODY)  # 22:00 where the box is
    await box.settled()
    assert (await explained(box, message)).startswith("quiet hours of its recipient until 08:00 in UTC: goes on at ")
