"""Counted batches: whatever happens in whichever order, their counters are those of their messages; none is lost."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modembank.accounts import LOCAL_ADMIN
from modembank.errors import Conflict
from modembank.messages import batches, conservation
from modembank.messages.batches import Item, Items, Terms
from modembank.messages.cancelling import cancel
from modembank.messages.model import (
    Expire,
    Fail,
    Hold,
    Intent,
    MessageState,
    RetryAt,
    Settlement,
)
from modembank.messages.outbox import decisions, holding, journal
from modembank.messages.outbox.fold import Fold
from modembank.messages.outbox.holding import Chosen
from modembank.messages.stored import encoding_code
from modembank.modem.outcome import AttemptOutcome
from modembank.store.opening import open_owned
from modembank.tpdu import Encoding

BATCH, FIRST, COUNT = 100, 101, 7
START = 1_000_000
VALID = 1_000_000
TERMS = Terms(user_id=1, flags=1, route="{}", rank=4, not_before=None, window=None, on_unknown=0)
TABLES = (
    "messages", "attempts", "journal", "state_counts", "batch_counts", "paused_batches", "event_log",
    "outages", "orphan_reports",
)  # fmt: skip


class World:
    """A database with one batch, whose messages things happen to."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.conn = conn
        self.now = START
        self.tries = itertools.count(1)
        for table in TABLES:
            conn.execute(f"DELETE FROM {table}")
        items = [Item(f"+4479009001{at:02d}", f"text {at}", Encoding.GSM7, 1 + at % 2) for at in range(COUNT)]
        batches.add(conn, BATCH, TERMS, Items.of(items), expires_at=START + VALID, first=FIRST, now=START)

    def attempt(self, message: int, outcome: AttemptOutcome | None) -> None:
        """Try a message's first segment, if it may be tried."""
        intent = Intent(message, 1, next(self.tries), 1, "slot-1", self.now)
        if journal.begin(self.conn, intent).value == "go" and outcome is not None:
            journal.append_settlement(self.conn, Settlement(intent, outcome, self.now, tp_mr=message % 256))

    def do(self, what: str, message: int, outcome: AttemptOutcome | None) -> None:
        """Let one thing happen."""
        conn, now = self.conn, self.now
        match what:
            case "attempt":
                self.attempt(message, outcome)
            case "fold":
                Fold(conn, now).run()
            case "restart":
                Fold(conn, now).run(everything=True)
            case "retry":
                decisions.decide(conn, message, RetryAt(now + 5_000, "x: y"), now)
            case "fail":
                decisions.decide(conn, message, Fail("x: y"), now)
            case "unknown":
                decisions.decide(conn, message, Hold("x: y"), now)
            case "expire":
                decisions.decide(conn, message, Expire(), now)
            case "wake":
                decisions.wake(conn, now)
            case "later":
                self.now += 6_000
            case "cancel":
                with suppress(Conflict):
                    cancel(conn, message, LOCAL_ADMIN, now)
            case "pause all":
                batches.pause(conn, BATCH)
                self.walk(lambda place: batches.pause_step(conn, BATCH, place))
            case "resume all":
                batches.let_go(conn, BATCH)
                self.walk(lambda place: batches.resume_step(conn, BATCH, place, START + VALID, now))
                batches.forget_pause(conn, BATCH)
            case "cancel all":
                self.walk(lambda place: batches.cancel_step(conn, BATCH, place, "x", now))
            case "restore":
                holding.hold_waiting(conn, "outage: x", now)
            case "release":
                holding.release(conn, Chosen(), holding.START, now)

    @staticmethod
    def walk(step) -> None:
        place: int | None = 0
        while place is not None:
            place = step(place).after

    def check(self) -> None:
        """Nothing is lost, and every counter is right."""
        counted = {state: n for state, n in batches.recount(self.conn, BATCH).items() if n}
        assert batches.counts(self.conn, BATCH) == counted
        assert sum(counted.values()) == COUNT
        found = conservation.recount(self.conn)
        assert found.breaches() == (), found


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = open_owned(tmp_path / "box.db", START)
    opened.connection.execute("INSERT INTO sims (id, iccid, first_seen_at, last_seen_at) VALUES (1, '8944', 0, 0)")
    yield opened.connection
    opened.close(0)


THINGS = st.sampled_from(
    ["attempt"] * 6 + ["fold"] * 3 + ["retry", "fail", "unknown", "expire", "wake", "later", "cancel", "restart"]
    + ["pause all"] * 3 + ["resume all"] * 3 + ["cancel all", "restore", "release"]
)  # fmt: skip
STEPS = st.tuples(
    THINGS,
    st.integers(FIRST, FIRST + COUNT - 1),
    st.sampled_from([AttemptOutcome.ACCEPTED, AttemptOutcome.ACCEPTED, *AttemptOutcome, None]),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(STEPS, max_size=40))
