"""Reports by day: whose days they are, what they cost, and that they agree with what was counted."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fakes import kinds
from fakes.web_boxes import ICCID, Box, make_box
from modembank.accounts import LOCAL_ADMIN, Actor, Role
from modembank.accounts.quotas import Spending, accepted_by_day
from modembank.errors import Forbidden, InvalidRequest
from modembank.figures import MOST_DAYS, Figures, write_csv
from modembank.figures.report import Line, Report
from modembank.messages import MessageState, ended_badly
from modembank.messages.chronology import first_accepted_at
from modembank.messages.ended_badly import _BY_SIM, _COUNT, BAD_ENDS, bad_ends, bad_ends_by_sim
from modembank.sim import add_usage, compact_usage
from modembank.sim.usage import segments_between
from modembank.store import schema

BERLIN = ZoneInfo("Europe/Berlin")
KATHMANDU = ZoneInfo("Asia/Kathmandu")  # a quarter to six ahead


def ms(*when: int, zone: ZoneInfo | None = None) -> int:
    return round(datetime(*when, tzinfo=zone or UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


@pytest.fixture
def conn():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as conn:
        for migration in schema.known_migrations():
            for statement in migration.statements:
                conn.execute(statement)
        yield conn


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    box = await make_box(tmp_path)
    yield box
    await box.store.close()


def test_what_was_accepted_by_user_and_day(conn):
    conn.execute("INSERT INTO users (id, name, role, created_at) VALUES (4, 'dora', 'sender', 0)")
    for user, when, segments in (
        (4, (2026, 11, 9), 1), (4, (2026, 11, 10), 2), (4, (2026, 11, 12), 3), (4, (2026, 11, 13), 4),
        (0, (2026, 11, 11), 5), (99, (2026, 11, 11), 6), (7, (2026, 1, 1), 7),
    ):  # fmt: skip
        spending = Spending(conn, UTC)
        spending.spend(user, segments, ms(*when))
        spending.finish()
    eleventh = date(2026, 11, 11)
    assert accepted_by_day(conn, date(2026, 11, 10), date(2026, 11, 12)) == {
        "dora": {date(2026, 11, 10): 2, date(2026, 11, 12): 3}, "local": {eleventh: 5}, "user 99": {eleventh: 6},
    }  # fmt: skip
    assert accepted_by_day(conn, date(2025, 1, 1), date(2025, 1, 2)) == {}


def test_a_stretch_of_time_of_sims_has_its_first_minute_and_not_its_last(conn):
    since, before = ms(2026, 11, 11), ms(2026, 11, 12)
    for at, segments in ((since - 1, 1), (since, 2), (before - 1, 4), (before, 8)):
        add_usage(conn, 1, at, segments)
    add_usage(conn, 2, since + 1000, 16)
    assert segments_between(conn, since, before) == {1: 6, 2: 16}
    compact_usage(conn, before + 10 * 86_400_000)  # to the hour: the day is still the day
    assert segments_between(conn, since, before) == {1: 6, 2: 16}


def test_bad_ends_are_counted_along_their_index_alone(conn):
    plan = " ".join(row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {_COUNT}", (60, 0, 1)))
    assert "COVERING INDEX messages_problem" in plan or "INDEX messages_problem (state=? AND id>? AND id<?)" in plan
    assert "SCAN" not in plan
    plan = " ".join(row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {_BY_SIM}", (60, 0, 10)))
    assert "INDEX messages_problem (state=? AND id>?)" in plan
    assert "SCAN messages" not in plan


def test_bad_ends_of_each_sim(conn, monkeypatch):
    ends = [(74, 1, 5), (74, 1, 6), (60, 1, 6), (72, None, 6), (80, 2, 6), (76, 2, 6), (74, 2, 1), (70, 2, 7)]
    for number, (state, sim, at) in enumerate(sorted(ends, key=lambda end: end[2])):
        conn.execute(
            "INSERT INTO messages (id, user_id, recipient, text, encoding, segments, flags, route_id, rank, state,"
            " expires_at, on_unknown, created_at, sim_id) VALUES (?, 1, '', '', 0, 1, 0, 1, 4, ?, 0, 0, ?, ?)",
            ((1 << 40) + number, state, at * 1000, sim),
        )
    assert bad_ends_by_sim(conn, 5000) == {1: 3, 2: 1, None: 1}
    assert bad_ends_by_sim(conn, 8000) == {}
    monkeypatch.setattr(ended_badly, "MOST_BY_SIM", 1)
    assert bad_ends_by_sim(conn, 5000) == {1: 2, 2: 1, None: 1}


def test_bad_ends_of_each_day(conn):
    states = [80, 74, 60, 50, 74, 72, 70, 76, 74]
    for number, state in enumerate(states):
        conn.execute(
            "INSERT INTO messages (id, user_id, recipient, text, encoding, segments, flags, route_id, rank, state,"
            " expires_at, on_unknown, created_at) VALUES (?, 1, '', '', 0, 1, 0, 1, 4, ?, 0, 0, ?)",
            ((1 << 40) + number * 7, state, number * 1000),
        )
    places = [first_accepted_at(conn, moment) for moment in (0, 3000, 6000, 8000)]
    found = [bad_ends(conn, first, behind) for first, behind in pairwise(places)]
    assert {state: [day[state] for day in found] for state in BAD_ENDS} == {
        MessageState.UNDELIVERED: [0, 0, 1],
        MessageState.FAILED: [1, 1, 0],
        MessageState.EXPIRED: [0, 1, 0],
        MessageState.UNKNOWN: [1, 0, 0],
    }
    end = first_accepted_at(conn, 10_000)
    assert bad_ends(conn, end, end) == dict.fromkeys(BAD_ENDS, 0)


@pytest.mark.parametrize("zone", [BERLIN, KATHMANDU])
async def test_days_begin_at_the_midnight_of_the_box(box: Box, zone: ZoneInfo) -> None:
    figures = Figures(box.store, box.bus, box.clock, box.sims, box.providers, zone)
    sim = box.sims.by_iccid(ICCID)
    assert sim is not None
    today = datetime.fromtimestamp(box.clock.now(), zone).date()
    assert figures.today() == today
    midnight = datetime(today.year, today.month, today.day, tzinfo=zone)
    before, after = (round((midnight + timedelta(seconds=s)).timestamp() * 1000) for s in (-1, 1))

    def write(conn: sqlite3.Connection) -> None:
        for at, segments in ((before, 3), (after, 5)):
            add_usage(conn, sim.id, at, segments)
            spending = Spending(conn, zone)
            spending.spend(0, segments, at)
            spending.finish()

    await box.store.write(write)
    report = await figures.report(LOCAL_ADMIN, today - timedelta(days=1), today)
    assert (report.accepted, report.sent) == ((3, 5), (3, 5))
    assert [(line.name, line.total) for line in report.senders] == [("local", 8)]
    assert [(line.key, line.hint) for line in report.sims] == [(ICCID, "+447900900001")]


async def test_what_providers_sent_stands_under_their_names_also_when_they_are_gone(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds.install(monkeypatch)
    made = [await box.providers.add(LOCAL_ADMIN, kinds.draft(name)) for name in ("alpha", "beta")]
    now = round(box.clock.now() * 1000)

    def write(conn: sqlite3.Connection) -> None:
        for provider, segments in zip(made, (4, 2), strict=True):
            add_usage(conn, provider.id, now, segments)

    await box.store.write(write)
    await box.providers.remove(LOCAL_ADMIN, "beta")
    today = box.figures.today()
    report = await box.figures.report(LOCAL_ADMIN, today, today)
    assert [(line.key, line.name, line.hint, line.total) for line in report.sims] == [
        ("provider alpha", "alpha", "provider", 4),
        ("provider beta", "beta", "provider", 2),
    ]
    assert report.sent == (6,)


async def test_the_day_on_which_clocks_change_is_a_day(box: Box) -> None:
    figures = Figures(box.store, box.bus, box.clock, box.sims, box.providers, BERLIN)
    at = [ms(2026, 10, 25, 0, 30, zone=BERLIN), ms(2026, 10, 25, 23, 30, zone=BERLIN)]  # 25 hours long
    await box.store.write(lambda conn: [add_usage(conn, 1, when, 1) for when in at])
    report = await figures.report(LOCAL_ADMIN, date(2026, 10, 24), date(2026, 10, 26))
    assert report.sent == (0, 2, 0)


async def test_spans_are_checked_and_reports_are_for_admins(box: Box) -> None:
    first = date(2026, 1, 1)
    assert len((await box.figures.report(LOCAL_ADMIN, first, first)).days) == 1
    longest = first + timedelta(days=MOST_DAYS - 1)
    assert len((await box.figures.report(LOCAL_ADMIN, first, longest)).days) == MOST_DAYS
    for last in (first - timedelta(days=1), longest + timedelta(days=1)):
        with pytest.raises(InvalidRequest):
            await box.figures.report(LOCAL_ADMIN, first, last)
    with pytest.raises(Forbidden):
        await box.figures.report(Actor(7, "anne", Role.SENDER, frozenset()), first, first)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "'"])
def test_no_cell_of_a_file_is_a_formula(start: str) -> None:
    line = Line("k", f"{start}1+1", "", (1,))
    report = Report((date(2026, 1, 1),), (line,), (line,), date(2025, 1, 1), {})
    for subject in ("senders", "sims"):
        text = write_csv(report, subject).decode("utf-8-sig")  # type: ignore[arg-type]
        assert f"'{start}1+1" in text
        assert f",{start}" not in text.replace(f"'{start}", "")
