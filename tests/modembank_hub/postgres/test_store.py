"""The store over a server: what modembank.store promises, and several processes beside each other."""

import asyncio
import itertools
import random
import sqlite3

import msgspec
import pytest

from fakes.clusters import Cluster
from fakes.voices import NOW, SaidBox, hears
from modembank.bus import Bus
from modembank.clock import SystemClock
from modembank.store import StoreClosed, StoreError, StoreState, Urgency
from modembank_fleet import wire
from modembank_hub.ingest import Ingest, lane_of
from modembank_hub.lending import Lending
from modembank_hub.metrics import HubMetrics
from modembank_hub.postgres.driver import connect
from modembank_hub.postgres.errors import ServerAway
from modembank_hub.postgres.store import SharedStore
from modembank_hub.postgres.writing import LANES
from modembank_hub.taking import Told, read

pytestmark = pytest.mark.postgres


@pytest.fixture
async def shared(target):
    opened = await SharedStore.open_at(target, lazy_s=0.02, soon_s=0.01)
    yield opened
    await opened.close()


@pytest.fixture
async def beside(target, shared):
    """Another process's store over the same database."""
    opened = await SharedStore.open_at(target, lazy_s=0.02, soon_s=0.01)
    yield opened
    await opened.close()


def note(name, value="1"):
    return lambda conn: conn.execute("INSERT INTO box VALUES (?, ?)", (name, value)).rowcount


async def test_what_a_function_raises_undoes_its_own_changes_alone(shared):
    def fails(conn):
        note("bad")(conn)
        raise KeyError("mine")

    def breaks(conn):
        note("worse")(conn)
        conn.execute("INSERT INTO box VALUES ('worse', '2')")

    first, bad, worse, last = await asyncio.gather(
        *(shared.write(fn) for fn in (note("a"), fails, breaks, note("b"))), return_exceptions=True
    )
    assert (first, last) == (1, 1)
    assert isinstance(bad, KeyError)
    assert isinstance(worse, sqlite3.IntegrityError)
    rows = await shared.fetch_all("SELECT name FROM box WHERE name <> 'hub_schema' ORDER BY name")
    assert rows == [("a",), ("b",)]


async def test_each_urgency_is_committed_and_flush_waits_for_none(shared):
    waits = [shared.submit(note(f"n{n}"), urgency) for n, urgency in enumerate(Urgency)]
    waits += [shared.submit(note(f"lane{n}"), Urgency.LAZY, lane=n) for n in range(LANES)]
    await shared.flush()
    assert all(one.done() for one in waits)
    assert await shared.fetch_one("SELECT count(*) FROM box WHERE name <> 'hub_schema'") == (3 + LANES,)
    assert shared.health.state is StoreState.OK
    assert shared.health.writable
    assert shared.overdue_s < 30
    assert not shared.wanted


async def test_a_read_sees_one_commit(shared):
    await shared.write(note("a"))
    loop, writing = asyncio.get_running_loop(), []

    def twice(conn):
        before = conn.execute("SELECT count(*) FROM box").fetchone()
        writing.append(asyncio.run_coroutine_threadsafe(shared.write(note("b")), loop).result(30))
        return before == conn.execute("SELECT count(*) FROM box").fetchone()

    assert await shared.read(twice)
    assert await shared.fetch_one("SELECT count(*) FROM box WHERE name <> 'hub_schema'") == (2,)


async def test_a_read_cannot_write(shared):
    with pytest.raises(sqlite3.Error, match="read-only"):
        await shared.read(note("a"))


async def test_a_read_whose_caller_is_gone_gives_its_connection_back(shared):
    for _ in range(5):
        reading = asyncio.create_task(shared.fetch_all("SELECT pg_sleep(60)"))
        await asyncio.sleep(0.05)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert await shared.fetch_one("SELECT 1") == (1,)


async def test_after_the_end_nothing_is_taken(target):
    opened = await SharedStore.open_at(target)
    last = opened.submit(note("last"), Urgency.LAZY)
    await opened.close()
    await opened.close()
    assert last.result() == 1
    with pytest.raises(StoreClosed):
        await opened.write(note("late"))
    with pytest.raises(StoreClosed):
        await opened.read(lambda conn: None)


def test_ids_are_the_servers(shared):
    with pytest.raises(StoreError, match="the server hands out ids"):
        shared.ids.take()


# -- several processes


@pytest.fixture(params=["read committed", "serializable"])
async def default(request, target):
    """What the server would have transactions be, if nobody said."""
    conn = connect(target)
    name = target.url.rsplit("/", 1)[1]
    conn.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{request.param}'")
    yield request.param
    conn.execute(f"ALTER DATABASE {name} RESET default_transaction_isolation")
    conn.close()


async def test_writes_without_a_lane_are_alone(default, shared, beside):
    """What reads, decides and writes loses nothing of what another process does meanwhile."""
    await shared.write(note("sum", "0"))

    def add(conn):
        (before,) = conn.execute("SELECT value FROM box WHERE name = 'sum'").fetchone()
        conn.execute("UPDATE box SET value = ? WHERE name = 'sum'", (str(int(before) + 1),))

    await asyncio.gather(*(one.write(add) for one in (shared, beside) * 50))
    assert await shared.fetch_one("SELECT value FROM box WHERE name = 'sum'") == ("100",)


