"""The ledger against an oracle that keeps every event: never too much in any window, and never late without need."""

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from modembank.config import LimitsConfig, SimLimitsConfig
from modembank.sim import Denied, Ledger, LimitName, RateLimits, add_usage, compact_usage
from modembank.sim.limits import DAY_MS, HOUR_MS, MINUTE_MS, MONTH_MS
from modembank.sim.usage import drop_recipients, keep_recipients, load_recipients, load_usage, store_recipients
from modembank.store.schema import known_migrations, migrate

START = 1_790_000_000_000
WINDOWS = {
    LimitName.PER_MINUTE: (MINUTE_MS, 1_000),
    LimitName.PER_HOUR: (HOUR_MS, MINUTE_MS),
    LimitName.PER_DAY: (DAY_MS, MINUTE_MS),
    LimitName.PER_MONTH: (MONTH_MS, HOUR_MS),
}
NONE = RateLimits()


@dataclass
class Oracle:
    """Every event: when (as the clock said, corrected when it went back), how many segments, to whom."""

    events: list = field(default_factory=list)

    def set_back(self, now):
        self.events = [(min(at, now), segments, to) for at, segments, to in self.events]

    def used(self, now, length):
        return sum(segments for at, segments, _ in self.events if now - length < at <= now)

    def recipients(self, now):
        return {to for at, _, to in self.events if now - MONTH_MS < at <= now}

    def excess(self, now, limits):
        """Return what is exceeded in the windows that end now."""
        found = [
            (name, self.used(now, length), limits.cap(name))
            for name, (length, _) in WINDOWS.items()
            if limits.cap(name) and self.used(now, length) > limits.cap(name)
        ]
        if limits.recipients_per_month and len(self.recipients(now)) > limits.recipients_per_month:
            found.append(LimitName.RECIPIENTS_PER_MONTH)
        return found

    def free_at(self, now, length, segments, cap):
        """Return when the segments fit, exactly."""
        moments = [now, *sorted(at + length for at, _, _ in self.events if at + length > now)]
        return next(moment for moment in moments if self.used(moment, length) + segments <= cap)


caps = st.integers(0, 8)
all_limits = st.builds(
    RateLimits,
    min_interval_s=st.sampled_from([0.0, 0.0, 0.5, 3.0]),
    per_minute=caps,
    per_hour=caps.map(lambda cap: cap * 2),
    per_day=caps.map(lambda cap: cap * 3),
    per_month=caps.map(lambda cap: cap * 5),
    recipients_per_month=st.sampled_from([0, 0, 1, 2, 4]),
)
pauses = st.one_of(
    st.integers(0, 3_000),
    st.integers(0, 2 * MINUTE_MS),
    st.integers(0, 2 * HOUR_MS),
    st.integers(0, 2 * DAY_MS),
    st.integers(0, 20 * DAY_MS),
)
sends = st.tuples(st.just("send"), pauses, st.integers(1, 4), st.sampled_from(["+1", "+2", "+3", "+4", "+5"]))
bursts = st.tuples(st.just("burst"), st.integers(1, 12), st.integers(0, 5_000))
steps_back = st.tuples(st.just("clock"), pauses.map(lambda ms: -ms))
steps_ahead = st.tuples(st.just("clock"), st.one_of(pauses, st.integers(0, 200 * DAY_MS)))
restarts = st.tuples(st.just("restart"))
changes = st.tuples(st.just("limits"), all_limits)
anything = st.one_of(sends, sends, bursts, steps_back, steps_ahead, restarts, changes)


@pytest.fixture(scope="module")
def connection():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, Path("box.db"), known_migrations(), 1)
    yield connection
    connection.close()


