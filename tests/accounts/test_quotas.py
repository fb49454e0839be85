"""Quotas: counted per user, day and month of the box; what does not fit is refused and not counted."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modembank.accounts.quotas import QuotaExceeded, Spending, usage
from modembank.store import schema

BERLIN = ZoneInfo("Europe/Berlin")
HAVANA = ZoneInfo("America/Havana")


def ms(*when: int, zone: ZoneInfo | None = None) -> int:
    return round(datetime(*when, tzinfo=zone or UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


@pytest.fixture
def conn():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as conn:
        for migration in schema.known_migrations():
            for statement in migration.statements:
                conn.execute(statement)
        conn.execute(
            "INSERT INTO users (id, name, role, created_at, quota_per_day, quota_per_month) VALUES"
            " (1, 'anne', 'sender', 0, 10, 0), (2, 'bert', 'sender', 0, 0, 15), (3, 'cleo', 'sender', 0, 10, 15),"
            " (4, 'dora', 'sender', 0, 0, 0)"
        )
        yield conn


def spend(conn, user_id, segments, now, zone=UTC):
    spending = Spending(conn, zone)
    spending.spend(user_id, segments, now)
    spending.finish()


def rows(conn):
    return conn.execute("SELECT user_id, day, segments FROM user_usage ORDER BY user_id, day").fetchall()


def test_everybody_is_counted_by_days_of_the_box(conn):
    spend(conn, 4, 3, ms(2026, 11, 30, 22, 59), BERLIN)
    spend(conn, 4, 2, ms(2026, 11, 30, 23, 0), BERLIN)  # midnight in Berlin
    spend(conn, 4, 1, ms(2026, 12, 1, 22, 59), BERLIN)
    spend(conn, 99, 1, ms(2026, 12, 1), BERLIN)  # nobody that is known
    assert rows(conn) == [(4, 20261130, 3), (4, 20261201, 3), (99, 20261201, 1)]


def test_a_day_is_full_and_the_next_is_not(conn):
    now = ms(2026, 11, 20, 14, 5)
    spend(conn, 1, 9, now)
    with pytest.raises(QuotaExceeded) as refused:
        spend(conn, 1, 2, now)
    assert str(refused.value) == (
        "the quota of this user is 10 segments a day and 9 are used: 2 more do not fit; the next day of the box begins"
        " 2026-11-21T00:00:00.000Z"
    )
    assert refused.value.retry_after_s == 9 * 3600 + 55 * 60
    facts = refused.value.fields
    assert (facts["window"], facts["quota"], facts["used"], facts["asked"]) == ("day", 10, 9, 2)
    assert facts["resets_at"] == "2026-11-21T00:00:00.000Z"
    spend(conn, 1, 1, now)
    with pytest.raises(QuotaExceeded):
        spend(conn, 1, 1, ms(2026, 11, 20, 23, 59, 59))
    assert rows(conn) == [(1, 20261120, 10)]
    spend(conn, 1, 10, ms(2026, 11, 21))


def test_a_month_is_full_and_the_next_is_not(conn):
    spend(conn, 2, 14, ms(2026, 2, 1))
    spend(conn, 2, 1, ms(2026, 2, 28, 23))
    with pytest.raises(QuotaExceeded) as refused:
        spend(conn, 2, 1, ms(2026, 2, 28, 23, 59, 58))
    assert refused.value.fields["window"] == "month"
    assert refused.value.fields["resets_at"] == "2026-03-01T00:00:00.000Z"
    assert refused.value.retry_after_s == 2
    spend(conn, 2, 15, ms(2026, 3, 1))
    spend(conn, 2, 15, ms(2026, 12, 31))
    with pytest.raises(QuotaExceeded) as refused:
        spend(conn, 2, 15, ms(2026, 12, 31))
    assert refused.value.fields["resets_at"] == "2027-01-01T00:00:00.000Z"


def test_the_quota_that_stands_in_the_way_for_longest_is_named(conn):
    spend(conn, 3, 8, ms(2026, 11, 1))
    spend(conn, 3, 6, ms(2026, 11, 2))
    for asked, window in ((1, None), (2, "month"), (6, "month")):
        spending = Spending(conn, UTC)
        if window is None:
            spending.spend(3, asked, ms(2026, 11, 2))
        else:
            with pytest.raises(QuotaExceeded) as refused:
                spending.spend(3, asked, ms(2026, 11, 2))
            assert refused.value.fields["window"] == window


def test_what_can_never_fit_is_told_so(conn):
    with pytest.raises(QuotaExceeded) as refused:
        spend(conn, 1, 11, ms(2026, 11, 1))
    assert "more than a whole day allows" in str(refused.value)
    assert rows(conn) == []


def test_one_write_reads_and_writes_each_user_once(conn):
    statements: list[str] = []
    spending = Spending(conn, UTC)
    conn.set_trace_callback(statements.append)
    for _ in range(20):
        for user in (1, 4):
            try:
                spending.spend(user, 1, ms(2026, 11, 1))
            except QuotaExceeded:
                assert user == 1
    spending.finish()
    conn.set_trace_callback(None)
    assert rows(conn) == [(1, 20261101, 10), (4, 20261101, 20)]
    assert len([each for each in statements if each.startswith(("SELECT", "INSERT"))]) == 2 + 1 + 2


def test_usage_for_people(conn):
    spend(conn, 3, 4, ms(2026, 11, 1))
    spend(conn, 3, 5, ms(2026, 11, 20))
    found = usage(conn, 3, ms(2026, 11, 20, 12), UTC)
    assert (found.today, found.this_month, found.quota_per_day, found.quota_per_month) == (5, 9, 10, 15)
    assert (found.day_ends_at, found.month_ends_at) == (ms(2026, 11, 21), ms(2026, 12, 1))
    nobody = usage(conn, 77, ms(2026, 11, 20), UTC)
    assert (nobody.today, nobody.this_month, nobody.quota_per_day) == (0, 0, 0)
    assert usage(conn, 3, ms(2026, 11, 20)).day_ends_at > ms(2026, 11, 20), "without a zone it is the box's own"


def test_days_without_a_midnight_and_with_two(conn):
    """Havana puts its clocks forward from 00:00 to 01:00, and back from 01:00 to 00:00."""
    spend(conn, 1, 10, ms(2026, 3, 7, 23, 30, zone=HAVANA), HAVANA)
    with pytest.raises(QuotaExceeded) as refused:
        spend(conn, 1, 1, ms(2026, 3, 7, 23, 30, zone=HAVANA), HAVANA)
    assert refused.value.retry_after_s == 1800
    spend(conn, 1, 10, ms(2026, 3, 8, 1, zone=HAVANA), HAVANA)
    spend(conn, 1, 10, ms(2026, 11, 1, 0, 30, zone=HAVANA), HAVANA)
    with pytest.raises(QuotaExceeded) as refused:  # the same half hour again
        spend(conn, 1, 1, ms(2026, 11, 1, 0, 30, zone=HAVANA) + 3_600_000, HAVANA)
    assert refused.value.retry_after_s == 23 * 3600 + 1800


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([1, 2, 3, 4]), st.integers(1, 12), st.integers(0, 70 * 24)), min_size=1, max_size=40
    ),
    st.integers(1, 5),
)
def test_no_window_is_ever_exceeded_and_no_room_is_refused(steps, together):
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as conn:
        conn.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, quota_per_day INTEGER, quota_per_month INTEGER)")
        conn.execute("CREATE TABLE user_usage (user_id, day, segments, PRIMARY KEY (user_id, day)) WITHOUT ROWID")
        quotas = {1: (10, 0), 2: (0, 15), 3: (10, 15), 4: (0, 0)}
        conn.executemany("INSERT INTO users VALUES (?, ?, ?)", [(user, *each) for user, each in quotas.items()])
        days: dict[tuple[int, str], int] = {}
        months: dict[tuple[int, str], int] = {}
        begin = ms(2026, 11, 1, 0)
        for at in range(0, len(steps), together):
            spending = Spending(conn, BERLIN)
            for user, segments, hour in steps[at : at + together]:
                now = begin + hour * 3_600_000
                local = datetime.fromtimestamp(now / 1000, BERLIN)
                day, month = (user, local.strftime("%Y%m%d")), (user, local.strftime("%Y%m"))
                per_day, per_month = quotas[user]
                fits = (not per_day or days.get(day, 0) + segments <= per_day) and (
                    not per_month or months.get(month, 0) + segments <= per_month
                )
                try:
                    spending.spend(user, segments, now)
                except QuotaExceeded:
                    assert not fits
                else:
                    assert fits
                    days[day] = days.get(day, 0) + segments
                    months[month] = months.get(month, 0) + segments
            spending.finish()
        found = {(user, str(day)): n for user, day, n in conn.execute("SELECT * FROM user_usage")}
        assert found == days
