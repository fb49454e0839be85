"""What may be sent now, by route: counted up to a bound."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from modembank.messages import Route, backlog
from modembank.messages.backlog import Backlog, backlogs
from modembank.messages.routes import ANY, intern_route, pool_spec, sims_spec
from modembank.store import schema


@pytest.fixture
def conn():
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as conn:
        for migration in schema.known_migrations():
            for statement in migration.statements:
                conn.execute(statement)
        yield conn


def wait(conn: sqlite3.Connection, route: int, count: int, ready: int | None = 1) -> None:
    for _ in range(count):
        conn.execute(
            "INSERT INTO messages (user_id, recipient, text, encoding, segments, flags, route_id, rank, state, ready,"
            " expires_at, on_unknown, created_at) VALUES (1, '', '', 0, 1, 0, ?, 4, 30, ?, 0, 0, 0)",
            (route, ready),
        )


def test_routes_with_messages_that_may_be_sent(conn, monkeypatch):
    monkeypatch.setattr(backlog, "MOST_COUNTED", 3)
    anywhere, clinic, named, idle = (
        intern_route(conn, spec) for spec in (ANY, pool_spec("clinic"), sims_spec([2, 1]), pool_spec("idle"))
    )
    wait(conn, anywhere, 4)
    wait(conn, clinic, 3)
    wait(conn, named, 1)
    for ready in (None, 2, 3, 4):
        wait(conn, idle, 2, ready)
    assert backlogs(conn) == (
        Backlog(Route(anywhere), 3, True),
        Backlog(Route(clinic, pool="clinic"), 3, False),
        Backlog(Route(named, (1, 2)), 1, False),
    )


def test_nothing_waits(conn):
    assert backlogs(conn) == ()