class Life:
    """A SIM's life: a ledger as the daemon keeps it, the database behind it, and the oracle."""

    def __init__(self, connection, limits):
        self.connection = connection
        connection.execute("DELETE FROM sim_usage")
        connection.execute("DELETE FROM sim_recipients")
        self.now = START
        self.true = START
        self.oracle = Oracle()
        self.in_true_time = Oracle()
        self.limits = NONE
        self.ledger = Ledger(NONE)
        self.set_limits(limits)
        self.sent = 0

    def set_limits(self, limits):
        kept = bool(self.limits.recipients_per_month)
        if limits.recipients_per_month and not kept:
            keep_recipients(self.connection, 1)
            history = {}
            for at, _, to in self.oracle.events:
                if at > self.now - MONTH_MS:
                    history[to] = max(at, history.get(to, 0))
            self.ledger.load(self.now, (), store_recipients(self.connection, 1, history))
        elif kept and not limits.recipients_per_month:
            drop_recipients(self.connection, 1)
        self.limits = self.ledger.limits = limits

    def restart(self):
        compact_usage(self.connection, self.now)
        self.ledger = Ledger(NONE)
        self.ledger.load(self.now, load_usage(self.connection).get(1, ()), load_recipients(self.connection).get(1))
        self.ledger.limits = self.limits

    def clock(self, delta):
        self.now += delta
        if delta < 0:
            self.oracle.set_back(self.now)

    def send(self, pause, segments, to):
        self.now += pause
        self.true += pause
        if self.ledger.admit(self.now, segments, to) is not None:
            return False
        self.ledger.record(self.now, segments, to)
        add_usage(self.connection, 1, self.now, segments, to)
        # A recipient that counts already is never refused: after the limit was lowered there may be too many of them.
        known = to in self.oracle.recipients(self.now)
        self.oracle.events.append((self.now, segments, to))
        self.in_true_time.events.append((self.true, segments, to))
        assert (
            self.oracle.excess(self.now, replace(self.limits, recipients_per_month=0) if known else self.limits) == []
        )
        self.sent += 1
        return True

    def play(self, events):
        for what, *rest in events:
            if what == "burst":
                for _ in range(rest[0]):
                    self.send(rest[1], 1, "+1")
            else:
                getattr(self, {"limits": "set_limits"}.get(what, what))(*rest)


@given(all_limits, st.lists(anything, max_size=60))
@settings(max_examples=300, deadline=None)
def test_no_limit_is_exceeded_in_any_window_whatever_the_clock_restarts_and_changes_do(connection, limits, events):
    Life(connection, limits).play(events)


@given(all_limits, st.lists(st.one_of(sends, bursts, steps_back, restarts), max_size=60))
@settings(max_examples=150, deadline=None)
def test_a_clock_that_is_set_back_never_lets_more_out_in_true_time(connection, limits, events):
    life = Life(connection, limits)
    life.play(events)
    for at, _, _ in life.in_true_time.events:
        assert life.in_true_time.excess(at, limits) == []


