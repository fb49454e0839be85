"""Quotas: how many segments a user may have accepted in a day and in a month of the box.

What is accepted is counted in the transaction that accepts it, for every user, with a quota or without. It is not given
back when a message is cancelled, fails or expires: a quota bounds what is asked of the box, not what comes of it.
"""

from __future__ import annotations

import math
import sqlite3
from datetime import date, datetime, time, timedelta, tzinfo

import msgspec

from modembank.accounts.model import LOCAL_ADMIN
from modembank.clock import rfc3339
from modembank.errors import ModembankError

# From user to user along the primary key, so that days that are not asked for are not read.
_ACCEPTED_BY_DAY = (
    "WITH RECURSIVE counted (id) AS (SELECT min(user_id) FROM user_usage UNION ALL"
    " SELECT (SELECT min(user_id) FROM user_usage WHERE user_id > id) FROM counted WHERE id IS NOT NULL)"
    " SELECT coalesce(u.name, CASE c.id WHEN ? THEN ? ELSE 'user ' || c.id END), s.day, s.segments FROM counted AS c"
    " CROSS JOIN user_usage AS s ON s.user_id = c.id AND s.day BETWEEN ? AND ? LEFT JOIN users AS u ON u.id = c.id"
)


class QuotaExceeded(ModembankError):
    """What was asked for does not fit into the user's quota; nothing of it was accepted or counted."""

    key = "too_many_requests"
    template = (
        "the quota of this user is {quota} segments a {window} and {used} are used: {asked} more do not fit; {remedy}"
    )

    def __init__(self, window: str, quota: int, used: int, asked: int, wait: Wait) -> None:
        """``window`` is ``day`` or ``month``, ``asked`` the segments of the refused request."""
        self.retry_after_s = wait.seconds
        begins = f"the next {window} of the box begins {rfc3339(wait.until)}"
        too_large = f"it is more than a whole {window} allows: ask for less, or have the quota raised"
        super().__init__(
            window=window,
            quota=quota,
            used=used,
            asked=asked,
            resets_at=rfc3339(wait.until),
            remedy=too_large if asked > quota else begins,
        )


class Wait(msgspec.Struct, frozen=True):
    """Until when (unix milliseconds), and how many seconds that is, rounded up."""

    until: int
    seconds: int


class Usage(msgspec.Struct, frozen=True):
    """What a user has had accepted, in segments, and what it may; a quota of 0 is none. Times are unix milliseconds."""

    today: int
    this_month: int
    quota_per_day: int
    quota_per_month: int
    day_ends_at: int
    month_ends_at: int


