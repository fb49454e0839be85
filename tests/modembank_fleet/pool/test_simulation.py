"""The pool under a few thousand schedules of everything that can go wrong; each rule is needed."""

import os
from collections import Counter

import pytest

from modembank_fleet.pool.assigning import State
from modembank_fleet.pool.words import Dup
from pool_simulation.mutations import MUTATIONS
from pool_simulation.world import CATASTROPHES, Broken, World

SEED = int(os.environ.get("POOL_SEED", "1"))
SCHEDULES = int(os.environ.get("POOL_SCHEDULES", "2500"))
PARTS = 5
MUTANTS = 3000
"""Schedules within which a rule that is switched off must be missed."""


@pytest.mark.timeout(60 + SCHEDULES)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_schedule_breaks_an_invariant(part):
    """POOL_SCHEDULES and POOL_SEED choose how many, and which; ``make pool-simulation`` runs 100,000."""
    ends = Counter()
    often = ["", *(one.__name__ for one in CATASTROPHES)]
    for number in range(part, SCHEDULES, PARTS):
        seed = SEED + number
        world = World(seed, often=often[number % len(often)])
        try:
            world.run()
        except Broken as broken:
            pytest.fail(f"seed {seed}, often {often[number % len(often)]!r}: {broken}")
        ends.update(message.state for message in world.hub.messages.values())
    assert {State.SENT, State.DELIVERED, State.UNKNOWN, State.EXPIRED, State.EXPIRED_UNKNOWN} <= ends.keys()
    assert ends[State.SENT] + ends[State.DELIVERED] > sum(ends.values()) / 5  # it is not safe by doing nothing


def test_where_nothing_goes_wrong_everything_is_sent_once():
    for seed in range(60):
        world = World(SEED + seed, calm=True)
        world.run()
        assert {message.state for message in world.hub.messages.values()} <= {State.SENT, State.DELIVERED}
        assert all(len(world.sent[message]) == 1 for message in world.hub.messages)


def test_at_least_once_sends_again_where_at_most_once_does_not():
    twice = Counter()
    for seed in range(300):
        world = World(SEED + seed)
        world.run()
        twice.update(world.hub.messages[name].dup for name, times in world.sent.items() if len(times) > 1)
    assert twice[Dup.AT_MOST_ONCE] == 0
    assert twice[Dup.AT_LEAST_ONCE] > 0


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.what.replace(" ", "-"))
def test_each_rule_is_needed(mutation):
    with mutation.applied():
        for seed in range(1, MUTANTS):
            if broken := broken_by(seed, mutation.often):
                assert broken.partition(":")[0] in mutation.breaks.split(), broken
                return
    pytest.fail(f"nothing breaks when {mutation.what}")


def broken_by(seed, often):
    """Return what one schedule breaks, empty for nothing."""
    try:
        World(seed, often=often).run()
    except Broken as broken:
        return str(broken)
    return ""