def test_counters_are_right_after_any_history(conn: sqlite3.Connection, history) -> None:
    conn.execute("BEGIN")
    usual, batches.STEP = batches.STEP, 2
    try:
        world = World(conn)
        for what, message, outcome in history:
            world.do(what, message, outcome)
            world.check()
    finally:
        batches.STEP = usual
        conn.execute("ROLLBACK")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(STEPS, max_size=15))
def test_what_nobody_tried_is_not_sent_while_its_batch_is_paused(conn: sqlite3.Connection, history) -> None:
    conn.execute("BEGIN")
    try:
        world = World(conn)
        world.do("pause all", 0, None)
        for what, message, outcome in history:
            if what not in {"resume all", "cancel all"}:
                world.do(what, message, outcome)
        assert conn.execute("SELECT count(*) FROM journal WHERE kind IN (1, 2)").fetchone() == (0,)
        assert conn.execute("SELECT count(*) FROM attempts").fetchone() == (0,)
        world.do("resume all", 0, None)
        states = dict(conn.execute("SELECT id, state FROM messages").fetchall())
        ready = dict(conn.execute("SELECT id, ready FROM messages").fetchall())
        assert all(ready[one] in {1, 2, 3} for one, state in states.items() if state < MessageState.SENT)
    finally:
        conn.execute("ROLLBACK")


def test_a_message_of_which_a_part_is_out_goes_on_although_its_batch_is_paused(conn: sqlite3.Connection) -> None:
    world = World(conn)
    two_parts = FIRST + 1
    world.attempt(two_parts, AttemptOutcome.ACCEPTED)
    world.attempt(FIRST, None)
    world.do("pause all", 0, None)
    ready = dict(conn.execute("SELECT id, ready FROM messages").fetchall())
    assert ready == {FIRST: 1, two_parts: 1, **dict.fromkeys(range(FIRST + 2, FIRST + COUNT), 4)}
    world.do("retry", two_parts, None)
    assert conn.execute("SELECT ready FROM messages WHERE id = ?", (two_parts,)).fetchone() == (2,)


def test_one_that_failed_and_waits_for_another_try_waits_for_its_batch_too(conn: sqlite3.Connection) -> None:
    world = World(conn)
    world.attempt(FIRST, AttemptOutcome.NOT_SENT)
    world.do("pause all", 0, None)
    assert conn.execute("SELECT ready FROM messages WHERE id = ?", (FIRST,)).fetchone() == (4,)
    world.do("retry", FIRST, None)
    assert conn.execute("SELECT ready FROM messages WHERE id = ?", (FIRST,)).fetchone() == (4,)
    world.do("resume all", 0, None)
    assert conn.execute("SELECT ready FROM messages WHERE id = ?", (FIRST,)).fetchone() == (2,)


def test_a_message_left_paused_by_nobody_is_stranded(conn: sqlite3.Connection) -> None:
    world = World(conn)
    world.do("pause all", 0, None)
    assert conservation.recount(conn).holds
    conn.execute("DELETE FROM paused_batches")
    assert len(conservation.recount(conn).stranded) == COUNT


def test_messages_that_wait_for_their_batch_expire_all_the_same(conn: sqlite3.Connection) -> None:
    world = World(conn)
    world.do("pause all", 0, None)
    late, after = decisions.overdue_paused(conn, 0, START + VALID, 100)
    assert (late, after) == (list(range(FIRST, FIRST + COUNT)), None)
    decisions.expire(conn, late, START + VALID)
    assert batches.counts(conn, BATCH) == {MessageState.EXPIRED: COUNT}
    assert decisions.overdue_paused(conn, 0, START + VALID, 100) == ([], None)


def test_items_are_stored_as_they_are_and_in_parts(conn: sqlite3.Connection) -> None:
    World(conn)
    items = [
        Item("+447900900001", 'quote " and \\ and\nline', Encoding.GSM7, 1),
        Item("0123", "Grüße 😀", Encoding.UCS2, 2, "ref-1"),
        Item("+447900900003", "12", Encoding.GSM7, 3, "007"),
    ]
    some, rest = Items.of(items).parted(1)
    for part, first in (some, 501), (rest, 502):
        batches.add(conn, BATCH, TERMS, part, expires_at=START + VALID, first=first, now=START)
    stored = conn.execute(
        "SELECT id, recipient, text, encoding, segments, reference FROM messages WHERE id > 500 ORDER BY id"
    ).fetchall()
    assert stored == [
        (501 + at, one.recipient, one.text, encoding_code(one.encoding), one.segments, one.reference)
        for at, one in enumerate(items)
    ]
    assert (some.count, rest.count) == (1, 2)
    assert batches.counts(conn, BATCH) == batches.recount(conn, BATCH)
