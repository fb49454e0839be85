"""What follows each refusal: the table itself, and what the dispatcher makes of it."""

import random

import pytest

from fakes.lines import not_sent, refused, unknown
from fakes.outboxes import HOUR
from modembank.dispatch import RULES, Action, Blame, step_after
from modembank.dispatch.policy import cause_text, rest_s
from modembank.dispatch.refusals import Refusals
from modembank.messages.model import MessageState
from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass, SubmitResult

NO_CREDIT = refused(CauseClass.SIM, "cms_21", "+CMS ERROR 21: short message transfer rejected")
OUT_OF_ORDER = refused(CauseClass.NETWORK, "cms_38", "+CMS ERROR 38: network out of order")


def chance():
    return random.Random(1)


def test_every_class_of_causes_has_a_rule():
    assert set(RULES) == set(CauseClass)


@pytest.mark.parametrize(
    ("result", "tries", "action"),
    [
        (SubmitResult(AttemptOutcome.ACCEPTED, tp_mr=1), 1, Action.NEXT),
        (refused(CauseClass.RECIPIENT), 1, Action.FAIL),
        (refused(CauseClass.RECIPIENT, "cms_27"), 1, Action.LATER),
        (refused(CauseClass.RECIPIENT, "cms_27"), 2, Action.FAIL),
        (NO_CREDIT, 1, Action.OTHER_SIM),
        (NO_CREDIT, 8, Action.FAIL),
        (OUT_OF_ORDER, 50, Action.LATER),
        (refused(CauseClass.VALIDITY, "cms_198"), 1, Action.WITHOUT_VALIDITY),
        (refused(CauseClass.STORAGE, "cms_322"), 1, Action.BACK),
        (not_sent(CauseClass.SIM_ABSENT), 1, Action.BACK),
        (not_sent(CauseClass.PORT), 99, Action.BACK),
        (SubmitResult(AttemptOutcome.NOT_SENT), 1, Action.BACK),
        (SubmitResult(AttemptOutcome.REJECTED), 1, Action.LATER),
        (unknown(), 1, Action.UNKNOWN),
        (SubmitResult(AttemptOutcome.UNKNOWN, cause=Cause(CauseClass.NETWORK, "cms_500", "")), 1, Action.UNKNOWN),
    ],
)
def test_what_follows(result, tries, action):
    assert step_after(result, tries, chance()).action is action


def test_network_trouble_backs_off_with_jitter_and_prefers_another_sim_from_the_second_try():
    for tries, base in [(1, 10), (2, 60), (3, 300), (4, 300), (99, 1800)]:
        steps = [step_after(OUT_OF_ORDER, tries, random.Random(seed)) for seed in range(20)]
        assert all(0.75 * base <= step.delay_s <= 1.25 * base for step in steps)
        assert len({step.delay_s for step in steps}) > 10
        assert {step.other_sim for step in steps} == {tries >= 2}


def test_a_modem_rests_longer_each_time():
    rests = [rest_s(CauseClass.PORT, failures, chance()) for failures in (1, 2, 3, 4, 9)]
    assert rests == sorted(rests)
    assert rest_s(None, 1, chance()) <= 2.5
    assert rest_s(CauseClass.NETWORK, 1, chance()) <= 2.5


def test_causes_are_stored_with_key_and_words():
    assert cause_text(None) is None
    assert cause_text(Cause(CauseClass.SIM, "cms_21", "rejected")) == "cms_21: rejected"


def test_three_different_numbers_in_a_row_blame_the_sim():
    refusals = Refusals()
    assert refusals.refused(1, Blame.SIM, "+1", "x") is None
    assert refusals.refused(1, Blame.SIM, "+1", "x") is None
    assert refusals.refused(1, Blame.SIM, "+2", "x") is None
    assert refusals.refused(2, Blame.SIM, "+3", "x") is None
    assert refusals.refused(1, Blame.SIM, "+3", "x").startswith("refused 3 numbers in a row")


def test_a_success_in_between_ends_the_run():
    refusals = Refusals()
    for number in "12":
        refusals.refused(1, Blame.SIM, number, "x")
    refusals.sent(1)
    assert refusals.refused(1, Blame.SIM, "3", "x") is None
    assert refusals.refused(1, Blame.NOBODY, "4", "x") is None


def test_network_trouble_counts_only_while_others_get_through():
    refusals = Refusals()
    assert [refusals.refused(1, Blame.NETWORK, str(number), "x") for number in range(9)] == [None] * 9
    refusals.sent(2)
    assert "while other SIMs sent" in refusals.refused(1, Blame.NETWORK, "9", "x")


