"""Delivery reports: in any order, form and number, each finds its attempt or waits for it (stories 27 and 28)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fakes.outboxes import HOUR, START
from modembank.messages.model import MessageState, OnUnknown, ReportFacts, ReportMatch
from modembank.messages.outbox import same_number
from modembank.messages.outbox.reports import Candidate, choose, choose_unknown
from modembank.modem.outcome import AttemptOutcome

DELIVERED, PENDING, FAILED = 0x00, 0x21, 0x46


async def sent(box, recipient="+447911000001", tp_mr=7, sim=1, outcome=AttemptOutcome.ACCEPTED, **how):
    message = await box.accept(recipient, **how)
    intent = box.intent(message, sim=sim)
    await box.outbox.begin(intent)
    box.settle(intent, outcome, tp_mr)
    return message


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("+447911123456", "+447911123456", True),
        ("+447911123456", "07911123456", True),
        ("+447911123456", "00447911123456", True),
        ("+447911123456", "447911123456", True),
        ("+447911123456", "7911123456", True),
        ("+447911123456", "+447911123457", False),
        ("+447911123456", "+337911123456", False),
        ("+447911123456", "3456", False),
        ("12345", "12345", True),
        ("12345", "2345", False),
        ("+447911123456", "", False),
    ],
)
def test_numbers_in_two_forms(one, other, same):
    assert same_number(one, other) is same
    assert same_number(other, one) is same


async def test_a_final_report_settles_the_message(box):
    message = await sent(box)
    assert await box.state(message) is MessageState.SENT
    box.clock.turn(6000)
    submitted = box.clock.now_ms - 5000
    assert await box.outbox.report(1, box.facts("07911000001", 7, submitted=submitted), 1) is ReportMatch.MATCHED
    assert await box.row(message, "state, settled_at, cause") == (80, box.clock.now_ms, None)
    (attempt,) = await box.attempts(message)
    assert (attempt.report_status, attempt.awaiting) == (0, False)
    await box.check_counts()


async def test_story_28_a_report_before_the_settlement_waits_for_it(box):
    message = await box.accept("+447911000001")
    intent = box.intent(message)
    await box.outbox.begin(intent)
    assert await box.outbox.report(1, box.facts("+447911000001", 7), 1) is ReportMatch.ORPHAN
    await box.outbox.flush()
    assert len(await box.store.fetch_all("SELECT * FROM orphan_reports")) == 1
    box.settle(intent, tp_mr=7)
    assert await box.state(message) is MessageState.DELIVERED
    assert await box.store.fetch_all("SELECT * FROM orphan_reports") == []


async def test_a_report_between_settlement_and_fold_is_matched_by_the_fold(box):
    message = await sent(box)
    await box.outbox.report(1, box.facts("+447911000001", 7), 1)
    assert await box.state(message) is MessageState.DELIVERED


async def test_a_report_survives_a_crash_before_the_fold(box):
    message = await sent(box)
    await box.outbox.report(1, box.facts("+447911000001", 7), 1)
    await box.reopen()
    assert await box.state(message) is MessageState.DELIVERED


async def test_the_same_report_twice_is_a_duplicate(box):
    message = await sent(box)
    facts = box.facts("+447911000001", 7)
    await box.outbox.flush()
    assert await box.outbox.report(1, facts, 1) is ReportMatch.MATCHED
    await box.outbox.flush()
    assert await box.outbox.report(1, facts, 2) is ReportMatch.DUPLICATE
    await box.outbox.flush()
    assert await box.store.fetch_all("SELECT * FROM orphan_reports") == []
    assert await box.state(message) is MessageState.DELIVERED


async def test_story_28_delivered_after_all_corrects_a_final_failure_and_nothing_else(box):
    message = await sent(box)
    await box.outbox.flush()
    await box.outbox.report(1, box.facts("+447911000001", 7, 0x42), 1)
    assert await box.state(message) is MessageState.UNDELIVERED
    assert await box.outbox.report(1, box.facts("+447911000001", 7, 0x46), 2) is ReportMatch.DUPLICATE
    assert await box.state(message) is MessageState.UNDELIVERED
    assert await box.outbox.report(1, box.facts("+447911000001", 7, 0x00), 3) is ReportMatch.MATCHED
    assert await box.state(message) is MessageState.DELIVERED
    assert await box.outbox.report(1, box.facts("+447911000001", 7, 0x42), 4) is ReportMatch.DUPLICATE
    assert await box.state(message) is MessageState.DELIVERED


async def test_story_28_a_repeated_report_proves_no_other_message(box):
    await sent(box)
    await box.outbox.flush()
    await box.outbox.report(1, box.facts("+447911000001", 7), 1)
    unknown = await sent(box, tp_mr=None, outcome=AttemptOutcome.UNKNOWN)
    assert await box.state(unknown) is MessageState.UNKNOWN
    assert await box.outbox.report(1, box.facts("+447911000001", 7), 2) is ReportMatch.DUPLICATE
    assert await box.state(unknown) is MessageState.UNKNOWN
    assert await box.outbox.report(1, box.facts("+447911000001", 8), 3) is ReportMatch.PROVED
    assert await box.state(unknown) is MessageState.DELIVERED


async def test_a_pending_report_keeps_waiting_for_the_final_one(box):
    message = await sent(box)
    await box.outbox.flush()
    await box.outbox.report(1, box.facts("+447911000001", 7, PENDING), 1)
    assert await box.state(message) is MessageState.SENT
    box.clock.turn(20 * HOUR)
    late = box.facts("+447911000001", 7, FAILED, submitted=box.clock.now_ms - 20 * HOUR)
    assert await box.outbox.report(1, late, 2) is ReportMatch.MATCHED
    assert await box.row(message, "state, cause") == (70, "report_46: validity period expired")


async def test_story_27_tp_mr_wraps_and_the_time_stamp_tells_them_apart(box):
    first = await sent(box)
    submitted_first = box.clock.now_ms + 1000
    box.clock.turn(17 * 60_000)
    second = await sent(box)
    await box.outbox.flush()
    box.clock.turn(1000)
    await box.outbox.report(1, box.facts("+447911000001", 7, submitted=submitted_first), 1)
    assert await box.state(first) is MessageState.DELIVERED
    assert await box.state(second) is MessageState.SENT
    await box.outbox.report(1, box.facts("+447911000001", 7), 2)
    assert await box.state(second) is MessageState.DELIVERED


async def test_other_sims_recipients_and_references_do_not_match(box):
    message = await sent(box)
    await box.outbox.flush()
    for sim, number, tp_mr in [(2, "+447911000001", 7), (1, "+447911999999", 7), (1, "+447911000001", 8)]:
        assert await box.outbox.report(sim, box.facts(number, tp_mr), 1) is ReportMatch.ORPHAN
    assert await box.state(message) is MessageState.SENT


async def test_a_centre_whose_clock_is_hours_off_still_matches_when_nothing_else_could_be_meant(box):
    message = await sent(box)
    await box.outbox.flush()
    wrong = box.facts("+447911000001", 7, submitted=box.clock.now_ms - 3 * HOUR)
    assert await box.outbox.report(1, wrong, 1) is ReportMatch.MATCHED
    assert await box.state(message) is MessageState.DELIVERED


async def test_a_report_proves_an_unknown_attempt(box):
    message = await sent(box, tp_mr=None, outcome=AttemptOutcome.UNKNOWN)
    assert await box.state(message) is MessageState.UNKNOWN
    assert await box.outbox.report(1, box.facts("+447911000001", 99), 1) is ReportMatch.PROVED
    assert await box.state(message) is MessageState.DELIVERED
    (attempt,) = await box.attempts(message)
    assert (attempt.outcome, attempt.tp_mr) == (AttemptOutcome.UNKNOWN, 99)  # what was seen stays as it was seen


async def test_a_report_that_came_before_the_timeout_proves_it_too(box):
    message = await box.accept("+447911000001", on_unknown=OnUnknown.RESEND)
    intent = box.intent(message)
    await box.outbox.begin(intent)
    await box.outbox.report(1, box.facts("+447911000001", 99), 1)
    await box.outbox.flush()
    box.settle(intent, AttemptOutcome.UNKNOWN)
    assert await box.row(message, "state, ready") == (80, None)
    assert await box.outbox.load_one(message) is None


async def test_two_unknown_attempts_to_one_number_are_not_guessed(box):
    messages = [await sent(box, tp_mr=None, outcome=AttemptOutcome.UNKNOWN) for _ in range(2)]
    await box.outbox.flush()
    assert await box.outbox.report(1, box.facts("+447911000001", 99), 1) is ReportMatch.ORPHAN
    assert [await box.state(message) for message in messages] == [MessageState.UNKNOWN] * 2


@pytest.mark.parametrize("middle", [41, 0])
async def test_of_two_unknown_parts_the_references_around_them_tell_which(box, middle):
    """References count up and wrap at 255: one before the known one is of the first part, one behind it of the last."""
    message = await box.accept("+447911000001", segments=3)
    parts = (AttemptOutcome.UNKNOWN, None), (AttemptOutcome.ACCEPTED, middle), (AttemptOutcome.UNKNOWN, None)
    for segment, (outcome, tp_mr) in enumerate(parts, 1):
        intent = box.intent(message, segment=segment)
        await box.outbox.begin(intent)
        box.settle(intent, outcome, tp_mr)
        box.clock.turn(1000)
    assert await box.state(message) is MessageState.UNKNOWN
    for tp_mr in ((middle + 1) % 256, (middle - 1) % 256):
        assert await box.outbox.report(1, box.facts("+447911000001", tp_mr), 1) is ReportMatch.PROVED
        await box.outbox.flush()
    assert [attempt.tp_mr for attempt in await box.attempts(message)] == [
        (middle - 1) % 256,
        middle,
        (middle + 1) % 256,
    ]
    assert await box.outbox.report(1, box.facts("+447911000001", middle), 1) is ReportMatch.MATCHED
    assert await box.state(message) is MessageState.DELIVERED


async def unknown_parts(box, count=2, recipient="+447911000001", **how):
    message = await box.accept(recipient, segments=count, **how)
    for segment in range(1, count + 1):
        intent = box.intent(message, segment=segment)
        await box.outbox.begin(intent)
        box.settle(intent, AttemptOutcome.UNKNOWN)
        box.clock.turn(1000)
    await box.outbox.flush()
    return message


@pytest.mark.parametrize("first", [7, 255])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
async def test_several_unknown_parts_are_proven_once_each_has_its_report(box, first, order):
    """One alone is not guessed; all together leave nothing to guess, in whichever order they come."""
    message = await unknown_parts(box, 3)
    references = [(first + part) % 256 for part in range(3)]
    for part in order[:2]:
        assert await box.outbox.report(1, box.facts("07911000001", references[part]), 1) is ReportMatch.ORPHAN
        assert await box.state(message) is MessageState.UNKNOWN
    await box.outbox.report(1, box.facts("07911000001", references[order[2]]), 1)
    assert await box.state(message) is MessageState.DELIVERED
    assert [attempt.tp_mr for attempt in await box.attempts(message)] == references
    assert await box.store.fetch_all("SELECT * FROM orphan_reports") == []
    await box.check_counts()


async def test_the_part_that_failed_is_told_from_the_one_that_arrived(box):
    message = await unknown_parts(box)
    await box.outbox.report(1, box.facts("+447911000001", 8, FAILED), 1)
    await box.outbox.report(1, box.facts("+447911000001", 7), 1)
    assert await box.state(message) is MessageState.UNDELIVERED
    assert [attempt.report_status for attempt in await box.attempts(message)] == [DELIVERED, FAILED]


async def test_a_pending_report_stands_back_behind_the_final_one_of_its_part(box):
    message = await unknown_parts(box)
    for tp_mr, status in ((7, PENDING), (7, DELIVERED), (8, DELIVERED)):
        facts = replace(box.facts("+447911000001", tp_mr, status), pdu=f"{status:02X}")
        await box.outbox.report(1, facts, 1)
    assert await box.state(message) is MessageState.DELIVERED


@pytest.mark.parametrize(
    "other",
    [
        {"recipient": "+447911000002", "tp_mr": 8},
        {"recipient": "+447911000001", "tp_mr": 7},
        {"recipient": "+447911000001", "tp_mr": 8, "submitted": START - 48 * HOUR},
        {"recipient": "+447911000001", "tp_mr": 8, "sim": 2},
    ],
    ids=["another recipient", "the same part again", "another time", "another SIM"],
)
async def test_two_reports_that_are_not_of_two_parts_prove_nothing(box, other):
    message = await unknown_parts(box)
    sim = other.pop("sim", 1)
    await box.outbox.report(1, box.facts("+447911000001", 7), 1)
    await box.outbox.report(sim, box.facts(**other), 1)
    assert await box.state(message) is MessageState.UNKNOWN


async def test_parts_of_two_messages_are_not_told_apart(box):
    messages = [await sent(box, tp_mr=None, outcome=AttemptOutcome.UNKNOWN) for _ in range(2)]
    await box.outbox.flush()
    for tp_mr in (7, 8):
        await box.outbox.report(1, box.facts("+447911000001", tp_mr), 1)
    assert [await box.state(message) for message in messages] == [MessageState.UNKNOWN] * 2


async def test_a_long_message_is_delivered_when_every_part_is(box):
    message = await box.accept("+447911000001", segments=2)
    for segment in (1, 2):
        intent = box.intent(message, segment=segment)
        await box.outbox.begin(intent)
        box.settle(intent, tp_mr=segment)
    await box.outbox.flush()
    await box.outbox.report(1, box.facts("+447911000001", 2), 1)
    assert await box.state(message) is MessageState.SENT
    await box.outbox.report(1, box.facts("+447911000001", 1), 1)
    assert await box.state(message) is MessageState.DELIVERED


async def test_a_report_read_again_and_again_is_kept_once(box):
    """A slot that the modem does not free is read at every sweep, for days."""
    for ledger_id in range(1, 6):
        await box.outbox.report(1, box.facts("+447911000001", 7), ledger_id)
        await box.outbox.flush()
    await box.outbox.report(1, box.facts("+447911000001", 8), 6)
    await box.outbox.report(2, box.facts("+447911000001", 7), 7)
    await box.outbox.flush()
    kept = await box.store.fetch_all("SELECT sim_id, tp_mr FROM orphan_reports ORDER BY id")
    assert kept == [(1, 7), (1, 8), (2, 7)]


async def test_waiting_for_reports_and_keeping_orphans_ends(box):
    message = await sent(box, valid_ms=HOUR)
    await box.outbox.report(2, box.facts("+447911000001", 7), 1)
    await box.outbox.flush()
    box.clock.turn(4 * 24 * HOUR)
    await box.outbox.sweep()
    assert [attempt.awaiting for attempt in await box.attempts(message)] == [False]
    assert await box.store.fetch_all("SELECT * FROM orphan_reports") == []
    assert await box.state(message) is MessageState.SENT


def candidate(number, started_at, recipient="+447911000001"):
    return Candidate(number, 1, 1, started_at, started_at + 48 * HOUR, recipient, AttemptOutcome.ACCEPTED, None)


def facts(submitted, received, recipient="07911000001"):
    return ReportFacts(7, recipient, 0, submitted, received, received, "00")


@given(st.lists(st.integers(0, 400), unique=True, min_size=1, max_size=8), st.data())
def test_of_wrapped_references_the_one_that_was_submitted_is_chosen(starts, data):
    """Attempts with one TP-MR to one number, 17 minutes or more apart; the centre's clock is up to 4 minutes off."""
    attempts = [candidate(number, START + 17 * 60_000 * place) for number, place in enumerate(starts)]
    meant = data.draw(st.sampled_from(attempts))
    off = data.draw(st.integers(-4 * 60_000, 4 * 60_000))
    later = data.draw(st.integers(0, 24 * HOUR))
    report = facts(meant.started_at + 2_000 + off, meant.started_at + 2_000 + later)
    assert choose(attempts, report) == meant


@given(st.lists(st.integers(0, 60), min_size=2, max_size=6), st.integers(-10, 70))
def test_an_unknown_attempt_is_never_guessed(minutes, submitted):
    attempts = [candidate(number, START + minute * 60_000) for number, minute in enumerate(minutes)]
    at = START + submitted * 60_000
    found = choose_unknown(attempts, facts(at, at))
    fitting = [one for one in attempts if -5 * 60_000 <= at - one.started_at <= 10 * 60_000]
    assert found == (fitting[0] if len(fitting) == 1 else None)


def test_a_time_stamp_that_is_no_time_is_no_obstacle():
    assert choose([candidate(1, START)], facts(None, START + 5000)) == candidate(1, START)
    assert choose([candidate(1, START)], facts(None, START + 5000, "0033100000000")) is None
    assert choose([], facts(START, START)) is None
