"""How the lives of a run end: drawn from the seed, every kind among them."""

from collections import Counter

import pytest

from modembank.failpoints import Failpoint
from modembank_selftest import plan
from modembank_selftest.plan import Death, End, Plan


def test_a_seed_draws_the_same_ends_again():
    assert Plan(kills=100, seed=7).deaths() == Plan(kills=100, seed=7).deaths()
    assert Plan(kills=100, seed=7).deaths() != Plan(kills=100, seed=8).deaths()


@pytest.mark.parametrize("kills", [0, 1, 2, 19, 200])
def test_there_are_as_many_as_asked_for(kills):
    assert len(Plan(kills=kills).deaths()) == kills


def test_every_place_is_among_them():
    deaths = Plan(kills=1000, seed=3).deaths()
    assert {death.end for death in deaths} == set(End)
    of_mailings = {Failpoint.MAILING_CHUNK, Failpoint.MAILING_STEP}  # killed in tests/mailings/test_killed.py
    assert {death.failpoint for death in deaths if death.failpoint} == {
        one.value for one in set(Failpoint) - of_mailings
    }


def test_the_first_lives_die_while_the_database_is_laid_out():
    deaths = Plan(kills=200).deaths()
    assert all(death.failpoint == plan.MIGRATING for death in deaths[:10])
    assert Counter(death.failpoint for death in deaths)[plan.MIGRATING] == 10


def test_nothing_is_waited_for_for_ever():
    for death in Plan(kills=500, seed=5).deaths():
        assert isinstance(death, Death)
        assert 0 <= death.after_s <= 5
        assert death.stop_s == 0 or death.end is End.STOPPING
