"""What may be sent now, by the SIMs it may go through: counted up to a bound, however long the queue is."""

from __future__ import annotations

import sqlite3

import msgspec

from modembank.messages.model import Route
from modembank.messages.outbox.queue import waiting_routes

MOST_COUNTED = 10_000
"""Of one route; beyond that a count is a floor. A few milliseconds."""
MOST_ROUTES = 200
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM messages WHERE ready = 1 AND route_id = ? LIMIT ?)"


class Backlog(msgspec.Struct, frozen=True):
    """Messages that wait for one route."""

    route: Route
    waiting: int
    more: bool
    """There are more than were counted."""


def backlogs(conn: sqlite3.Connection) -> tuple[Backlog, ...]:
    """Return the routes for which messages wait, at most MOST_ROUTES of them."""
    found = []
    for route in waiting_routes(conn)[:MOST_ROUTES]:
        count = conn.execute(_COUNT, (route.id, MOST_COUNTED + 1)).fetchone()[0]
        found.append(Backlog(route, min(count, MOST_COUNTED), count > MOST_COUNTED))
    return tuple(found)
