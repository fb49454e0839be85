"""The aggregate: monotone and true to the evidence, over any order of events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from modembank.messages.model import TERMINAL, MessageState, OnUnknown
from modembank.messages.outbox import AttemptRow, Fate, aggregate, all_sent, done_segments, fate_of
from modembank.modem.outcome import AttemptOutcome as Outcome

S = MessageState


def attempt(segment=1, n=1, outcome=Outcome.ACCEPTED, report=None):
    return AttemptRow(segment, n, 1, "slot", 1000 * n, outcome=outcome, report_status=report)


@pytest.mark.parametrize(
    ("segments", "attempts", "expected"),
    [
        (1, [], S.QUEUED),
        (1, [attempt(outcome=None)], S.SENDING),
        (1, [attempt(outcome=Outcome.NOT_SENT)], S.SENDING),
        (1, [attempt(outcome=Outcome.REJECTED)], S.SENDING),
        (1, [attempt()], S.SENT),
        (1, [attempt(report=0x21)], S.SENT),
        (1, [attempt(report=0x00)], S.DELIVERED),
        (1, [attempt(report=0x46)], S.UNDELIVERED),
        (1, [attempt(report=0x63)], S.UNDELIVERED),  # "given up" is final too
        (1, [attempt(outcome=Outcome.UNKNOWN)], S.UNKNOWN),
        (1, [attempt(outcome=Outcome.UNKNOWN, report=0x21)], S.SENT),
        (1, [attempt(outcome=Outcome.UNKNOWN), attempt(n=2, report=0x00)], S.DELIVERED),
        (2, [attempt()], S.SENDING),
        (2, [attempt(), attempt(2)], S.SENT),
        (2, [attempt(outcome=Outcome.UNKNOWN)], S.SENDING),
        (2, [attempt(outcome=Outcome.UNKNOWN), attempt(2)], S.UNKNOWN),
        (2, [attempt(report=0x46)], S.UNDELIVERED),
        (2, [attempt(report=0x00), attempt(2)], S.SENT),
        (2, [attempt(report=0x00), attempt(2, report=0x00)], S.DELIVERED),
    ],
)
def test_what_attempts_add_up_to_under_hold(segments, attempts, expected):
    assert aggregate(S.QUEUED, OnUnknown.HOLD, segments, attempts) is expected


def test_under_resend_an_unknown_segment_is_tried_again_a_few_times():
    attempts = [attempt(n=n, outcome=Outcome.UNKNOWN) for n in range(1, 5)]
    states = [aggregate(S.QUEUED, OnUnknown.RESEND, 1, attempts[:count]) for count in range(1, 5)]
    assert states == [S.SENDING, S.SENDING, S.SENDING, S.UNKNOWN]
    assert done_segments(OnUnknown.RESEND, 1, attempts[:3]) == frozenset()
    assert done_segments(OnUnknown.RESEND, 1, attempts) == {1}


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_terminal_states_yield_only_to_proof_of_delivery(state):
    assert aggregate(state, OnUnknown.HOLD, 1, [attempt(report=0x46)]) is state
    assert aggregate(state, OnUnknown.HOLD, 1, [attempt(report=0x00)]) is S.DELIVERED


def test_what_was_unknown_is_sent_once_a_report_proves_it():
    """In two steps as in one."""
    proved, open_ = attempt(outcome=Outcome.UNKNOWN, report=0x00), attempt(2)
    first = aggregate(S.QUEUED, OnUnknown.HOLD, 2, [attempt(outcome=Outcome.UNKNOWN), open_])
    assert first is S.UNKNOWN
    assert aggregate(first, OnUnknown.HOLD, 2, [proved, open_]) is S.SENT
    assert aggregate(S.QUEUED, OnUnknown.HOLD, 2, [proved, open_]) is S.SENT


def test_evidence_of_arrival_beats_evidence_of_failure():
    assert fate_of([attempt(report=0x46), attempt(n=2, report=0x00)]) is Fate.DELIVERED
    assert fate_of([attempt(report=0x46), attempt(n=2)]) is Fate.SENT
    assert fate_of([]) is Fate.UNTRIED


OUTCOMES = st.sampled_from([Outcome.NOT_SENT, Outcome.ACCEPTED, Outcome.REJECTED, Outcome.UNKNOWN])
REPORTS = st.sampled_from([None, 0x00, 0x01, 0x21, 0x30, 0x46, 0x63, 0x7F, 0xFF])


@st.composite
def histories(draw):
    """The events of one message: attempts begin, end, and are reported on, in any order that is possible."""
    segments = draw(st.integers(1, 4))
    steps = []
    for segment in range(1, segments + 1):
        for n in range(1, draw(st.integers(0, 3)) + 1):
            key = segment, n
            steps.append([("begin", key, None), ("end", key, draw(OUTCOMES))])
            steps[-1] += [
                ("report", key, report) for report in draw(st.lists(REPORTS, max_size=2)) if report is not None
            ]
    order = []
    while any(steps):
        chosen = draw(st.sampled_from([step for step in steps if step]))
        order.append(chosen.pop(0))
    return segments, draw(st.sampled_from(OnUnknown)), order


@given(histories())
def test_the_state_never_goes_back_and_ends_true(history):
    segments, policy, order = history
    attempts, state = {}, S.QUEUED
    for what, key, value in order:
        if what == "begin":
            attempts[key] = attempt(*key, outcome=None)
        elif what == "end":
            attempts[key] = replace(attempts[key], outcome=value)
        else:
            attempts[key] = replace(attempts[key], report_status=value)
        after = aggregate(state, policy, segments, list(attempts.values()))
        assert after >= state or (state is S.UNKNOWN and after is S.SENT)
        state = after
    rows = list(attempts.values())
    fates = [fate_of(row for row in rows if row.segment == segment) for segment in range(1, segments + 1)]
    if all(fate is Fate.DELIVERED for fate in fates):
        assert state is S.DELIVERED
    if state is S.SENT:
        assert all_sent(segments, rows)
    if state is S.UNKNOWN:
        assert any(row.outcome is Outcome.UNKNOWN for row in rows)
        assert not all_sent(segments, rows)
    assert state not in (S.EXPIRED, S.FAILED, S.CANCELLED)  # only decisions make those


@given(histories())
def test_folding_again_changes_nothing(history):
    segments, policy, order = history
    rows = [attempt(*key, outcome=value) for what, key, value in order if what == "end"]
    once = aggregate(S.QUEUED, policy, segments, rows)
    assert aggregate(once, policy, segments, rows) is once
