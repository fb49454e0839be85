"""What the writer promises its callers: groups, order, isolation, cancellation, a clean end."""

import asyncio
import sqlite3
import threading

import pytest

from modembank.metrics import Metrics
from modembank.store import Store, StoreClosed, StoreError, StoreState, Urgency

OWN_REASON = LookupError("its own reason")


def note(text):
    """Return a write function that inserts one row and returns its id."""

    def insert(connection):
        return connection.execute(
            "INSERT INTO quarantine (sim_id, slot, raw, reason, received_at) VALUES (1, 's', ?, 'r', 1)", (text,)
        ).lastrowid

    return insert


async def texts(store):
    return [row[0] for row in await store.fetch_all("SELECT raw FROM quarantine ORDER BY id")]


def commits(metrics):
    return metrics.registry.get_sample_value("modembank_commit_seconds_count")


def writes(metrics):
    return metrics.registry.get_sample_value("modembank_commit_writes_total")


class Hold:
    """A write that keeps the writer's thread busy until it is let go."""

    def __init__(self, store):
        self.entered = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self.gate = threading.Event()
        self.future = store.submit(self.work)

    def work(self, connection):
        self.loop.call_soon_threadsafe(self.entered.set)
        assert self.gate.wait(60)

    def let_go(self):
        self.gate.set()


@pytest.fixture
async def metrics():
    return Metrics()


@pytest.fixture
async def store(tmp_path, metrics):
    # A minute for what may wait: only an explicit flush or the urgent ones make it durable within these tests.
    store = await Store.open(tmp_path / "box.db", metrics=metrics, lazy_s=60, soon_s=60)
    yield store
    await store.close()


async def test_a_write_returns_its_functions_result_after_the_commit(store):
    assert await store.write(note("a")) == 1
    assert await texts(store) == ["a"]


async def test_many_concurrent_writers_share_commits(store, metrics):
    async def client(number):
        for turn in range(8):
            await store.write(note(f"{number}/{turn}"))

    await asyncio.gather(*(client(number) for number in range(64)))
    assert writes(metrics) == 512
    assert commits(metrics) <= 64
    assert len(await texts(store)) == 512


async def test_what_waits_behind_a_commit_becomes_one_group(store, metrics):
    hold = Hold(store)
    await hold.entered.wait()
    futures = [store.submit(note(str(number))) for number in range(100)]
    hold.let_go()
    assert await asyncio.gather(*futures) == list(range(1, 101))
    assert commits(metrics) == 2


async def test_a_flood_is_cut_into_bounded_groups_in_order(store, metrics):
    hold = Hold(store)
    await hold.entered.wait()
    futures = [store.submit(note(str(number))) for number in range(1200)]
    hold.let_go()
    assert await asyncio.gather(*futures) == list(range(1, 1201))
    assert commits(metrics) == 4


async def test_now_takes_soon_with_it_in_the_order_of_submission(store, metrics):
    first = store.submit(note("soon 1"), Urgency.SOON)
    await store.write(note("now"), Urgency.NOW)
    assert first.done()
    assert commits(metrics) == 1
    assert await texts(store) == ["soon 1", "now"]


async def test_a_soon_submitted_before_a_now_is_never_later_than_it(store):
    for turn in range(50):
        soon = store.submit(note(f"soon {turn}"), Urgency.SOON)
        now = store.submit(note(f"now {turn}"), Urgency.NOW)
        await now
        assert soon.done()
    found = await texts(store)
    assert found == [f"{word} {turn}" for turn in range(50) for word in ("soon", "now")]


async def test_lazy_does_not_ride_with_single_urgent_commits(store, metrics):
    lazy = [store.submit(note(f"lazy {number}"), Urgency.LAZY) for number in range(3)]
    for number in range(5):
        await store.write(note(f"now {number}"))
    assert not any(future.done() for future in lazy)
    assert await texts(store) == [f"now {number}" for number in range(5)]
    await store.flush()
    assert [future.result() for future in lazy] == [6, 7, 8]
    assert commits(metrics) == 6


async def test_lazy_comes_by_itself_when_its_window_is_over(tmp_path, metrics):
    store = await Store.open(tmp_path / "box.db", metrics=metrics, lazy_s=0.05)
    async with asyncio.timeout(30):
        await asyncio.gather(*(store.write(note(str(number)), Urgency.LAZY) for number in range(20)))
    assert commits(metrics) <= 3
    await store.close()


async def test_soon_comes_by_itself_when_its_window_is_over(tmp_path, metrics):
    store = await Store.open(tmp_path / "box.db", metrics=metrics, soon_s=0.01, lazy_s=60)
    async with asyncio.timeout(30):
        await store.write(note("soon"), Urgency.SOON)
    await store.close()


async def test_flush_waits_for_all_urgencies(store):
    futures = [store.submit(note(urgency.value), urgency) for urgency in (Urgency.LAZY, Urgency.SOON, Urgency.NOW)]
    await store.flush()
    assert all(future.done() for future in futures)


