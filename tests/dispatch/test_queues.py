"""The queues in memory: bounded, best first, and never forgetful of what the store still has."""

import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from modembank.dispatch.encoder import Encoder
from modembank.dispatch.queues import Entry, RouteQueue
from modembank.messages.model import MessageFlags, OnUnknown, QueuedMessage, Route


def message(number, rank=4, segments=1, recipient="+447911000001", text="x"):
    return QueuedMessage(
        number, 1, recipient, text, segments, MessageFlags.NONE, 1, rank, 10**13, None, OnUnknown.HOLD, 0, None
    )


def queue_of(*numbers, limit=4, more=False):
    queue = RouteQueue(Route(1), limit=limit)
    queue.more = more
    for number in numbers:
        queue.put(Entry(message(number)))
    return queue


def ids(queue):
    return [entry.message.id for entry in queue]


def test_best_first_and_bounded():
    queue = queue_of(5, 3, 9, 1)
    assert ids(queue) == [1, 3, 5, 9]
    assert queue.put(Entry(message(2))).message.id == 9
    assert (ids(queue), queue.more) == ([1, 2, 3, 5], True)
    assert not queue.wants((4, 8))
    assert queue.wants((4, 4))


def test_what_lies_behind_unseen_ones_is_left_to_the_store():
    queue = queue_of(5, more=True)
    assert not queue.wants((4, 6))
    assert queue.wants((4, 2))
    assert not RouteQueue(Route(1)).wants((0, 1))


def test_what_arrives_while_the_store_is_read_is_not_lost():
    queue = queue_of(more=True)
    queue.start_loading()
    assert not queue.wants((4, 7))  # accepted after the reader's snapshot
    queue.loaded([Entry(message(3))], exhausted=True)
    assert queue.more
    queue.start_loading()
    queue.loaded([Entry(message(7))], exhausted=True)
    assert not queue.more


def test_a_sim_that_was_refused_sees_the_next():
    queue = queue_of(1, 2)
    first = queue.best(7, 100)
    first.refused_until[7] = 200
    assert queue.best(7, 100).message.id == 2
    assert queue.best(8, 100).message.id == 1
    assert queue.best(7, 200).message.id == 1


def test_removing_twice_does_no_harm():
    queue = queue_of(1, 2)
    entry = queue.best(1, 0)
    queue.remove(entry)
    queue.remove(entry)
    assert ids(queue) == [2]
    assert queue.before((4, 2)) == 0
    assert len(queue) == 1


@given(st.lists(st.integers(1, 60), unique=True), st.integers(0, 2**32))
def test_all_come_out_in_order_however_they_went_in(numbers, seed):
    """A store and a small queue before it: pushes, takes and refills by chance hand out each message once."""
    dice = random.Random(seed)
    queue, store, out = RouteQueue(Route(1), limit=4), [], []
    coming = list(numbers)
    while coming or store:
        if coming and dice.random() < 0.5:
            number = coming.pop()
            store.append(number)
            if queue.wants((4, number)):
                queue.put(Entry(message(number)))
        elif queue.hungry and not len(queue):
            queue.start_loading()
            known = set(ids(queue))
            fresh = sorted(set(store) - known)[: queue.room]
            exhausted = len(fresh) < queue.room
            queue.loaded([Entry(message(number)) for number in fresh], exhausted=exhausted)
        elif (entry := queue.best(1, 0)) is not None:
            assert entry.message.id == min(set(ids(queue)))
            queue.remove(entry)
            store.remove(entry.message.id)
            out.append(entry.message.id)
        else:
            assert not store or queue.more
    assert sorted(out) == sorted(numbers)


def test_references_differ_for_256_long_messages_to_one_number():
    encoder = Encoder()
    seen = [encoder.split(message(7 + number, segments=2, text="x" * 200))[1] for number in range(256)]
    assert len(set(seen)) == 256


def test_the_reference_of_parts_that_are_out_is_kept():
    kept = msgspec.structs.replace(message(7, segments=2, text="x" * 200), concat=99)
    assert Encoder().split(kept)[1] == 99
