"""The hub's side of the pool, rule by rule."""

import pytest
from msgspec.structs import replace

from modembank_fleet.pool.assigning import (
    ENDED,
    Assignment,
    HubNow,
    Message,
    Stage,
    State,
    hear,
    hub_started,
    is_newer,
    left_s,
    nowhere,
    offer,
    open_at,
    pass_time,
    restored,
    to_recall,
)
from modembank_fleet.pool.leases import GUARD_S, Credit, dead_at, longest_lease_s, until
from modembank_fleet.pool.words import Code, Dup, Word

NOW = HubNow(mono=1010.0, wall=50_000.0)
CREDIT = Credit(box=1, epoch="e1", run="r1", up=90.0, window=2, heard_at=1000.0)
QUEUED = Message("m1", not_after=60_000.0)
GIVEN = Assignment("m1", 1, 1, "e1", "r1", 90.0, 600, 1000 + 606 + GUARD_S)
ASSIGNED = replace(QUEUED, state=State.ASSIGNED, fence=1)
ACCEPTED = replace(ASSIGNED, state=State.ACCEPTED)
HAD = replace(GIVEN, stage=Stage.ACCEPTED)
DEAD = HubNow(GIVEN.dead_at, 50_700.0)


def alo(message):
    """Return the same, to be sent at least once."""
    return replace(message, dup=Dup.AT_LEAST_ONCE)


def test_the_lease_of_the_box_is_over_before_the_hub_says_so_however_slow_its_clock_is():
    slow = 1 / (1 + 0.0099)
    ends_at = 1000 + (until(90.0, 600, 90.0 + 400, 600) - 90) / slow  # the hub's time, had the credit taken none
    assert ends_at + 80 < dead_at(CREDIT, 600)


def test_a_queued_message_is_offered_with_a_new_fence_for_a_lease_on_the_credit():
    change = offer(QUEUED, CREDIT, 0, NOW)
    assert change.message == ASSIGNED
    assert change.assignment == GIVEN
    assert offer(replace(QUEUED, fence=4), CREDIT, 0, NOW).assignment.fence == 5
    assert left_s(GIVEN, NOW) == pytest.approx(590)


def test_nothing_is_offered_beyond_the_window_or_when_it_is_not_worth_it():
    assert offer(QUEUED, CREDIT, 2, NOW) is None
    assert offer(QUEUED, replace(CREDIT, window=0), 0, NOW) is None
    assert offer(replace(QUEUED, cancel=True), CREDIT, 0, NOW) is None
    assert offer(ASSIGNED, CREDIT, 0, NOW) is None
    assert offer(QUEUED, CREDIT, 0, replace(NOW, mono=1590.0)) is None  # the credit is too old
    assert offer(replace(QUEUED, not_after=50_020.0), CREDIT, 0, NOW) is None


def test_a_lease_ends_before_the_message_does():
    assert longest_lease_s(600, 50_300.0, 50_000.0, 10.0) == 306  # 310 s from the credit on, by a clock that is slow
    assert offer(replace(QUEUED, not_after=50_300.0), CREDIT, 0, NOW).assignment.lease_s == 306


def test_the_later_credit_of_a_run_counts():
    assert is_newer(CREDIT, None)
    assert is_newer(replace(CREDIT, up=91.0), CREDIT)
    assert not is_newer(replace(CREDIT, up=89.0), CREDIT)
    assert is_newer(replace(CREDIT, up=1.0, run="r2"), CREDIT)


def test_what_is_not_accepted_is_queued_again_when_it_is_dead_and_not_before():
    assert pass_time(ASSIGNED, GIVEN, replace(DEAD, mono=DEAD.mono - 0.1)) is None
    change = pass_time(ASSIGNED, GIVEN, DEAD)
    assert (change.message.state, change.message.code) == (State.QUEUED, Code.NO_ANSWER)
    assert (change.assignment.stage, change.message.maybe_dup) == (Stage.OVER, False)


