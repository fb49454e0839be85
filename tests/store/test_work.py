"""The queue between the loops and the writer: order, windows, groups, the end."""

import asyncio
import math
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modembank.store import StoreClosed, Urgency
from modembank.store.work import GROUP_LIMIT, JobQueue

LOOP = asyncio.new_event_loop()


@pytest.fixture(scope="module", autouse=True)
def _loop():
    yield
    LOOP.close()


def put(queue, name, urgency):
    queue.put(name, urgency, LOOP.create_future(), reserve=True)  # the work itself is never called here


def names(group):
    return [job.work for job in group]


def patient():
    return JobQueue(soon_s=1000, lazy_s=1000)


def test_now_is_taken_at_once_with_the_soon_before_and_after_it():
    queue = patient()
    for name, urgency in (("s1", Urgency.SOON), ("n", Urgency.NOW), ("s2", Urgency.SOON), ("l", Urgency.LAZY)):
        put(queue, name, urgency)
    assert names(queue.take(0)) == ["s1", "n", "s2"]
    assert queue.take(0) == []
    queue.flush()
    assert names(queue.take(0)) == ["l"]


def test_lazy_work_that_is_due_takes_everything_along():
    queue = JobQueue(soon_s=1000, lazy_s=0)
    put(queue, "s", Urgency.SOON)
    put(queue, "l", Urgency.LAZY)
    assert names(queue.take(1000)) == ["s", "l"]


def test_soon_work_that_is_due_leaves_the_lazy_alone():
    queue = JobQueue(soon_s=0, lazy_s=1000)
    put(queue, "l", Urgency.LAZY)
    put(queue, "s", Urgency.SOON)
    assert names(queue.take(1000)) == ["s"]


def test_a_flood_comes_in_bounded_groups():
    queue = patient()
    for number in range(GROUP_LIMIT * 2 + 5):
        put(queue, number, Urgency.NOW)
    sizes = [len(queue.take(0)) for _ in range(3)]
    assert sizes == [GROUP_LIMIT, GROUP_LIMIT, 5]
    assert not queue.has_urgent()
    assert queue.depth() == 5  # in hand until the next take
    assert queue.take(0) == []
    assert queue.depth() == 0


def test_whoever_writes_for_long_can_tell_that_others_wait():
    queue = patient()
    put(queue, "long", Urgency.NOW)
    queue.take(0)
    assert not queue.is_wanted()
    put(queue, "soon", Urgency.SOON)
    assert not queue.is_wanted()
    put(queue, "now", Urgency.NOW)
    assert queue.is_wanted()
    assert names(queue.take(0)) == ["soon", "now"]
    assert queue.is_wanted()  # the second of a group waits for the first


def test_close_makes_everything_due_and_then_ends():
    queue = patient()
    put(queue, "l", Urgency.LAZY)
    put(queue, "s", Urgency.SOON)
    queue.close()
    with pytest.raises(StoreClosed):
        put(queue, "late", Urgency.NOW)
    assert names(queue.take(1000)) == ["s", "l"]
    assert queue.take(1000) is None


def test_abandoned_work_is_returned_once():
    queue = patient()
    put(queue, "l", Urgency.LAZY)
    put(queue, "n", Urgency.NOW)
    assert names(queue.abandon()) == ["n", "l"]
    assert queue.abandon() == []
    assert queue.take(1000) is None


@pytest.mark.parametrize("wake", ["now", "flush", "close", "shorter"])
def test_a_waiting_writer_wakes(wake):
    queue = JobQueue(soon_s=0.001, lazy_s=1000)
    put(queue, "l", Urgency.LAZY)
    taken = []
    thread = threading.Thread(target=lambda: taken.append(queue.take(math.inf if wake != "shorter" else 500)))
    thread.start()
    while not queue._waits_until:
        thread.join(0.001)
    {
        "now": lambda: put(queue, "n", Urgency.NOW),
        "flush": queue.flush,
        "close": queue.close,
        "shorter": lambda: put(queue, "s", Urgency.SOON),
    }[wake]()
    thread.join(60)
    assert names(taken[0]) == {"now": ["n"], "flush": ["l"], "close": ["l"], "shorter": ["s"]}[wake]


def test_a_flush_of_nothing_does_not_hurry_what_comes_later():
    queue = patient()
    queue.flush()
    assert queue.take(0) == []
    put(queue, "l", Urgency.LAZY)
    assert queue.take(0) == []


urgencies = st.sampled_from(list(Urgency))


@given(st.lists(st.one_of(urgencies, st.just("take"), st.just("flush")), max_size=80))
@settings(max_examples=200)
def test_order_holds_and_nothing_is_lost_or_doubled(events):
    queue = patient()
    put_in, taken_out = [], []
    for number, event in enumerate(events):
        if event == "take":
            taken_out += queue.take(0)
        elif event == "flush":
            queue.flush()
        else:
            put(queue, number, event)
            put_in.append((number, event))
    queue.close()
    while (group := queue.take(0)) is not None:
        taken_out += group
    order = [job.work for job in taken_out]
    assert sorted(order) == [number for number, _ in put_in]
    for urgency in Urgency:
        same = [job.work for job in taken_out if job.urgency is urgency]
        assert same == sorted(same)
    place = {number: at for at, number in enumerate(order)}
    soon = [number for number, urgency in put_in if urgency is Urgency.SOON]
    now = [number for number, urgency in put_in if urgency is Urgency.NOW]
    assert all(place[first] < place[second] for first in soon for second in now if first < second)
