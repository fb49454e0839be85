"""When a mailing will have left, from limits and from how fast it went."""

from __future__ import annotations

from datetime import UTC

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.dispatch.finishing import FARTHEST_S, Allowance, OpenHours, needed_s, serving
from modembank.mailings.forecast import Pace
from modembank.messages import routes
from modembank.sim import LimitName, Sim
from modembank.sim.limits import RateLimits

SIM = Sim(
    id=1, iccid="8944", imsi=None, msisdn=None, operator=None, label="a", limits=RateLimits(), overrides={},
    paused_reason=None, paused_at=None, slot="slot-1", first_seen_at=0, last_seen_at=0,
)  # fmt: skip


def sim(**limits: float) -> Sim:
    return msgspec.structs.replace(SIM, limits=RateLimits(**limits))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limits", "used", "segments", "seconds"),
    [
        ({"min_interval_s": 2.0}, {}, 100, 200),
        ({"per_hour": 100}, {}, 100, 0),
        ({"per_hour": 100}, {LimitName.PER_HOUR: 40}, 60, 0),
        ({"per_hour": 100}, {LimitName.PER_HOUR: 40}, 61, 3600),
        ({"per_hour": 100}, {}, 250, 7200),
        ({"per_hour": 100, "per_day": 150}, {}, 250, 86400),
        ({"per_month": 10}, {}, 1_000, None),
        ({}, {}, 90, 90),
    ],
)
def test_one_sim(limits: dict[str, float], used: dict[LimitName, int], segments: int, seconds: int | None) -> None:
    assert needed_s(segments, [Allowance(sim(**limits), used)]) == seconds


def test_several_sims_share_and_none_can_do_nothing() -> None:
    pair = [Allowance(sim(min_interval_s=2.0), {}), Allowance(sim(min_interval_s=1.0), {})]
    assert needed_s(150, pair) == 100
    assert needed_s(1, []) is None


@given(segments=st.integers(1, 10_000), interval=st.floats(0.1, 10), hour=st.integers(2, 500))
def test_what_is_needed_is_just_enough(segments: int, interval: float, hour: int) -> None:
    allowance = Allowance(sim(min_interval_s=interval, per_hour=hour), {})
    found = needed_s(segments, [allowance])
    assert found is not None
    assert 0 <= found <= FARTHEST_S
    assert allowance.segments(found) >= segments
    assert found == 0 or allowance.segments(found - 1) < segments


LIMITS = st.tuples(st.sampled_from([0, 1.0]), st.sampled_from([0, 15]), st.sampled_from([0, 40]), st.integers(0, 50))


@given(limits=st.lists(LIMITS, max_size=5), segments=st.integers(0, 9_000), at_night=st.booleans())
def test_sims_send_together_what_each_sends_alone(
    limits: list[tuple[float, int, int, int]], segments: int, *, at_night: bool
) -> None:
    hours = OpenHours(["20:00-08:00"], NOON, UTC) if at_night else None
    pair = [
        Allowance(sim(min_interval_s=interval, per_minute=minute, per_day=day), {LimitName.PER_DAY: used})
        for interval, minute, day, used in limits
    ]
    found = needed_s(segments, pair, hours)

    def sent(within_s: int) -> float:
        return sum(one.segments(within_s, None if hours is None else hours.within(within_s)) for one in pair)

    if found is None:
        assert sent(FARTHEST_S) < segments
    else:
        assert sent(found) >= segments
        assert not found or sent(found - 1) < segments


def test_the_pace_is_that_of_the_last_ten_minutes() -> None:
    pace = Pace()
    assert pace.per_minute == 0
    for minute in range(60):
        pace.note(minute * 60_000, minute * (10 if minute < 30 else 0) + (290 if minute >= 30 else 0))
    assert pace.per_minute == 0
    for minute in range(60, 75):
        pace.note(minute * 60_000, 290 + (minute - 59) * 6)
    assert pace.per_minute == 6.0


def test_a_route_names_sims_or_a_pool() -> None:
    others = [SIM, msgspec.structs.replace(SIM, id=2, label="b")]
    assert [one.id for one in serving(others, routes.ANY)] == [1, 2]
    assert [one.id for one in serving(others, routes.pool_spec("b"))] == [2]
    assert [one.id for one in serving(others, routes.sims_spec([1]))] == [1]


DAY = 86_400
NOON = 12 * 3_600_000  # of the first of January 1970, UTC


@pytest.mark.parametrize(
    ("windows", "segments", "seconds"),
    [
        (["08:00-20:00"], 8 * 3_600, 8 * 3_600),
        (["08:00-20:00"], 8 * 3_600 + 1, 20 * 3_600 + 1),
        (["08:00-20:00"], 20 * 3_600, 32 * 3_600),
        (["20:00-08:00"], 1, 8 * 3_600 + 1),
        (["08:00-20:00", "07:00-13:00"], 3_600, 3_600),
        (["08:00-20:00", "07:00-13:00"], 3_601, 20 * 3_600 + 1),
        (["08:00-09:00", "10:00-11:00"], 1, None),
    ],
)
def test_only_open_hours_count(windows: list[str], segments: int, seconds: int | None) -> None:
    hours = OpenHours(windows, NOON, UTC)
    assert needed_s(segments, [Allowance(sim(min_interval_s=1.0), {})], hours) == seconds


def test_limits_of_days_go_on_at_night_and_those_of_hours_do_not() -> None:
    hours = OpenHours(["12:00-13:00"], NOON, UTC)
    by_hour, by_day = Allowance(sim(per_hour=10), {}), Allowance(sim(per_day=10), {})
    assert needed_s(11, [by_hour], hours) == 3_600
    assert needed_s(21, [by_hour], hours) == DAY + 3_600
    assert needed_s(11, [by_day], hours) == DAY


@given(begins=st.integers(0, DAY), first=st.floats(0, 3 * DAY), then=st.floats(0, DAY))
def test_open_time_never_runs_backwards_nor_faster_than_time(begins: int, first: float, then: float) -> None:
    hours = OpenHours(["22:30-06:15"], begins * 1000, UTC)
    passed = hours.within(first + then) - hours.within(first)
    assert -1e-6 <= passed <= then + 1e-6
    assert hours.within(DAY) == pytest.approx(7.75 * 3_600)
