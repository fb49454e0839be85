"""The event log itself: kinds, who hears what, pages, and what is kept."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.accounts import LOCAL_ADMIN, Actor, Role, Scope
from modembank.bus import Bus
from modembank.clock import SystemClock
from modembank.config import LimitsConfig
from modembank.errors import Forbidden, InvalidRequest
from modembank.eventlog import BY_NAME, KINDS, Entry, EventLog, Viewer, append, chosen, following, viewer_of
from modembank.eventlog.log import drop_oldest, latest
from modembank.messages.model import MessageState
from modembank.modem import ModemState
from modembank.sim import Sims
from modembank.store import Store

ALL = Viewer(chosen(["*"]), None)
SENDER = Actor(7, "shop", Role.SENDER, frozenset({Scope.MESSAGES_READ}))


@pytest.fixture
async def store(tmp_path):
    store = await Store.open(tmp_path / "box.db", lazy_s=0.02)
    yield store
    await store.close()


@pytest.fixture
async def log(store):
    bus, clock = Bus(), SystemClock()
    return EventLog(store, bus, clock, Sims(store, bus, clock, LimitsConfig()), {})


async def write(store, *entries):
    await store.write(lambda conn: append(conn, [Entry(*entry) for entry in entries]))


def test_every_state_that_is_logged_has_a_kind():
    logged = {f"message.{state.word}" for state in MessageState if state >= MessageState.SENT}
    assert {kind.name for kind in KINDS if kind.noun == "message"} == logged | {"message.received"}
    assert {kind.name for kind in KINDS if kind.noun == "modem"} <= {f"modem.{state.value}" for state in ModemState}
    assert all(kind.scope in {scope.value for scope in Scope} for kind in KINDS)
    assert len(BY_NAME) == len(KINDS)


def test_patterns_choose_kinds():
    assert chosen(["*"]) == set(BY_NAME)
    assert chosen(["issue.*", "message.sent"]) == {"issue.raised", "issue.cleared", "message.sent"}
    assert chosen(["issue"]) == set()


def test_who_hears_what():
    assert viewer_of(LOCAL_ADMIN, ["*"], "/types") == ALL
    sender = viewer_of(SENDER, ["*"], "/types")
    assert sender.user_id == 7
    assert {BY_NAME[name].noun for name in sender.kinds} == {"message"}
    assert sender.hears("message.sent", 7)
    assert not sender.hears("message.sent", 8)
    assert not sender.hears("message.received", None)
    assert not sender.hears("issue.raised", None)
    operator = viewer_of(Actor(8, "op", Role.ADMIN, frozenset({Scope.MODEMS})), ["*"], "/types")
    assert operator.hears("issue.raised", None)
    assert not operator.hears("message.sent", 7)
    with pytest.raises(Forbidden, match="modems"):
        viewer_of(SENDER, ["message.sent", "issue.*"], "/types")
    for wrong in ([], ["message"], ["*.sent"], ["x"] * 60):
        with pytest.raises(InvalidRequest):
            viewer_of(SENDER, wrong, "/types")


async def test_pages_walk_through_everything_once(store, log, monkeypatch):
    monkeypatch.setattr(following, "_SCAN", 10)
    await write(store, *((n, "message.sent", n % 3, n) for n in range(1, 101)))
    mine = Viewer(chosen(["message.*"]), 1)
    seen, after, reads = [], 0, 0
    while True:
        page = await log.page(after, mine, 4)
        seen += [told.row for told in page.events]
        after, reads = page.upto, reads + 1
        if not page.more and not page.events:
            break
        assert reads < 60
    assert seen == [n for n in range(1, 101) if n % 3 == 1]
    assert after == 100


async def test_those_who_ask_the_same_share_a_read(store, log, monkeypatch):
    await write(store, (1, "message.sent", 1, 1))
    reads, read = [], store.read
    monkeypatch.setattr(store, "read", lambda fn: reads.append(1) or read(fn))
    pages = await asyncio.gather(*(log.page(0, ALL) for _ in range(20)))
    assert len(reads) == 1
    assert {page.upto for page in pages} == {1}
    alone = asyncio.create_task(log.page(0, ALL))
    other = asyncio.create_task(log.page(0, ALL))
    await asyncio.sleep(0)
    alone.cancel()
    assert (await other).upto == 1


async def test_old_entries_go_and_the_newest_stays(store, log):
    await write(store, *((1_000, "message.sent", 1, n) for n in range(1, 21)))
    await log.forget_old()
    assert await store.fetch_all("SELECT id FROM event_log") == [(20,)]
    await write(store, (1_000, "message.sent", 1, 21))
    assert await log.latest() == 21


@pytest.mark.parametrize("age_s", [0.0, following.KEEP_S + 60])
async def test_what_somebody_has_not_had_stays_until_it_is_very_old(store, log, monkeypatch, age_s):
    monkeypatch.setattr(following, "MOST_KEPT", 5)
    now = round((SystemClock().now() - age_s) * 1000)
    await write(store, *((now, "message.sent", 1, n) for n in range(1, 21)))
    log.keep_for(lambda conn: 8)
    await log.forget_old()
    assert (await store.fetch_one("SELECT min(id), max(id) FROM event_log")) == (9, 20)
    log.keep_for(lambda conn: None)
    await log.forget_old()
    assert (await store.fetch_one("SELECT min(id) FROM event_log")) == (9,)
    monkeypatch.setattr(following, "KEEP_NEEDED_S", age_s - 30)
    await log.forget_old()
    assert (await store.fetch_one("SELECT min(id) FROM event_log")) == (20,) if age_s else (9,)


@given(
    ages=st.lists(st.integers(0, 9), min_size=1, max_size=30),
    older=st.integers(0, 10),
    never=st.integers(0, 10),
    down_to=st.integers(0, 30),
    needed=st.integers(0, 30),
    most=st.integers(1, 30),
)
def test_dropping_takes_a_prefix_and_only_what_may_go(ages, older, never, down_to, needed, most):
    import sqlite3

    conn = sqlite3.connect(":memory:")
    columns = "id INTEGER PRIMARY KEY, at INTEGER, kind TEXT, user_id INTEGER, subject INTEGER, body TEXT"
    conn.execute(f"CREATE TABLE event_log ({columns})")
    append(conn, [Entry(age, "message.sent", 1, 1) for age in ages])
    bounds = {"older_than": older, "never_after": never, "down_to": down_to, "needed_after": needed}
    dropped = drop_oldest(conn, **bounds, most=most)
    left = [row[0] for row in conn.execute("SELECT id FROM event_log ORDER BY id")]
    assert left == list(range(dropped + 1, len(ages) + 1))
    assert left
    assert dropped <= most
    assert latest(conn) == len(ages)
    for n in range(1, dropped + 1):
        spared = n > needed or (ages[n - 1] >= older and n > len(ages) - down_to)
        assert ages[n - 1] < never or not spared
    conn.close()


async def test_stopping_wakes_and_ends_followers(log):
    with log.follow() as follower:
        waiting = asyncio.create_task(follower.wait(60))
        await asyncio.sleep(0)
        log.stop()
        await waiting
        assert follower.ended