@given(all_limits, st.lists(st.one_of(sends, bursts), max_size=60), st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_until_is_when_it_is_admitted_and_at_most_a_bucket_width_late(connection, limits, events, segments):
    life = Life(connection, limits)
    life.play(events)
    denied = life.ledger.admit(life.now, segments, "+9")
    if denied is None:
        return
    if denied.until is None:
        assert segments > life.ledger.most_at_once()
        return
    assert denied.until > life.now
    assert denied.at == life.now
    exact = [life.now]
    for name, (length, width) in WINDOWS.items():
        if cap := limits.cap(name):
            free = life.oracle.free_at(life.now, length, segments, cap)
            exact.append(free if free == life.now else free + width)
            # A window whose exact answer is "now" may still wait for the bucket it shares an edge with.
            exact.append(life.now + width if life.oracle.used(life.now, length + width) + segments > cap else life.now)
    if life.oracle.events:
        exact.append(life.oracle.events[-1][0] + round(limits.min_interval_s * 1000))
    if limits.recipients_per_month:
        exact.append(max((at for at, _, _ in life.oracle.events), default=0) + MONTH_MS)
    assert denied.until <= max(exact)
    before = life.ledger.admit(denied.until - 1, segments, "+9")
    assert before is not None
    assert life.ledger.admit(denied.until, segments, "+9") is None


@given(all_limits, st.lists(anything, max_size=60), all_limits)
@settings(max_examples=200, deadline=None)
def test_nobody_waits_longer_than_the_limits_own_length_whatever_the_clock_did(connection, limits, events, last):
    life = Life(connection, limits)
    life.play([*events, ("limits", last)])
    denied = life.ledger.admit(life.now, 1, "+9")
    if denied is not None:
        lengths = {name: length for name, (length, _) in WINDOWS.items()}
        lengths[LimitName.RECIPIENTS_PER_MONTH] = MONTH_MS
        lengths[LimitName.MIN_INTERVAL] = round(last.min_interval_s * 1000)
        assert life.now < denied.until <= life.now + lengths[denied.limit]
        assert life.ledger.admit(denied.until, 1, "+9") is None


@given(all_limits, st.lists(sends, max_size=40), st.lists(sends, max_size=40))
@settings(max_examples=80, deadline=None)
def test_two_ledgers_merged_count_at_least_what_both_sent(connection, limits, mine, others):
    first = Life(connection, limits)
    first.play(mine)
    second = Life(connection, limits)
    second.play(others)
    now = max(first.now, second.now)
    first.ledger.absorb(second.ledger, now)
    usage = first.ledger.usage(now)
    for name, (length, _) in WINDOWS.items():
        assert usage[name] >= first.oracle.used(now, length) + second.oracle.used(now, length)


@given(st.lists(st.one_of(sends, bursts, steps_ahead, steps_back), max_size=60))
@settings(max_examples=100, deadline=None)
def test_a_restart_never_forgets_and_at_most_coarsens(connection, events):
    life = Life(connection, NONE)
    life.play(events)
    life.restart()
    usage = life.ledger.usage(life.now)
    for name, (length, _) in WINDOWS.items():
        assert usage[name] >= life.oracle.used(life.now, length)


def full_ledger(**limits):
    ledger = Ledger(RateLimits(**limits))
    now = START
    while ledger.admit(now, 1, None) is None:
        ledger.record(now, 1, None)
    return ledger


def test_story_09_limits_count_segments_not_messages():
    ledger = Ledger(RateLimits(per_hour=10))
    ledger.record(START, 7, "+1")
    assert ledger.admit(START, 3, "+1") is None
    denied = ledger.admit(START, 4, "+1")
    assert (denied.limit, denied.used, denied.cap) == (LimitName.PER_HOUR, 7, 10)
    assert denied.until == START + HOUR_MS


def test_story_10_distinct_recipients_in_31_days():
    ledger = Ledger(RateLimits(recipients_per_month=2))
    ledger.record(START, 1, "+1")
    ledger.record(START + DAY_MS, 1, "+2")
    assert ledger.admit(START + DAY_MS, 1, "+1") is None
    denied = ledger.admit(START + DAY_MS, 1, "+3")
    assert (denied.limit, denied.used, denied.until) == (LimitName.RECIPIENTS_PER_MONTH, 2, START + MONTH_MS)
    ledger.record(START + 2 * DAY_MS, 1, "+1")
    assert ledger.admit(START + 3 * DAY_MS, 1, "+3").until == START + DAY_MS + MONTH_MS
    assert ledger.admit(START + 3 * DAY_MS, 1, None) is None


def test_a_lowered_recipient_limit_waits_for_as_many_to_leave():
    ledger = Ledger(RateLimits(recipients_per_month=5))
    for number in range(5):
        ledger.record(START + number * DAY_MS, 1, f"+{number}")
    ledger.limits = RateLimits(recipients_per_month=2)
    assert ledger.admit(START + 5 * DAY_MS, 1, "+9").until == START + 3 * DAY_MS + MONTH_MS
    assert ledger.admit(START + 5 * DAY_MS, 1, "+0") is None


def test_recipients_are_kept_only_while_they_are_limited():
    ledger = Ledger(RateLimits(recipients_per_month=5))
    ledger.record(START, 1, "+1")
    assert ledger.usage(START)[LimitName.RECIPIENTS_PER_MONTH] == 1
    ledger.limits = NONE
    assert LimitName.RECIPIENTS_PER_MONTH not in ledger.usage(START)
    assert dict(ledger.recipients.last_seen()) == {}


def test_the_least_interval_is_between_the_starts_of_messages_only():
    ledger = Ledger(RateLimits(min_interval_s=2.0))
    ledger.record(START, 1, None)
    assert ledger.admit(START + 500, 1, None, starts=False) is None
    ledger.record(START + 500, 1, None, starts=False)
    denied = ledger.admit(START + 1999, 1, None)
    assert (denied.limit, denied.used, denied.cap, denied.until) == (LimitName.MIN_INTERVAL, 1, 2.0, START + 2000)
    assert ledger.admit(START + 2000, 1, None) is None


def test_a_message_larger_than_a_limit_goes_segment_by_segment():
    ledger = Ledger(RateLimits(per_minute=3, per_hour=10))
    assert ledger.most_at_once() == 3
    denied = ledger.admit(START, 5, None)
    assert denied.until is None
    for _ in range(3):
        assert ledger.admit(START, 1, None) is None
        ledger.record(START, 1, None, starts=False)
    assert ledger.admit(START, 1, None).until == START + MINUTE_MS
    assert Ledger(NONE).most_at_once() is None


def test_the_limit_that_waits_longest_is_the_one_told():
    ledger = full_ledger(per_minute=5, per_day=5)
    assert ledger.admit(START, 1, None).limit is LimitName.PER_DAY


def test_an_instant_exactly_one_length_later_is_free():
    ledger = full_ledger(per_minute=4)
    assert ledger.admit(START + MINUTE_MS - 1, 1, None) is not None
    assert ledger.admit(START + MINUTE_MS, 1, None) is None


def test_a_limit_set_live_counts_what_was_sent_before_it():
    ledger = Ledger(NONE)
    for _ in range(10):
        ledger.record(START, 1, None)
    ledger.limits = RateLimits(per_day=10)
    assert ledger.admit(START, 1, None).used == 10
    ledger.limits = RateLimits(per_day=11)
    assert ledger.admit(START, 1, None) is None


def test_a_clock_years_ahead_for_a_moment_forgets_nothing():
    ledger = full_ledger(per_day=20)
    assert ledger.admit(START + 400 * DAY_MS, 1, None) is None
    assert ledger.admit(START + 1000, 1, None).used == 20


def test_a_clock_set_back_by_a_year_blocks_nobody_for_a_year():
    ledger = Ledger(RateLimits(min_interval_s=2, per_minute=9, recipients_per_month=1))
    ledger.record(START, 1, "+1")
    back = START - 365 * DAY_MS
    assert ledger.admit(back, 1, "+1").until == back + 2_000
    assert ledger.admit(back + 2_000, 1, "+1") is None
    assert ledger.admit(back + 2_000, 1, "+2").until == back + MONTH_MS
    assert ledger.usage(back + MINUTE_MS)[LimitName.PER_MINUTE] == 0


def test_memory_is_bounded_however_much_is_sent():
    ledger = Ledger(RateLimits(recipients_per_month=50))
    for number in range(40_000):
        ledger.record(START + number * 97_003, 1, f"+{number}")  # 45 days
    buckets = sum(len(window.buckets()) for window in ledger._windows.values())
    assert buckets < 2 * (62 + 62 + 1442 + 746)
    assert len(ledger.recipients._past) <= 5_000


def test_a_loaded_bucket_counts_as_made_at_its_last_time():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, Path("box.db"), known_migrations(), 1)
    base = START // MINUTE_MS * MINUTE_MS
    add_usage(connection, 7, base + 1_000, 2, "+1")
    add_usage(connection, 7, base + 59_000, 3, "+1")
    add_usage(connection, 8, base, 99)
    ledger = Ledger(RateLimits(per_hour=5, min_interval_s=2))
    ledger.load(base + 60_000, load_usage(connection)[7], None)
    denied = ledger.admit(base + 60_000, 1, None)
    assert (denied.used, denied.until) == (5, base + 59_000 + HOUR_MS)
    connection.close()


