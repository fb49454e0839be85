"""The recovery ladder: its order, its rests, what is counted, and how long a hang lasts at most."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.at import AtCommand
from modembank.at.resync import Markers
from modembank.modem import POWER_S, Recovery, Rung, RungResult, Timings, Trouble
from modembank.modem.climbing import MUTE, RADIO_OFF, RADIO_ON, RESTART
from modembank.modem.memories import LIST_ALL
from modembank.modem.quirks import GENERIC, VENDORS
from modembank.modem.recovery import LADDERS, REST_S
from modembank.modem.watching import OPERATOR, SIM

GOAL_S = 90.0
"""A hung modem is back at work or quarantined within this time."""
HANGS = sorted([*MUTE, Trouble.SIM_DROPPED])
"""Troubles in which a modem that served ceases to; in the others it answers, and is given time."""


def climb(recovery: Recovery, trouble: Trouble, now: float) -> Rung:
    return recovery.next(trouble, now, int(now * 1000))


# -- how long at most: arithmetic over the deadlines, for rungs that do nothing


def probes_s(timings: Timings, probes: int) -> float:
    probe = Markers().next(set())
    pauses_s = sum(step.pause_s for step in probe.steps) * timings.quiet_scale
    return probes * (pauses_s + min(probe.timeout_s, timings.probe_s))


def detection_s(trouble: Trouble, timings: Timings) -> float:
    """From the hang of an idle modem to the first rung: its next heartbeat, or the command that it swallowed."""
    asked_s = max(timings.beat_s + SIM.timeout_s, LIST_ALL.timeout_s, OPERATOR.timeout_s)
    return asked_s + (probes_s(timings, timings.probes) if trouble in MUTE else 0.0)


def order_s(order: AtCommand, trouble: Trouble, timings: Timings) -> float:
    """To give an order and see nothing of it."""
    return (2 * timings.blind_s if trouble in MUTE else order.timeout_s) + timings.down_s


def rung_s(rung: Rung, trouble: Trouble, timings: Timings, *, power: bool) -> float:
    """To climb a rung and find the modem as it was."""
    resets = max((quirks.resets for quirks in (GENERIC, *VENDORS)), key=len)
    climbed_s = {
        Rung.REOPEN: 0.0,
        Rung.RADIO_CYCLE: RADIO_OFF.timeout_s + RADIO_ON.timeout_s,
        Rung.RESTART: order_s(RESTART, trouble, timings),
        Rung.VENDOR_RESET: sum(order_s(order, trouble, timings) for order in resets),
        Rung.POWER: POWER_S + timings.down_s if power else 0.0,
    }[rung]
    asked = trouble in MUTE and not (rung is Rung.POWER and not power)
    return climbed_s + (probes_s(timings, timings.rechecks) if asked else 0.0)


def worst_s(trouble: Trouble, timings: Timings, *, power: bool) -> float:
    rungs = sum(rung_s(rung, trouble, timings, power=power) for rung in LADDERS[trouble])
    return detection_s(trouble, timings) + rungs


@pytest.mark.parametrize("power", [False, True])
@pytest.mark.parametrize("trouble", HANGS)
def test_story_13_a_hang_that_nothing_ends_is_quarantined_in_time(trouble: Trouble, power: bool) -> None:
    assert worst_s(trouble, Timings(), power=power) <= GOAL_S


@pytest.mark.parametrize("trouble", HANGS)
def test_story_13_a_hang_in_mid_exchange_is_quarantined_in_time_after_its_deadline(trouble: Trouble) -> None:
    timings = Timings()
    rungs = sum(rung_s(rung, trouble, timings, power=True) for rung in LADDERS[trouble])
    assert probes_s(timings, timings.probes) + rungs <= GOAL_S
    assert timings.prompt_s + timings.escape_s + probes_s(timings, timings.probes) + rungs <= GOAL_S


def test_the_worst_case_is_what_the_documentation_says() -> None:
    assert worst_s(Trouble.SILENT, Timings(), power=True) == pytest.approx(86.6)
    assert worst_s(Trouble.SILENT, Timings(), power=False) == pytest.approx(67.4)


def test_a_modem_that_went_down_has_the_time_that_sticks_need_to_come_back() -> None:
    timings = Timings()
    assert timings.restart_s >= 60  # from a vendor's restart to the first answer: 5 to 60 s
    assert timings.boot_s >= 10
    assert REST_S[Rung.RESTART] > timings.restart_s


def test_the_arithmetic_would_notice_a_longer_deadline() -> None:
    for slower in (Timings(beat_s=30.0), Timings(down_s=8.0), Timings(rechecks=4), Timings(probes=6)):
        assert worst_s(Trouble.SILENT, slower, power=True) > GOAL_S


# -- order and rests


@pytest.mark.parametrize("trouble", [trouble for trouble in Trouble if trouble is not Trouble.RESET_WANTED])
def test_the_ladder_is_climbed_rung_by_rung_and_ends_in_quarantine(trouble: Trouble) -> None:
    recovery = Recovery(settled_s=600)
    climbed = [climb(recovery, trouble, 10.0 * step) for step in range(len(LADDERS[trouble]) + 1)]
    assert climbed == [*LADDERS[trouble], Rung.QUARANTINE]


def test_a_hang_that_shows_itself_differently_after_each_rung_does_not_start_over() -> None:
    recovery = Recovery(settled_s=600)
    shown = (Trouble.SILENT, Trouble.DEAF, Trouble.ECHO_ONLY, Trouble.CONFUSED, Trouble.WRITE_STUCK)
    climbed = [climb(recovery, trouble, 10.0 * step) for step, trouble in enumerate(shown)]
    assert climbed == [Rung.REOPEN, Rung.RESTART, Rung.VENDOR_RESET, Rung.POWER, Rung.QUARANTINE]


@given(st.lists(st.sampled_from([trouble for trouble in Trouble if trouble is not Trouble.RESET_WANTED]), min_size=8))
def test_whatever_the_troubles_quarantine_comes_after_each_rung_once(troubles: list[Trouble]) -> None:
    recovery = Recovery(settled_s=600)
    climbed = [climb(recovery, trouble, 1.5 * step) for step, trouble in enumerate(troubles)]
    assert Rung.QUARANTINE in climbed[: len(Rung)]
    before = climbed[: climbed.index(Rung.QUARANTINE)]
    assert len(set(before)) == len(before)


def test_a_rung_rests_after_its_use_also_across_a_quarantine() -> None:
    recovery = Recovery(settled_s=600)
    for step in range(5):
        climb(recovery, Trouble.SILENT, 10.0 * step)
    # Ten minutes later: RESTART and VENDOR_RESET may again, POWER not for half an hour.
    climbed = [climb(recovery, Trouble.SILENT, 700.0 + 10.0 * step) for step in range(4)]
    assert climbed == [Rung.REOPEN, Rung.RESTART, Rung.VENDOR_RESET, Rung.QUARANTINE]
    assert climb(recovery, Trouble.SILENT, 760.0) is Rung.REOPEN
    assert climb(recovery, Trouble.SILENT, 770.0) is Rung.QUARANTINE  # nothing dearer so soon


def test_a_rest_keeps_no_modem_out_of_service_for_ever() -> None:
    recovery = Recovery(settled_s=600)
    quarantine_s = Timings().quarantine_s
    powered = []
    now = 0.0
    while now < 6 * 3600:
        rung = climb(recovery, Trouble.SILENT, now)
        powered += [now] if rung is Rung.POWER else []
        now += quarantine_s if rung is Rung.QUARANTINE else 10.0
    assert all(later - earlier >= REST_S[Rung.POWER] for earlier, later in itertools.pairwise(powered))
    assert len(powered) >= 8


def test_a_modem_that_was_well_long_enough_starts_from_the_ground() -> None:
    recovery = Recovery(settled_s=600)
    climb(recovery, Trouble.SILENT, 0.0)
    climb(recovery, Trouble.SILENT, 10.0)
    recovery.well(20.0)
    recovery.well(500.0)
    assert climb(recovery, Trouble.SILENT, 700.0) is Rung.REOPEN
    recovery.well(800.0)
    assert climb(recovery, Trouble.SILENT, 900.0) is Rung.RESTART


def test_a_person_who_asks_waits_for_no_rest_and_never_quarantines() -> None:
    recovery = Recovery(settled_s=600)
    for _ in range(5):
        assert climb(recovery, Trouble.RESET_WANTED, 4.0) is Rung.RESTART
    assert climb(recovery, Trouble.SILENT, 5.0) is Rung.REOPEN
    assert climb(recovery, Trouble.SILENT, 6.0) is Rung.VENDOR_RESET  # RESTART rests
    recovery.forgive()
    assert [climb(recovery, Trouble.SILENT, 7.0) for _ in range(2)] == [Rung.REOPEN, Rung.RESTART]


def test_no_ladder_has_a_restart_before_something_cheaper_and_all_rungs_rest() -> None:
    for trouble, ladder in LADDERS.items():
        if trouble not in {Trouble.RESET_WANTED, Trouble.VANISHED}:
            assert ladder[0] in {Rung.REOPEN, Rung.REINITIALIZE, Rung.RADIO_CYCLE}
        assert all(rung in REST_S for rung in ladder)
        assert len(set(ladder)) == len(ladder)
    assert set(LADDERS) == set(Trouble)


# -- what came of it


def test_each_rung_is_counted_by_what_came_of_it() -> None:
    recovery = Recovery(settled_s=600)
    climb(recovery, Trouble.SILENT, 0.0)
    assert recovery.climbs[-1].result is RungResult.PENDING
    assert recovery.climbing
    climb(recovery, Trouble.DEAF, 10.0)
    recovery.well(20.0)
    recovery.well(30.0)  # it registers again and again; the rung is counted once
    assert not recovery.climbing
    assert [(step.rung, step.result) for step in recovery.climbs] == [
        (Rung.REOPEN, RungResult.IN_VAIN),
        (Rung.RESTART, RungResult.SERVED),
    ]
    assert recovery.counts == {
        (Rung.REOPEN, Trouble.SILENT, RungResult.IN_VAIN): 1,
        (Rung.RESTART, Trouble.DEAF, RungResult.SERVED): 1,
    }
    assert [step.at for step in recovery.climbs] == [0, 10_000]


def test_a_rung_that_is_not_there_is_not_counted_and_does_not_rest() -> None:
    recovery = Recovery(settled_s=600)
    climb(recovery, Trouble.SILENT, 0.0)
    climb(recovery, Trouble.SILENT, 10.0)
    assert climb(recovery, Trouble.SILENT, 20.0) is Rung.VENDOR_RESET
    recovery.not_there()
    assert climb(recovery, Trouble.SILENT, 20.0) is Rung.POWER
    recovery.not_there()
    assert climb(recovery, Trouble.SILENT, 20.0) is Rung.QUARANTINE
    assert [step.rung for step in recovery.climbs] == [Rung.REOPEN, Rung.RESTART, Rung.QUARANTINE]
    assert sum(recovery.counts.values()) == 2


def test_the_history_for_people_is_bounded_and_the_counts_are_not() -> None:
    recovery = Recovery(settled_s=600)
    for step in range(100):
        climb(recovery, Trouble.SILENT, 1000.0 * step)
    assert len(recovery.climbs) == 20
    assert sum(recovery.counts.values()) == 99
