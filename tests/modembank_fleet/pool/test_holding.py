"""The box's side of the pool, rule by rule."""

import pytest
from msgspec.structs import replace

from modembank_fleet.pool.holding import (
    WORDS,
    BoxNow,
    Entry,
    Offer,
    Reply,
    Stage,
    Start,
    judge,
    lapse,
    may_start,
    recall,
    resume,
)
from modembank_fleet.pool.words import Code, Word

NOW = BoxNow(run="r1", up=100.0, wall=1_000_000.0, acked=0, held=0, window=2)
OFFER = Offer("m1", fence=3, run="r1", told_up=90.0, lease_s=600, not_after=1_000_900.0)
HELD = Entry("m1", 3, Stage.HELD, run="r1", until=690.0, not_after=1_000_900.0, accepted=7)
GONE = Entry("m1", 3, Stage.GONE, Code.RECALLED)


def test_a_good_offer_is_held_until_its_lease_ends():
    reply = judge(OFFER, None, NOW, left_s=1000)
    assert reply == Reply(replace(HELD, accepted=0), Word.ACCEPTED)


def test_what_the_broker_left_of_the_time_shortens_the_lease_and_nothing_lengthens_it():
    assert judge(OFFER, None, NOW, left_s=20).keep.until == 120
    late = replace(NOW, up=680.0)  # it was under way for ten minutes, and the broker counts from when itself had it
    assert judge(OFFER, None, late, left_s=600).keep.until == 690


@pytest.mark.parametrize(
    ("offer", "now", "code"),
    [
        ({"run": "r0"}, {}, Code.STALE_CREDIT),
        ({"told_up": 101.0}, {}, Code.STALE_CREDIT),
        ({}, {"up": 690.0}, Code.TOO_LATE),
        ({}, {"wall": 1_000_900.0}, Code.TOO_LATE),
        ({}, {"held": 2}, Code.NO_CREDIT),
        ({}, {"window": 0}, Code.NO_CREDIT),
    ],
)
def test_what_is_refused_leaves_a_tombstone(offer, now, code):
    reply = judge(replace(OFFER, **offer), None, replace(NOW, **now), left_s=1000)
    assert (reply.word, reply.code) == (Word.REFUSED, code)
    assert reply.keep == Entry("m1", 3, Stage.GONE, code)
    assert judge(OFFER, reply.keep, NOW, left_s=1000) == Reply(
        None, Word.RELEASED, code
    )  # the same copy, in better times


def test_a_box_that_does_not_know_the_time_goes_by_the_lease_alone():
    assert judge(replace(OFFER, not_after=0.0), None, replace(NOW, wall=None), left_s=1000).word is Word.ACCEPTED


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.GONE])
def test_the_same_assignment_again_is_told_as_it_stands(stage):
    assert judge(OFFER, replace(HELD, stage=stage), NOW, left_s=1000) == Reply(None, WORDS[stage])


def test_lower_fences_are_refused_and_leave_nothing():
    assert judge(replace(OFFER, fence=2), HELD, NOW, left_s=1000) == Reply(None, Word.REFUSED, Code.FENCED)
    assert recall("m1", 2, HELD) == Reply(None, Word.REFUSED, Code.FENCED)


def test_a_later_assignment_of_what_was_given_back_is_taken():
    reply = judge(replace(OFFER, fence=4), GONE, NOW, left_s=1000)
    assert (reply.word, reply.keep.fence, reply.keep.stage) == (Word.ACCEPTED, 4, Stage.HELD)


def test_a_later_assignment_of_what_is_still_held_is_refused_until_that_lease_is_over():
    later = replace(OFFER, fence=4)
    assert judge(later, HELD, NOW, left_s=1000) == Reply(None, Word.REFUSED, Code.STILL_HELD)
    assert judge(replace(later, told_up=690.0), HELD, replace(NOW, up=690.0), left_s=1000).word is Word.ACCEPTED


@pytest.mark.parametrize("stage", [Stage.STARTED, Stage.SENT, Stage.FAILED, Stage.DELIVERED, Stage.UNDELIVERED])
def test_a_later_assignment_of_what_went_is_told_and_not_sent(stage):
    reply = judge(replace(OFFER, fence=4), replace(HELD, stage=stage), NOW, left_s=1000)
    assert reply == Reply(replace(HELD, stage=stage, fence=4), WORDS[stage])


@pytest.mark.parametrize("stage", [Stage.UNKNOWN, Stage.VOID])
def test_what_is_unknown_here_goes_again_when_the_hub_wants_it(stage):
    assert judge(replace(OFFER, fence=4), replace(HELD, stage=stage), NOW, left_s=1000).word is Word.ACCEPTED


def test_it_begins_only_when_the_hub_has_noted_that_it_was_accepted_and_only_within_the_lease():
    assert may_start(HELD, NOW) is Start.WAIT
    confirmed = replace(NOW, acked=7)
    assert may_start(HELD, confirmed) is Start.GO
    assert may_start(replace(HELD, accepted=0), confirmed) is Start.WAIT
    assert may_start(HELD, replace(confirmed, up=690.0)) is Start.OVER
    assert may_start(HELD, replace(confirmed, run="r2")) is Start.OVER
    assert may_start(HELD, replace(confirmed, wall=1_000_900.0)) is Start.OVER
    assert may_start(GONE, confirmed) is Start.OVER
    assert may_start(replace(HELD, stage=Stage.STARTED), confirmed) is Start.OVER


def test_what_may_not_begin_any_more_is_given_back_once():
    assert lapse(HELD, NOW) is None
    assert lapse(HELD, replace(NOW, up=690.0)) == replace(HELD, stage=Stage.GONE, code=Code.LEASE_OVER)
    assert lapse(HELD, replace(NOW, run="r2")) == replace(HELD, stage=Stage.GONE, code=Code.RESTARTED)
    assert lapse(replace(HELD, stage=Stage.STARTED), replace(NOW, up=690.0)) is None


def test_a_recall_gives_back_what_waits_and_leaves_a_tombstone_even_of_what_never_came():
    gone = Entry("m1", 3, Stage.GONE, Code.RECALLED)
    for known in (None, HELD, replace(HELD, stage=Stage.QUEUED), replace(HELD, fence=1), GONE):
        assert recall("m1", 3, known) == Reply(gone, Word.RELEASED, Code.RECALLED)
    assert judge(OFFER, gone, NOW, left_s=1000).word is Word.RELEASED


def test_a_recall_of_what_went_is_told_how_it_went():
    assert recall("m1", 3, replace(HELD, stage=Stage.SENT)).word is Word.SENT
    started = recall("m1", 3, replace(HELD, stage=Stage.STARTED))
    assert (started.word, started.code) == (Word.ACCEPTED, Code.STARTED)


def test_after_a_start_what_waited_is_given_back_and_what_a_modem_had_is_unknown():
    assert resume(HELD, restored=False) == replace(HELD, stage=Stage.GONE, code=Code.RESTARTED)
    started = replace(HELD, stage=Stage.STARTED)
    assert resume(started, restored=False) == replace(HELD, stage=Stage.UNKNOWN, code=Code.RESTARTED)
    assert resume(GONE, restored=False) is None


@pytest.mark.parametrize("stage", [Stage.HELD, Stage.QUEUED, Stage.STARTED])
def test_after_a_restore_nothing_is_said_to_be_released(stage):
    void = resume(replace(HELD, stage=stage), restored=True)
    assert void.stage is Stage.VOID
    assert may_start(void, replace(NOW, acked=99)) is Start.OVER
    assert recall("m1", 3, void).word is Word.UNKNOWN