def test_limits_are_laid_over_each_other_and_later_ones_win():
    limits = RateLimits.of(LimitsConfig(), SimLimitsConfig(per_hour=50), {"per_day": 7, "per_hour": None})
    assert limits == RateLimits(2.0, 15, 50, 7, 0, 0)
    assert RateLimits.of(LimitsConfig(per_minute=3), None) == RateLimits(2.0, 3, 200, 1000, 0, 0)
    assert RateLimits.of(LimitsConfig(), {"per_minute": 0}).per_minute == 0


def test_limit_names_are_the_configurations_keys():
    assert {name.value for name in LimitName} == set(LimitsConfig.__struct_fields__)
    assert all(isinstance(replace(NONE).cap(name), int | float) for name in LimitName)


class TestExplain:
    """Sentences in the box's local time."""

    @pytest.fixture(autouse=True)
    def _zone(self, monkeypatch):
        import time

        monkeypatch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
        monkeypatch.undo()
        time.tzset()

    AT = 1_795_266_000_000  # 2026-11-21 14:00:00 in Berlin

    @pytest.mark.parametrize(
        ("denied", "sentence"),
        [
            (Denied(LimitName.PER_HOUR, 200, 200, AT + 5 * MINUTE_MS, AT), "200 of 200 this hour, next at 14:05"),
            (Denied(LimitName.PER_HOUR, 200, 200, AT + 5 * MINUTE_MS + 1, AT), "200 of 200 this hour, next at 14:06"),
            (Denied(LimitName.PER_MINUTE, 15, 15, AT + 41_200, AT), "15 of 15 this minute, next at 14:00:42"),
            (
                Denied(LimitName.PER_DAY, 999, 1000, AT + 10 * HOUR_MS, AT),
                "999 of 1000 in 24 hours, next on 2026-11-22 at 00:00",
            ),
            (
                Denied(LimitName.PER_MONTH, 3000, 3000, AT + 9 * DAY_MS, AT),
                "3000 of 3000 in 31 days, next on 2026-11-30 at 14:00",
            ),
            (
                Denied(LimitName.RECIPIENTS_PER_MONTH, 99, 99, AT + DAY_MS, AT),
                "99 of 99 recipients in 31 days, next on 2026-11-22 at 14:00",
            ),
            (Denied(LimitName.MIN_INTERVAL, 1, 2.5, AT + 900, AT), "2.5 s between messages, next at 14:00:01"),
            (Denied(LimitName.PER_MINUTE, 0, 3, None, AT), "0 of 3 this minute, more than the limit allows at once"),
        ],
    )
    def test_says_which_limit_how_much_and_until_when(self, denied, sentence):
        assert denied.explain("SIM slot-3") == f"SIM slot-3: {sentence}"
