"""Outages as stored: until when the box lived, since when no SIM served a route, and what came of it."""

from __future__ import annotations

import enum
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

KEPT = 100
"""Outages in the table; older ones are forgotten."""
_ALIVE = "alive"


class OutageKind(enum.StrEnum):
    """What was away."""

    DOWN = "down"
    """The box."""
    NO_SIM = "no_sim"
    """Every SIM that the messages may leave through."""
    CLOCK = "clock"
    """Nobody knows: the clock jumped ahead, or everything stood still meanwhile."""
    RESTORED = "restored"
    """The data is a backup's: whatever waits in it may have been sent since."""


_WHY = {
    OutageKind.DOWN: "the box was not running",
    OutageKind.NO_SIM: "no SIM for it was in service",
    OutageKind.CLOCK: "the box stood still, or its clock was set ahead",
    OutageKind.RESTORED: "the data is restored from a backup",
}


class Outage(msgspec.Struct, frozen=True):
    """A time in which nothing could be sent on a route (None: on any); ``id`` is 0 until it is stored."""

    route_id: int | None
    kind: OutageKind
    since: int
    until: int
    id: int = 0
    judged_at: int | None = None
    held: int = 0
    expired: int = 0

    @property
    def cause(self) -> str:
        """What a message tells that was held or given up for it."""
        return f"outage: nothing could be sent from {_moment(self.since)} to {_moment(self.until)} UTC: {self.why}"

    @property
    def why(self) -> str:
        """What was away, in words."""
        return _WHY[self.kind]


class Alive(msgspec.Struct, frozen=True):
    """What the box notes of itself about once a minute (row ``alive`` of table ``box``)."""

    at: int
    unserved: dict[int, int] = {}
    """Since when no SIM serves a route on which something waits."""


class Past(msgspec.Struct, frozen=True):
    """What a start finds of the life before."""

    alive: Alive | None
    """None in the first life."""
    last_route: int
    """Routes with a higher id are of this life."""
    unjudged: tuple[Outage, ...] = ()
    """Outages of which the look through the waiting messages was broken off."""


def read_past(conn: sqlite3.Connection) -> Past:
    """Return what the life before left."""
    noted = conn.execute("SELECT value FROM box WHERE name = ?", (_ALIVE,)).fetchone()
    last_route = conn.execute("SELECT COALESCE(max(id), 0) FROM routes").fetchone()[0]
    unjudged = tuple(outage for outage in outages(conn) if outage.judged_at is None)
    return Past(None if noted is None else msgspec.json.decode(noted[0], type=Alive), last_route, unjudged[::-1])


def note_alive(conn: sqlite3.Connection, at: int, unserved: Mapping[int, int]) -> None:
    """Note that the box is alive; one row, whose page is all that is written."""
    value = msgspec.json.encode(Alive(at, dict(unserved))).decode()
    conn.execute(
        "INSERT INTO box (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_ALIVE, value),
    )


def forget_alive(conn: sqlite3.Connection) -> None:
    """Forget when the box lived last: the next start is to know of no outage before it."""
    conn.execute("DELETE FROM box WHERE name = ?", (_ALIVE,))


def add(conn: sqlite3.Connection, outage: Outage) -> Outage | None:
    """Store an outage if anything waited through it; return it with its id, or None."""
    if outage.route_id is not None and not _waited(conn, outage.route_id, outage.until):
        return None
    row = conn.execute(
        "INSERT INTO outages (route_id, kind, since, until, judged_at, held, expired) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " RETURNING id",
        (outage.route_id, outage.kind, outage.since, outage.until, outage.judged_at, outage.held, outage.expired),
    ).fetchone()
    conn.execute("DELETE FROM outages WHERE id <= ? AND judged_at IS NOT NULL", (row[0] - KEPT,))
    return replace(outage, id=row[0])


def count(conn: sqlite3.Connection, outage_id: int, held: int, expired: int, judged_at: int | None) -> None:
    """Add to what an outage held and gave up; ``judged_at`` is set when the look through is over."""
    if held or expired or judged_at is not None:
        conn.execute(
            "UPDATE outages SET held = held + ?, expired = expired + ?, judged_at = ? WHERE id = ?",
            (held, expired, judged_at, outage_id),
        )


def outages(conn: sqlite3.Connection) -> list[Outage]:
    """Return the stored outages, newest first."""
    rows = conn.execute(
        "SELECT route_id, kind, since, until, id, judged_at, held, expired FROM outages ORDER BY id DESC"
    )
    return [Outage(row[0], OutageKind(row[1]), *row[2:]) for row in rows]


def _waited(conn: sqlite3.Connection, route_id: int, until: int) -> bool:
    """Return whether what waits on a route was accepted before ``until``; looks at the oldest of each rank."""
    rank = -1
    while True:
        row = conn.execute(
            "SELECT rank, created_at FROM messages WHERE ready = 1 AND route_id = ? AND rank > ?"
            " ORDER BY rank, id LIMIT 1",
            (route_id, rank),
        ).fetchone()
        if row is None or row[1] < until:
            return row is not None
        rank = row[0]


def _moment(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M}"
