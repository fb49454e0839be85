"""How many passwords may be tried: by account, by origin, and at the box as a whole; kept in the store.

Each aim has a meter that a try moves on by ``interval_ms`` and that time lets run back; a try is looked at while the
meter is less than ``burst`` intervals ahead. So at most burst + span / interval tries are looked at in any span, and
nobody is locked out for longer than an interval. A try is counted before it is looked at.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable

import msgspec

from modembank.accounts.networks import origin_of


class Aim(msgspec.Struct, frozen=True):
    """What a try is aimed at, and how many of them are looked at."""

    key: str
    burst: int
    interval_ms: int


def aims_of(name: str, source: str) -> tuple[Aim, ...]:
    """Return what a login is aimed at: 10, 40 and 240 tries in any quarter of an hour at most.

    What was given as a name is kept as a hash: people type passwords there.
    """
    return (_account(name), Aim(f"from:{origin_of(source)}", 20, 45_000), Aim("box", 60, 5_000))


def charge(conn: sqlite3.Connection, aims: Iterable[Aim], now_ms: int) -> int:
    """Count a try and return 0; or return how many milliseconds remain until one is looked at, counting none."""
    meters = [(aim, _meter(conn, aim, now_ms)) for aim in aims]
    wait = max(meter - now_ms - (aim.burst - 1) * aim.interval_ms for aim, meter in meters)
    if wait > 0:
        return wait
    conn.execute("DELETE FROM login_failures WHERE free_at <= ?", (now_ms,))
    conn.executemany(
        "INSERT INTO login_failures (aim, free_at) VALUES (?, ?)"
        " ON CONFLICT (aim) DO UPDATE SET free_at = excluded.free_at",
        [(aim.key, meter + aim.interval_ms) for aim, meter in meters],
    )
    return 0


def forgive(conn: sqlite3.Connection, aims: Iterable[Aim]) -> None:
    """Take back the try that was right; the account's earlier ones with it."""
    for aim in aims:
        if aim.key.startswith("user:"):
            conn.execute("DELETE FROM login_failures WHERE aim = ?", (aim.key,))
        else:
            conn.execute("UPDATE login_failures SET free_at = free_at - ? WHERE aim = ?", (aim.interval_ms, aim.key))


def forgive_account(conn: sqlite3.Connection, name: str) -> None:
    """Let a user try again at once, since an admin has set the password."""
    forgive(conn, (_account(name),))


def _account(name: str) -> Aim:
    return Aim(f"user:{hashlib.sha256(name.casefold().encode('utf-8', 'replace')).hexdigest()[:32]}", 5, 180_000)


def _meter(conn: sqlite3.Connection, aim: Aim, now_ms: int) -> int:
    """Return where a meter is; one further ahead than it could have come is set to that: the clock was set back."""
    row = conn.execute("SELECT free_at FROM login_failures WHERE aim = ?", (aim.key,)).fetchone()
    free_at: int = now_ms if row is None else row[0]
    most = now_ms + aim.burst * aim.interval_ms
    if free_at > most:
        conn.execute("UPDATE login_failures SET free_at = ? WHERE aim = ?", (most, aim.key))
    return min(max(free_at, now_ms), most)
