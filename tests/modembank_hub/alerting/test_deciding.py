"""What becomes of alerts at one look, case by case; and over every course of a condition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank_hub.alerting.deciding import (
    Begin,
    Clearing,
    Drop,
    End,
    Open,
    Pending,
    Regrade,
    Standing,
    clear_ms,
    decide,
)
from modembank_hub.alerting.facts import Held, Key
from modembank_hub.alerting.kinds_table import KINDS, OFFLINE, Severity
from modembank_hub.alerting.places import Subject

KEY = Key(OFFLINE, "leeds/b1")
NOW = 1_800_000_000_000


def held(hold_s=300, severity=Severity.CRITICAL):
    return Held(KEY, Subject("leeds/b1", "leeds", box_id=1), severity, hold_s)


def look(*, pending=(), standing=(), held_=None, unknown=False, now=NOW):
    return decide(pending, standing, {KEY: held_} if held_ else {}, lambda _: unknown, now)


def an_alert(round_=1, clear_at=None, clear_s=60, severity="critical"):
    return Standing(7, KEY, round_, severity, clear_at, clear_s)


def test_what_begins_waits_for_its_time():
    assert look(held_=held()) == [Begin(held())]
    waits = Pending(KEY, NOW - 299_999)
    assert look(pending=[waits], held_=held()) == []
    due = Pending(KEY, NOW - 300_000)
    assert look(pending=[due], held_=held()) == [Open(held(), NOW - 300_000)]


def test_what_needs_no_time_opens_at_once():
    assert look(held_=held(hold_s=0)) == [Open(held(hold_s=0), NOW)]


def test_what_was_too_short_is_forgotten():
    assert look(pending=[Pending(KEY, NOW - 200_000)]) == [Drop(KEY)]


def test_what_cannot_be_judged_begins_anew_later_and_changes_nothing_that_is_open():
    assert look(held_=held(), unknown=True) == []
    assert look(pending=[Pending(KEY, 0)], held_=held(), unknown=True) == [Drop(KEY)]
    assert look(standing=[an_alert()], unknown=True) == []
    assert look(standing=[an_alert(clear_at=NOW - 10**7)], unknown=True) == [Clearing(7, None)]


def test_an_alert_ends_after_its_condition_was_gone_for_a_while():
    assert look(standing=[an_alert()]) == [Clearing(7, NOW)]
    assert look(standing=[an_alert(clear_at=NOW - 59_999)]) == []
    assert look(standing=[an_alert(clear_at=NOW - 60_000)]) == [End(7, KEY)]
    assert look(standing=[an_alert(clear_s=0)]) == [End(7, KEY)]
    assert look(standing=[an_alert(clear_at=NOW - 59_999)], held_=held()) == [Clearing(7, None)]


def test_an_alert_that_is_there_opens_no_second_time():
    assert look(standing=[an_alert()], held_=held(hold_s=0)) == []


def test_another_rule_makes_it_as_bad_as_that_says():
    assert look(standing=[an_alert()], held_=held(severity=Severity.INFO)) == [Regrade(7, "info")]


@pytest.mark.parametrize(("round_", "times"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (1000, 8)])
def test_what_comes_again_and_again_must_be_gone_for_longer(round_, times):
    assert clear_ms(an_alert(round_=round_)) == times * 60_000


@given(st.lists(st.sampled_from(["holds", "gone", "unknown"]), max_size=120), st.sampled_from([0, 60, 300]))
def test_it_opens_and_ends_only_by_what_lasts(course, hold_s):
    """Looks ten seconds apart over any course: what opens has held as long as it must, what ends was gone as long."""
    since, standing, round_, now = None, None, 0, NOW
    gone_for, held_for = 0, 0
    for seen in course:
        now += 10_000
        held_for = held_for + 10 if seen == "holds" else 0
        gone_for = gone_for + 10 if seen == "gone" else 0
        changes = look(
            pending=[Pending(KEY, since)] if since is not None else [],
            standing=[standing] if standing else [],
            held_=held(hold_s) if seen == "holds" else None,
            unknown=seen == "unknown",
            now=now,
        )
        assert len(changes) <= 1
        for change in changes:
            match change:
                case Begin():
                    assert standing is None
                    since = now
                case Drop():
                    since = None
                case Open():
                    assert standing is None
                    assert held_for - 10 >= hold_s or hold_s == 0
                    since, round_ = None, round_ + 1
                    standing = an_alert(round_=round_)
                case Clearing(_, at):
                    standing = an_alert(round_=round_, clear_at=at)
                case End():
                    assert (gone_for - 10) * 1000 >= clear_ms(standing)
                    standing = None
        assert not (standing and since is not None)


def test_every_kind_has_a_name_a_place_and_a_threshold_with_its_unit():
    for name, kind in KINDS.items():
        assert name == kind.name
        assert name.partition(".")[0] in {"box", "hub"}
        assert bool(kind.threshold) == bool(kind.unit)
        assert kind.hold_s >= 0
        assert kind.clear_s >= 0
