"""How long the database works for a page of a list, at ten million messages.

Run: ``python tests/bench/bench_lists.py [--rows 10000000] [--keep FILE]``. Builds a database as a box would have it
after years (about two minutes, 3 GB in the temporary folder; ``--keep`` builds it once and uses it again), then reads
pages of every kind of list through the services that faces call, on one reader, warm, by the processor time
of the reading thread (on a busy machine seconds tell nothing). The baselines of the same run are
a page by the primary key alone, and what paging by OFFSET would cost. The goal is 5 ms of database time for every page.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from report import Report, percentile, verdict

from modembank.accounts.model import ROLE_SCOPES, Actor, Role, Scope
from modembank.bus import Bus
from modembank.clock import SystemClock
from modembank.config import SendingConfig
from modembank.ids import public_id
from modembank.messages import Admission, Inbox, MessageFilter, Messages, MessageState, Page
from modembank.messages.stored import read_stories
from modembank.messages.views import BATCH_ID
from modembank.metrics import Metrics
from modembank.store import schema
from modembank.store.readers import Reader
from modembank.twilio.listing import Place, Wanted, pick, read_token

GOAL_MS = 5.0
BEGAN = 1_700_000_000_000
STEP_MS = 6_000
"""Between two messages: ten million are two years."""
FIRST = 1 << 40
PAGE = 50
PAGES = 200
"""Of each list, for the median and the worst; fewer where a list ends before."""
COMMON_USER, USUAL_USER, RARE_USER = 1, 5, 40
# Of ten thousand messages, by state; the newest queue is on top of them.
SHARES = (
    (MessageState.DELIVERED, 8_700),
    (MessageState.SENT, 900),
    (MessageState.UNDELIVERED, 200),
    (MessageState.FAILED, 120),
    (MessageState.EXPIRED, 60),
    (MessageState.CANCELLED, 15),
    (MessageState.UNKNOWN, 5),
)
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ? - 1)"
_DICE = "((i * 2654435761 + (i >> 7) * 40503) & 0x7fffffff)"  # the same ten million on every machine


def build(path: Path, rows: int) -> None:
    """Make the database: tables, rows, and then the indexes, which is quicker by far than all at once."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode = OFF")
        conn.execute("PRAGMA synchronous = OFF")
        conn.execute("PRAGMA cache_size = -262144")
        conn.execute("BEGIN")
        statements = [each for migration in schema.known_migrations() for each in migration.statements]
        for statement in statements:
            conn.execute(statement)
        indexes = conn.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name IN ('messages', 'inbox')"
            " AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in indexes:
            conn.execute(f"DROP INDEX {name}")
        _fill(conn, rows)
        for _, sql in indexes:
            conn.execute(sql)
        conn.execute("COMMIT")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode = WAL").fetchone()