async def test_writes_of_one_lane_wait_for_each_other_and_no_others(shared, beside):
    loop, order = asyncio.get_running_loop(), []
    inside, leave = asyncio.Event(), asyncio.Event()

    def slow(conn):
        loop.call_soon_threadsafe(inside.set)
        asyncio.run_coroutine_threadsafe(leave.wait(), loop).result(60)
        order.append("slow")

    first = asyncio.create_task(shared.write(slow, lane=1))
    await inside.wait()
    same = asyncio.create_task(beside.write(lambda conn: order.append("same"), lane=1))
    await beside.write(lambda conn: order.append("other"), lane=2)
    alone = asyncio.create_task(beside.write(lambda conn: order.append("alone")))
    await asyncio.sleep(0.1)
    assert order == ["other"]
    leave.set()
    await asyncio.gather(first, same, alone)
    assert order[:2] == ["other", "slow"]
    assert sorted(order[2:]) == ["alone", "same"]


async def test_two_workers_that_take_in_the_same_boxes_store_each_event_once(shared, beside):
    """In whatever order, and however often: streams are whole to their ends."""
    dice, boxes = random.Random(7), [SaidBox(box=f"b{n}", ep=f"ep{n:04d}") for n in range(8)]
    said = [box.events(5, first=first) for box in boxes for first in range(1, 101, 5)]
    said += dice.sample(said, 60)
    dice.shuffle(said)
    workers = [ingest_on(shared), ingest_on(beside)]
    turns = itertools.cycle(workers)

    async def take(some):
        await next(turns).put_down([read(topic, wire.encode(message), "", NOW) for topic, message in some])

    await asyncio.gather(*(take(said[at : at + 7]) for at in range(0, len(said), 7)))
    assert await shared.fetch_all("SELECT acked FROM streams ORDER BY id") == [(100,)] * 8
    assert await shared.fetch_one("SELECT count(*), count(DISTINCT stream_id) FROM events") == (800, 8)
    for table in ("spans", "gaps", "quarantine"):
        assert await shared.fetch_one(f"SELECT count(*) FROM {table}") == (0,)


def ingest_on(store):
    bus = Bus()
    lending = Lending(store, SystemClock(), bus, None, 60.0)
    return Ingest(store, SystemClock(), bus, HubMetrics(), lambda: None, lending)


def test_a_box_has_one_lane_and_boxes_have_all():
    lanes = {
        box: {
            lane_of(read(topic, wire.encode(message), "", NOW), LANES)
            for topic, message in (voice.avail(), voice.birth())
        }
        for box, voice in ((n, SaidBox(box=f"b{n}")) for n in range(64))
    }
    assert all(len(found) == 1 for found in lanes.values())
    assert set().union(*lanes.values()) == set(range(LANES))
    assert {lane_of(read("modembank/v1/x", b"?", "", NOW), LANES)} < set(range(LANES))


async def test_a_batch_that_cannot_be_taken_is_taken_one_by_one_on_every_lane(shared):
    boxes = [SaidBox(box=f"b{n}", ep=f"ep{n:04d}") for n in range(6)]
    uplinks = [read(topic, wire.encode(message), "", NOW) for topic, message in (box.events(3) for box in boxes)]
    topic, report = boxes[0].box_tele()
    bad = msgspec.structs.replace(report, cpu="much")
    uplinks.append(Told(boxes[0].address, bad, topic, b"{}", NOW))
    taken = await ingest_on(shared).put_down(uplinks)
    assert taken.outcome.quarantined == 1
    assert {ack.ev for ack in taken.acks.values()} == {3}
    assert await shared.fetch_one("SELECT code, count(*) FROM quarantine GROUP BY code") == ("not_taken", 1)


# -- the server goes and comes back


@pytest.fixture
def own_cluster():
    made = Cluster().start()
    yield made
    made.end()


async def test_while_the_server_is_down_nothing_is_taken_and_it_comes_back_by_itself(own_cluster):
    target = own_cluster.new_database(ready=True)
    store = await SharedStore.open_at(target, lazy_s=0.02, soon_s=0.01)
    ingest, box = ingest_on(store), SaidBox()
    await hears(store, box.avail(), box.events(2))
    own_cluster.kill()
    taking = asyncio.create_task(ingest.put_down([read(*said(box.events(3)), "", NOW)]))
    while ingest.stuck_since is None:
        await asyncio.sleep(0.01)
    assert not taking.done()
    with pytest.raises(StoreError):
        await store.write(note("lost"))
    with pytest.raises(ServerAway, match="cannot be reached"):
        await store.fetch_one("SELECT 1")
    assert store.health.state is StoreState.FAILED
    assert not store.writable
    own_cluster.start()
    taken = await taking
    assert taken.acks[box.address].ev == 5
    assert ingest.stuck_since is None
    assert await store.fetch_one("SELECT count(*) FROM events") == (5,)
    await store.flush()
    assert store.health.state is StoreState.OK
    await store.close()


def said(one):
    topic, message = one
    return topic, wire.encode(message)


async def test_connections_that_the_server_ended_are_made_anew_without_anybody_noticing(shared, target):
    await shared.write(note("a"))
    await shared.fetch_one("SELECT 1")
    conn = connect(target)
    for _ in range(2):
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await asyncio.gather(*(shared.write(lambda conn: None, lane=lane) for lane in (None, *range(LANES))))
        await asyncio.gather(*(shared.fetch_one("SELECT 1") for _ in range(6)))
    conn.close()


async def test_a_release_that_is_older_than_the_database_stops_writing_at_its_next_connection(shared, target):
    conn = connect(target)
    conn.execute("UPDATE box SET value = '99' WHERE name = 'hub_schema'")
    conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with pytest.raises(StoreError, match="has schema 99"):
        await shared.write(note("a"))
    conn.execute("UPDATE box SET value = '6' WHERE name = 'hub_schema'")
    conn.close()
    assert await shared.write(note("a")) == 1