async def test_story_11_a_sim_without_credit_is_paused_and_the_others_send(box):
    poor = await box.line(1)
    poor.answer = lambda _: NO_CREDIT
    messages = [await box.accept() for _ in range(2)]
    await box.until(lambda: poor.submits == 2)
    await box.settled()
    assert [await box.state(message) for message in messages] == [MessageState.SENDING] * 2
    rich = await box.line(2)
    messages += [await box.accept() for _ in range(6)]
    await box.until(lambda: box.sims.get(poor.sim_id).paused)
    assert "check its credit" in box.sims.get(poor.sim_id).paused_reason
    await box.until(lambda: len(box.air) == 6)
    await box.turn(10 * 60_000)
    await box.until(lambda: len(box.air) == 8)
    assert {sent.sim_id for sent in box.air} == {rich.sim_id}


async def test_what_one_sim_cannot_send_another_sends_at_once(box):
    poor = await box.line(1)
    poor.answer = lambda _: NO_CREDIT
    await box.line(2)
    messages = [await box.accept() for _ in range(4)]
    await box.until(lambda: len(box.air) == 4)
    assert [await box.state(message) for message in messages] == [MessageState.SENT] * 4


async def test_a_final_refusal_fails_the_message_once_and_for_all(box):
    line = await box.line()
    line.answers = [refused(CauseClass.RECIPIENT)]
    message = await box.accept()
    await box.until(lambda: line.submits == 1)
    await box.settled()
    assert await box.row(message, "state, ready, tries, cause") == (
        MessageState.FAILED,
        None,
        1,
        "cms_1: +CMS ERROR 1: unassigned number",
    )
    await box.check_counts()


async def test_a_refused_command_is_recorded_and_fails_the_message_too(box):
    line = await box.line()
    line.before_gate = True
    line.answers = [refused(CauseClass.RECIPIENT, "cms_304", "+CMS ERROR 304: invalid PDU mode parameter")]
    message = await box.accept()
    await box.until(lambda: line.submits == 1)
    await box.settled()
    assert await box.state(message) is MessageState.FAILED
    assert [attempt.outcome for attempt in await box.attempts(message)] == [AttemptOutcome.REJECTED]


async def test_a_refused_validity_is_left_out_at_once_and_from_then_on(box):
    line = await box.line()
    line.answers = [refused(CauseClass.VALIDITY, "cms_198", "+CMS ERROR 198: TP-VPF not supported")]
    message = await box.accept()
    await box.accept()
    await box.until(lambda: len(box.air) == 2)
    assert [sent.tpdu.validity for sent in box.air] == [None, None]
    assert line.submits == 3
    assert (await box.row(message, "state, tries")) == (MessageState.SENT, 2)


async def test_a_modem_that_fails_before_the_prompt_rests_and_the_message_is_not_to_blame(box):
    line = await box.line(1)
    line.before_gate = True
    line.answers = [not_sent(CauseClass.MODEM, "no_prompt")]
    message = await box.accept()
    await box.until(lambda: line.submits == 1)
    await box.settled()
    assert await box.row(message, "state, ready, tries") == (MessageState.QUEUED, 1, 0)
    await box.line(2)
    await box.until(lambda: len(box.air) == 1)
    await box.accept()
    await box.turn(3_000)
    await box.until(lambda: len(box.air) == 2)


async def test_the_second_network_failure_goes_to_another_sim(box):
    first = await box.line(1)
    first.answer = lambda _: OUT_OF_ORDER
    message = await box.accept()
    await box.until(lambda: first.submits == 1)
    await box.settled()
    await box.line(2, up=False)
    await box.turn(20_000)
    await box.until(lambda: first.submits == 2)
    await box.settled()
    second = await box.line(2)
    await box.turn(2 * 60_000)
    await box.until(lambda: box.air or first.submits == 3)
    await box.until(lambda: box.air)
    assert box.air[0].sim_id == second.sim_id
    assert await box.state(message) is MessageState.SENT


async def test_when_nothing_can_be_written_nothing_is_sent(box):
    from modembank.store import StoreFull

    line = await box.line()
    original, fail = box.outbox.begin, [True]

    async def begin(intent):
        if fail:
            raise StoreFull(free=0, needed=1, path="x", detail="full")
        return await original(intent)

    box.outbox.begin = begin
    await box.accept()
    await box.until(lambda: line.submits == 1)
    await box.settled()
    assert not box.air
    fail.clear()
    await box.turn(HOUR // 60)
    await box.until(lambda: box.air)