def _fill(conn: sqlite3.Connection, rows: int) -> None:
    conn.execute("INSERT INTO sims (id, iccid, first_seen_at, last_seen_at) VALUES (1, '8944110000000000001', 0, 0)")
    conn.execute("INSERT INTO routes (id, spec) VALUES (1, '{}')")
    bounds = list(itertools.accumulate(share for _, share in SHARES))
    state = "CASE " + " ".join(
        f"WHEN {_DICE} / 3 % 10000 < {bound} THEN {int(each)}" for bound, (each, _) in zip(bounds, SHARES, strict=True)
    )
    newest = rows - max(20, rows // 500)  # what waits is what came last, and a few for next month
    state = f"CASE WHEN i >= {newest} THEN {int(MessageState.QUEUED)} WHEN i % 99991 = 0 THEN 20 ELSE {state} END END"
    # Two users have a fifth and a third of all, others less, the last a thousand among ten million.
    user = (
        f"CASE WHEN {_DICE} % 10000 = 0 THEN {RARE_USER} WHEN {_DICE} % 3 = 0 THEN {COMMON_USER}"
        f" WHEN {_DICE} % 5 = 0 THEN 2 ELSE 3 + {_DICE} / 11 % 30 END"
    )
    text = "substr('Your parcel 00000000 arrives today between 10 and 12. Reply STOP to opt out.' || i, 1 + i % 20)"
    conn.execute(
        f"{_NUMBERS} INSERT INTO messages (id, batch_id, user_id, recipient, text, encoding, segments, flags, route_id,"
        " rank, state, ready, not_before, expires_at, on_unknown, reference, created_at, tries, sim_id, sent_at,"
        f" settled_at) SELECT {FIRST} + i, CASE WHEN i / 500 % 2 THEN {FIRST} + i / 1000 END, {user},"
        f" '+4479' || printf('%08d', {_DICE} % 2000003), {text}, 0, 1, 1, 1, 4, {state} AS s, NULL, NULL,"
        f" {BEGAN} + i * {STEP_MS} + 172800000, 0, CASE WHEN i % 3 = 0 THEN 'order-' || (i / 6) END,"
        f" {BEGAN} + i * {STEP_MS}, 1, 1, {BEGAN} + i * {STEP_MS} + 4000, {BEGAN} + i * {STEP_MS} + 9000 FROM n",
        (rows,),
    )
    conn.execute(
        "UPDATE messages SET ready = 1, sim_id = NULL, tries = 0 WHERE id >= ? AND state = 30", (FIRST + newest,)
    )
    conn.execute("UPDATE messages SET ready = 2, not_before = expires_at WHERE state = 20")
    conn.execute("DELETE FROM state_counts")
    conn.execute("INSERT INTO state_counts SELECT state, count(*) FROM messages GROUP BY state")
    conn.execute("INSERT INTO state_counts SELECT 0, sum(n) FROM state_counts")
    conn.execute(
        f"{_NUMBERS} INSERT INTO inbox (id, sim_id, sender, kind, text, parts, received_at, user_id)"
        f" SELECT {FIRST} + ? + i, 1, '+4479' || printf('%08d', {_DICE} % 200003), 'text', 'Thank you', 1,"
        f" {BEGAN} + i * {STEP_MS} * 10, CASE WHEN {_DICE} % 1000 = 0 THEN NULL ELSE 1 + {_DICE} / 7 % 40 END FROM n",
        (rows // 10, rows),
    )
    conn.execute(
        "INSERT OR REPLACE INTO conversations (number, user_id, last_inbox, read_up_to)"
        " SELECT sender, COALESCE(user_id, 0), max(id), 0 FROM inbox GROUP BY sender, COALESCE(user_id, 0)"
    )


class OneReader:
    """In the place of a store: runs each read at once, and knows how long the last one took."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.conn = conn
        self.ms = 0.0

    async def read(self, fn: Callable[[sqlite3.Connection], Any]) -> Any:
        """Return ``fn(connection)``."""
        began = time.thread_time()
        try:
            return fn(self.conn)
        finally:
            self.ms = (time.thread_time() - began) * 1000


class Silent:
    """A box without SIMs that explains nothing."""

    def all(self) -> tuple[object, ...]:
        """Return no SIM."""
        return ()

    def explain(self, _: object) -> None:
        """Return no sentence."""


Read = Callable[[str | None], Coroutine[Any, Any, Page[Any]]]


def person(user_id: int | None) -> Actor:
    """Return a sender, or an admin."""
    role = Role.ADMIN if user_id is None else Role.SENDER
    return Actor(user_id or 0, "someone", role, frozenset(Scope) if user_id is None else ROLE_SCOPES[role])


def filters(rows: int) -> Iterator[tuple[str, MessageFilter, int | None]]:
    """Every kind of list, the worst ones included: name, filter, whose messages (None: an admin's list)."""

    def at(share: float) -> datetime:
        return datetime.fromtimestamp((BEGAN + rows * share * STEP_MS) / 1000, UTC)

    recipient, batch = "+447900000007", FIRST + rows // 4000
    yield "all", MessageFilter(), None
    yield "a user with a third of all", MessageFilter(), COMMON_USER
    yield "a user with one in ten thousand", MessageFilter(), RARE_USER
    yield "a user without messages", MessageFilter(), 999
    for words in ("delivered", "sent", "queued", "scheduled", "sending", "unknown", "failed,expired,cancelled"):
        yield f"status {words}", MessageFilter(status=tuple(words.split(","))), None
    yield "status failed,scheduled,sent", MessageFilter(status=("failed", "scheduled", "sent")), None
    for name, user in (("a third", COMMON_USER), ("a fiftieth", USUAL_USER), ("one in ten thousand", RARE_USER)):
        for words in ("scheduled", "unknown", "sent", "cancelled,sent"):
            yield f"status {words}, user with {name}", MessageFilter(status=tuple(words.split(","))), user
        yield f"a SIM that sent nothing, user with {name}", MessageFilter(sim="8944110000000000002"), user
        yield f"until the first tenth, user with {name}", MessageFilter(until=at(0.1)), user
    yield "status queued, user without", MessageFilter(status=("queued",)), 999
    yield "to", MessageFilter(to=recipient), None
    yield "to, user without", MessageFilter(to=recipient), 999
    yield "reference", MessageFilter(reference="order-4711"), None
    yield "batch", MessageFilter(batch=public_id(BATCH_ID, batch)), None
    yield "batch, status it has not", MessageFilter(batch=public_id(BATCH_ID, batch), status=("queued",)), None
    yield "a SIM that sent all", MessageFilter(sim="8944110000000000001"), None
    yield "a SIM that sent nothing", MessageFilter(sim="8944110000000000002"), None
    yield "since the last tenth", MessageFilter(since=at(0.9)), None
    yield "since tomorrow", MessageFilter(since=at(1.1)), None
    yield "since the last tenth, status unknown", MessageFilter(since=at(0.9), status=("unknown",)), USUAL_USER
    yield "until the first tenth", MessageFilter(until=at(0.1)), None


def lists(store: OneReader, rows: int) -> Iterator[tuple[str, Read]]:
    """Every list that a face shows, with how to read a page of it."""
    admission, nobody = Admission(Silent(), SendingConfig()), Silent()  # type: ignore[arg-type]
    clock: Any = SystemClock()
    box: Any = store
    messages = Messages(box, Bus(), clock, Metrics(), admission, nobody)
    for name, which, user in filters(rows):
        yield name, partial(_page_of_messages, messages, person(user), which)
    inbox = Inbox(box, admission, clock)
    for name, sender, user in (
        ("inbox", None, None),
        ("inbox of a sender", None, COMMON_USER),
        ("inbox, from", "+447900000007", None),
        ("inbox, from, of a sender", "+447900000007", COMMON_USER),
    ):
        yield name, partial(_page_of_inbox, inbox, person(user), sender)
    for name, which, user in (
        ("Twilio dialect, a user with a third of all", Wanted(), COMMON_USER),
        ("Twilio dialect, a user with one in ten thousand", Wanted(), RARE_USER),
        ("Twilio dialect, to", Wanted(to="+447900000007"), COMMON_USER),
        ("Twilio dialect, from a SIM without messages", Wanted(sender="+447900000001"), COMMON_USER),
        ("Twilio dialect, sent on the first day", Wanted(since=BEGAN, before=BEGAN + 86_400_000), COMMON_USER),
    ):
        yield name, partial(_page_of_twilio, store, user, which)


async def _page_of_messages(messages: Messages, actor: Actor, which: MessageFilter, cursor: str | None) -> Page[Any]:
    return await messages.list(actor, which, cursor=cursor, limit=PAGE)


async def _page_of_inbox(inbox: Inbox, actor: Actor, sender: str | None, cursor: str | None) -> Page[Any]:
    return await inbox.list(actor, sender=sender, cursor=cursor, limit=PAGE)


async def _page_of_twilio(store: OneReader, user: int, which: Wanted, cursor: str | None) -> Page[Any]:
    place = Place() if cursor is None else read_token(cursor) or Place()
    picked = await store.read(lambda conn: pick(conn, user, which, place, PAGE))
    return Page(picked.messages, None if picked.following is None else picked.following.token)


async def pages_of(store: OneReader, read: Read) -> tuple[list[float], int, bool]:
    """Read pages one after the other; return the ms of each, the items, and whether the list ended."""
    found: list[float] = []
    cursor, items = None, 0
    while len(found) < PAGES:
        page = await read(cursor)
        found.append(store.ms)
        cursor, items = page.cursor, items + len(page.items)
        if cursor is None:
            return found, items, True
    return found, items, False


async def measure(conn: sqlite3.Connection, rows: int) -> None:
    """Read every list twice, first to warm the caches, and print it beside the baselines."""
    report = Report(f"pages of {PAGE} at {rows:,} messages: ms of database time, median and worst of 50")
    ids = [row[0] for row in conn.execute("SELECT id FROM messages ORDER BY id DESC LIMIT ?", (PAGE,))]
    plain = []
    for _ in range(PAGES):
        began = time.thread_time()
        read_stories(conn, ids)
        plain.append((time.thread_time() - began) * 1000)
    base = statistics.median(plain)
    report.row("baseline: the newest rows by their keys", f"{base:.2f}")
    began = time.thread_time()
    conn.execute("SELECT id FROM messages ORDER BY id DESC LIMIT ? OFFSET ?", (PAGE, rows - PAGE)).fetchall()
    report.row("baseline: the last page by OFFSET", f"{(time.thread_time() - began) * 1000:.0f}")
    store, worst = OneReader(conn), 0.0
    for name, read in lists(store, rows):
        await pages_of(store, read)
        found, items, ended = await pages_of(store, read)
        middle, high = statistics.median(found), percentile(found, 0.98)
        worst = max(worst, high)
        end = "to the end" if ended else "and more"
        report.row(name, f"{middle:.2f}  {high:.2f}", f"{middle / base:.1f} x; {items} in {len(found)} pages {end}")
    report.row("the worst of all", f"{worst:.2f}", verdict(worst < GOAL_MS, f"< {GOAL_MS:.0f} ms"))


def main() -> None:
    """Build and measure."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=10_000_000)
    arguments.add_argument("--keep", type=Path)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.keep or Path(folder) / "lists.db"
        if not path.exists():
            began = time.monotonic()
            build(path, given.rows)
            print(f"built {path.stat().st_size / 1e9:.1f} GB in {time.monotonic() - began:.0f} s", flush=True)
        with contextlib.closing(Reader(path)._connector()) as conn:
            asyncio.run(measure(conn, given.rows))


if __name__ == "__main__":
    sys.exit(main())