def test_what_is_accepted_too_late_is_not_the_boxs():
    change = pass_time(ASSIGNED, GIVEN, DEAD)
    assert not hear(change.message, change.assignment, Word.ACCEPTED, Code.NONE, "e1").told


def test_what_is_accepted_stays_the_boxs_whatever_the_time_if_it_may_be_sent_once_only():
    change = hear(ASSIGNED, GIVEN, Word.ACCEPTED, Code.NONE, "e1")
    assert (change.message, change.assignment) == (ACCEPTED, HAD)
    assert pass_time(ACCEPTED, HAD, DEAD) is None
    assert to_recall(ACCEPTED, HAD, CREDIT, DEAD)  # but the box is asked
    ended = pass_time(ACCEPTED, HAD, HubNow(DEAD.mono, 60_000 + GUARD_S))
    assert ended.message.state is State.EXPIRED_UNKNOWN


def test_at_least_once_goes_on_when_the_lease_is_over_and_says_so():
    change = pass_time(alo(ACCEPTED), HAD, DEAD)
    assert (change.message.state, change.message.maybe_dup) == (State.QUEUED, True)
    assert change.assignment.stage is Stage.OVER


@pytest.mark.parametrize(("word", "state"), [("sent", "sent"), ("failed", "failed"), ("delivered", "delivered")])
def test_the_boxs_word_ends_it(word, state):
    change = hear(ACCEPTED, HAD, Word(word), Code.NONE, "e1")
    assert (change.message.state, change.assignment.stage) == (State(state), Stage.OVER)


def test_unknown_ends_it_or_not_by_what_it_may_be():
    assert hear(ACCEPTED, HAD, Word.UNKNOWN, Code.NONE, "e1").message.state is State.UNKNOWN
    again = hear(alo(ACCEPTED), HAD, Word.UNKNOWN, Code.NONE, "e1").message
    assert (again.state, again.maybe_dup) == (State.QUEUED, True)


@pytest.mark.parametrize("word", [Word.REFUSED, Word.RELEASED])
@pytest.mark.parametrize("message", [ASSIGNED, ACCEPTED])
def test_what_is_given_back_is_queued_again_cancelled_or_failed(word, message):
    given = GIVEN if message is ASSIGNED else HAD
    assert hear(message, given, word, Code.NO_CREDIT, "e1").message.state is State.QUEUED
    cancelled = replace(message, cancel=True)
    assert hear(cancelled, given, word, Code.RECALLED, "e1").message.state is State.CANCELLED
    assert hear(message, given, word, Code.OPTED_OUT, "e1").message.state is State.FAILED


def test_what_one_box_could_never_send_another_may_and_none_fails_it():
    queued = hear(ASSIGNED, GIVEN, Word.REFUSED, Code.INVALID, "e1").message
    assert (queued.state, queued.code) == (State.QUEUED, Code.INVALID)
    assert nowhere(queued, {1, 2}, {1}) is None
    assert nowhere(queued, set(), {1}) is None
    failed = nowhere(queued, {1, 2}, {1, 2, 3})
    assert (failed.message.state, failed.message.code) == (State.FAILED, Code.INVALID)


def test_what_an_old_assignment_says_frees_nothing():
    newer = replace(ACCEPTED, fence=2)
    change = hear(newer, GIVEN, Word.RELEASED, Code.LEASE_OVER, "e1")
    assert (change.message, change.assignment.stage) == (newer, Stage.OVER)


@pytest.mark.parametrize("word", list(Word))
def test_another_life_of_the_box_says_nothing_of_this_one(word):
    change = hear(ACCEPTED, HAD, word, Code.NONE, "e2")
    assert (change.message, change.assignment, change.told) == (ACCEPTED, HAD, False)


def test_another_life_of_the_box_makes_unknown_what_it_had_accepted():
    assert restored(ACCEPTED, HAD, "e1") is None
    assert restored(ASSIGNED, GIVEN, "e2") is None  # not noted as accepted: it ends with its lease
    change = restored(ACCEPTED, HAD, "e2")
    assert (change.message.state, change.message.code) == (State.UNKNOWN, Code.BOX_RESTORED)
    late = hear(change.message, change.assignment, Word.SENT, Code.NONE, "e1")  # its last word, late
    assert late.message.state is State.SENT