async def test_a_failing_function_undoes_only_its_own_changes(store, metrics):
    def failing(connection):
        note("undone")(connection)
        raise OWN_REASON

    hold = Hold(store)
    await hold.entered.wait()
    before, bad, after = store.submit(note("before")), store.submit(failing), store.submit(note("after"))
    hold.let_go()
    with pytest.raises(LookupError, match="its own reason"):
        await bad
    assert (await before, await after) == (1, 2)
    assert await texts(store) == ["before", "after"]
    assert commits(metrics) == 2
    assert store.health.state is StoreState.OK


async def test_an_sql_error_is_its_callers_own(store):
    await store.write(lambda c: c.execute("INSERT INTO routes (spec) VALUES ('{}')"))
    results = await asyncio.gather(
        store.write(note("a")),
        store.write(lambda c: c.execute("INSERT INTO routes (spec) VALUES ('{}')")),
        store.write(lambda c: c.execute("SELECT no_such_column FROM routes")),
        store.write(note("b")),
        return_exceptions=True,
    )
    assert results[0] == 1
    assert isinstance(results[1], sqlite3.IntegrityError)
    assert isinstance(results[2], sqlite3.OperationalError)
    assert results[3] == 2


async def test_a_function_that_ends_the_transaction_fails_its_group_loudly_and_the_writer_goes_on(store):
    def meddling(connection):
        connection.execute("COMMIT")

    def meddling_and_raising(connection):
        connection.execute("ROLLBACK")
        raise LookupError

    for bad in (meddling, meddling_and_raising):
        with pytest.raises(StoreError):
            await store.write(bad)
    await store.write(note("fine"))
    assert await texts(store) == ["fine"]
    assert store.health.state is StoreState.OK


async def test_what_a_future_cannot_carry_is_still_told(store):
    def stopping(connection):
        raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration"):
        await store.write(stopping)


async def test_cancelling_the_caller_does_not_undo_a_submitted_write(store):
    hold = Hold(store)
    await hold.entered.wait()
    task = asyncio.create_task(store.write(note("kept")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    hold.let_go()
    await store.flush()
    assert await texts(store) == ["kept"]


async def test_a_cancelled_caller_leaves_no_open_transaction(store):
    for _ in range(20):
        task = asyncio.create_task(store.write(note("x")))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await store.write(note("last"))
    assert len(await texts(store)) == 21


async def test_close_commits_everything_that_was_submitted(tmp_path):
    store = await Store.open(tmp_path / "box.db", lazy_s=60, soon_s=60)
    futures = [store.submit(note(str(number)), urgency) for number in range(10) for urgency in Urgency]
    await store.close()
    assert all(future.done() and future.exception() is None for future in futures)
    again = await Store.open(tmp_path / "box.db")
    assert len(await texts(again)) == 30
    await again.close()


async def test_a_closed_store_says_so(tmp_path):
    store = await Store.open(tmp_path / "box.db")
    await store.close()
    await store.close()
    for use in (store.write(note("x")), store.read(lambda c: None), store.fetch_all("SELECT 1"), store.flush()):
        with pytest.raises(StoreClosed):
            await use


async def test_close_empties_the_log_and_leaves_one_file_and_its_locks(tmp_path):
    store = await Store.open(tmp_path / "box.db")
    await store.write(note("x"))
    await store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["box.db", "box.db.lock", "box.db.turn"]


async def test_close_leaves_no_thread_behind(tmp_path):
    before = set(threading.enumerate())
    store = await Store.open(tmp_path / "box.db")
    await store.fetch_one("SELECT 1")
    await store.close()
    left = {thread for thread in set(threading.enumerate()) - before if not thread.name.startswith("asyncio_")}
    assert left == set()


async def test_health_shows_the_queue_and_the_heartbeat(store):
    assert store.health.last_commit_at is None
    assert store.health.queue_depth == 0
    hold = Hold(store)
    await hold.entered.wait()
    waiting = [store.submit(note("x")) for _ in range(3)]
    health = store.health
    assert health.queue_depth == 4
    assert health.overdue_s > 0
    hold.let_go()
    await asyncio.gather(*waiting)
    await store.flush()
    assert store.health.last_commit_at is not None
    assert store.writable


async def test_lazy_work_that_waits_its_time_is_not_overdue(store):
    future = store.submit(note("x"), Urgency.LAZY)
    assert store.health.queue_depth == 1
    assert store.health.overdue_s == 0
    await store.flush()
    assert future.done()


async def test_foreign_keys_hold(store):
    with pytest.raises(sqlite3.IntegrityError):
        await store.write(
            lambda c: c.execute(
                "INSERT INTO api_keys (user_id, public_id, secret_sha256, scopes, created_at)"
                " VALUES (9, 'p', x'', '[]', 1)"
            )
        )


async def test_several_event_loops_may_share_one_store(store):
    def other_loop():
        return asyncio.run(store.write(note("elsewhere")))

    assert await asyncio.to_thread(other_loop) == 1


async def test_results_for_a_loop_that_is_gone_do_not_hurt_the_writer(store):
    hold = Hold(store)
    await hold.entered.wait()

    async def fire():
        store.submit(note("orphan"))

    await asyncio.to_thread(asyncio.run, fire())
    hold.let_go()
    await store.write(note("mine"))
    assert await texts(store) == ["orphan", "mine"]