def accepted_by_day(conn: sqlite3.Connection, first: date, last: date) -> dict[str, dict[date, int]]:
    """Return the segments that were accepted by user and day of the box, for the days that have any, both ends in.

    Users whose row is gone have names of their number.
    """
    found: dict[str, dict[date, int]] = {}
    rows = conn.execute(_ACCEPTED_BY_DAY, (LOCAL_ADMIN.user_id, LOCAL_ADMIN.name, _number(first), _number(last)))
    for name, number, segments in rows:
        day = date(number // 10_000, number // 100 % 100, number % 100)
        found.setdefault(name, {})[day] = segments
    return found


def usage(conn: sqlite3.Connection, user_id: int, now_ms: int, zone: tzinfo | None = None) -> Usage:
    """Return what a user has used by now; ``zone`` is the box's own when None."""
    today = _day(now_ms, zone)
    per_day, per_month = _quotas(conn, user_id)
    return Usage(
        today=_used(conn, user_id, _number(today), _number(today)),
        this_month=_used(conn, user_id, *_month(today)),
        quota_per_day=per_day,
        quota_per_month=per_month,
        day_ends_at=_midnight(today + timedelta(days=1), zone),
        month_ends_at=_midnight(_next_month(today), zone),
    )


class _Account(msgspec.Struct):
    """One user on one day, while a write lasts."""

    day: int
    quota_per_day: int
    quota_per_month: int
    today: int
    """Used before this write and in it; counted only under a quota, like the next."""
    this_month: int
    spent: int = 0
    """In this write."""

    def fits(self, segments: int) -> bool:
        return (not self.quota_per_day or self.today + segments <= self.quota_per_day) and (
            not self.quota_per_month or self.this_month + segments <= self.quota_per_month
        )


class Spending(msgspec.Struct):
    """Counts what the requests of one write spend; each user is read once and written once, by ``finish``.

    To be used inside a single transaction of the writer: nobody else counts meanwhile.
    """

    conn: sqlite3.Connection
    zone: tzinfo | None = None
    """None: the box's own."""
    _accounts: dict[int, _Account] = msgspec.field(default_factory=dict)
    _minute: int = -1
    _today: date = date.min
    """On which day of the box ``_minute`` (of unix time) is."""

    def spend(self, user_id: int, segments: int, now_ms: int) -> None:
        """Count the segments of a request that is about to be accepted; raises QuotaExceeded, and counts nothing."""
        if now_ms // 60_000 != self._minute:  # the requests of one write nearly always share it
            self._minute, self._today = now_ms // 60_000, _day(now_ms, self.zone)
        today = self._today
        account = self._accounts.get(user_id)
        if account is not None and account.day != _number(today):
            self.finish()  # a write that spans midnight: the month goes on and must know what the day before has spent
            account = None
        if account is None:
            account = self._accounts[user_id] = _account(self.conn, user_id, today)
        if not account.fits(segments):
            raise _exceeded(account, segments, now_ms, today, self.zone)
        account.today += segments
        account.this_month += segments
        account.spent += segments

    def finish(self) -> None:
        """Write what was spent."""
        rows = [(user, account.day, account.spent) for user, account in self._accounts.items() if account.spent]
        self._accounts.clear()
        self.conn.executemany(
            "INSERT INTO user_usage (user_id, day, segments) VALUES (?, ?, ?)"
            " ON CONFLICT (user_id, day) DO UPDATE SET segments = user_usage.segments + excluded.segments",
            rows,
        )


def _account(conn: sqlite3.Connection, user_id: int, today: date) -> _Account:
    per_day, per_month = _quotas(conn, user_id)
    day = _number(today)
    return _Account(
        day,
        per_day,
        per_month,
        _used(conn, user_id, day, day) if per_day else 0,
        _used(conn, user_id, *_month(today)) if per_month else 0,
    )


def _exceeded(account: _Account, asked: int, now_ms: int, today: date, zone: tzinfo | None) -> QuotaExceeded:
    """Name the quota that stands in the way for longest."""
    if account.quota_per_month and account.this_month + asked > account.quota_per_month:
        wait = _wait(now_ms, _midnight(_next_month(today), zone))
        return QuotaExceeded("month", account.quota_per_month, account.this_month, asked, wait)
    wait = _wait(now_ms, _midnight(today + timedelta(days=1), zone))
    return QuotaExceeded("day", account.quota_per_day, account.today, asked, wait)


def _wait(now_ms: int, until: int) -> Wait:
    return Wait(until, max(1, math.ceil((until - now_ms) / 1000)))


def _quotas(conn: sqlite3.Connection, user_id: int) -> tuple[int, int]:
    row = conn.execute("SELECT quota_per_day, quota_per_month FROM users WHERE id = ?", (user_id,)).fetchone()
    return (0, 0) if row is None else (row[0], row[1])


def _used(conn: sqlite3.Connection, user_id: int, first: int, last: int) -> int:
    row = conn.execute(
        "SELECT coalesce(sum(segments), 0) FROM user_usage WHERE user_id = ? AND day BETWEEN ? AND ?",
        (user_id, first, last),
    ).fetchone()
    return int(row[0])


def _day(now_ms: int, zone: tzinfo | None) -> date:
    return datetime.fromtimestamp(now_ms / 1000, zone).date()


def _number(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day


def _month(day: date) -> tuple[int, int]:
    first = _number(day.replace(day=1))
    return first, first + 30


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def _midnight(day: date, zone: tzinfo | None) -> int:
    return round(datetime.combine(day, time(), zone).timestamp() * 1000)