def test_a_box_knows_better_than_what_the_hub_had_to_guess():
    guessed = replace(ACCEPTED, state=State.EXPIRED_UNKNOWN)
    assert hear(guessed, HAD, Word.DELIVERED, Code.NONE, "e1").message.state is State.DELIVERED
    assert hear(guessed, HAD, Word.RELEASED, Code.LEASE_OVER, "e1").message.state is State.EXPIRED
    sent = hear(ACCEPTED, HAD, Word.SENT, Code.NONE, "e1")
    assert hear(sent.message, sent.assignment, Word.DELIVERED, Code.NONE, "e1").message.state is State.DELIVERED
    assert not hear(sent.message, sent.assignment, Word.UNKNOWN, Code.NONE, "e1").told


def test_a_duplicate_is_measured_once():
    first = hear(alo(replace(ACCEPTED, fence=2, maybe_dup=True)), replace(HAD, fence=2), Word.SENT, Code.NONE, "e1")
    old = replace(HAD, stage=Stage.OVER)
    second = hear(first.message, old, Word.SENT, Code.NONE, "e1")
    third = hear(second.message, second.assignment, Word.DELIVERED, Code.NONE, "e1")
    assert (first.message.conflicts, second.message.conflicts, third.message.conflicts) == (0, 1, 1)
    assert third.message.state is State.SENT


def test_what_another_box_has_sent_meanwhile_is_recalled():
    sent_by_old = hear(alo(replace(ACCEPTED, fence=2)), replace(HAD, stage=Stage.OVER), Word.SENT, Code.NONE, "e1")
    assert sent_by_old.message.state is State.SENT
    assert to_recall(sent_by_old.message, replace(HAD, fence=2), CREDIT, NOW)


def test_recalled_is_what_is_cancelled_or_of_a_box_that_takes_none():
    assert not to_recall(ACCEPTED, HAD, CREDIT, NOW)
    assert to_recall(replace(ACCEPTED, cancel=True), HAD, None, NOW)
    assert to_recall(ACCEPTED, HAD, replace(CREDIT, window=0), NOW)
    assert not to_recall(ACCEPTED, HAD, replace(CREDIT, window=0, run="r2"), NOW)  # that run gives it back by itself
    assert not to_recall(ASSIGNED, GIVEN, CREDIT, DEAD)
    assert not to_recall(replace(ACCEPTED, cancel=True), replace(HAD, stage=Stage.OVER), CREDIT, NOW)


def test_a_queued_message_ends_with_its_time_or_when_nobody_wants_it():
    late = HubNow(0.0, 60_000.0)
    assert pass_time(QUEUED, None, NOW) is None
    assert pass_time(QUEUED, None, late).message.state is State.EXPIRED
    assert pass_time(replace(QUEUED, maybe_dup=True), None, late).message.state is State.EXPIRED_UNKNOWN
    assert pass_time(replace(QUEUED, cancel=True), None, NOW).message.state is State.CANCELLED
    assert pass_time(ASSIGNED, GIVEN, HubNow(0.0, 60_000 + GUARD_S)).message.state is State.EXPIRED


@pytest.mark.parametrize("state", sorted(ENDED))
def test_time_changes_nothing_of_what_has_ended(state):
    assert pass_time(replace(ACCEPTED, state=state), HAD, HubNow(1e9, 1e9)) is None


def test_a_hub_that_was_started_counts_from_the_beginning():
    assert hub_started(GIVEN, HubNow(5.0, 0.0)).dead_at == pytest.approx(5 + 606 + GUARD_S)


def test_open_assignments_are_counted_by_box():
    given = [GIVEN, HAD, replace(GIVEN, stage=Stage.OVER), replace(GIVEN, box=2)]
    assert open_at(1, given) == 2
