"""One message with its whole history, as of the last commit."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest

from fakes.senders import ADMIN, ANNE, BERT, NUMBER, SIMS, WRITER
from modembank.clock import rfc3339, to_ms
from modembank.errors import Forbidden, NotFound
from modembank.messages import MessageState
from modembank.messages.model import ReportFacts, RetryAt, Settlement
from modembank.messages.showing import MAY_BE_SENT
from modembank.modem.outcome import AttemptOutcome


async def report(post, sim: int, tp_mr: int, status: int = 0, to: str = NUMBER) -> None:
    now = post.box.clock.now_ms
    await post.box.outbox.report(sim, ReportFacts(tp_mr, to, status, now, now, now, "00"), 1)
    await post.box.outbox.flush()


async def test_a_fresh_message(post):
    public = await post.one(to=NUMBER, text="hi", reference="r", priority=2, flash=True)
    view = await post.messages.get(ANNE, public)
    assert msgspec.to_builtins(view) == {
        "id": public,
        "direction": "outbound",
        "to": NUMBER,
        "from": None,
        "text": "hi",
        "status": "queued",
        "reference": "r",
        "batch": None,
        "segments": 1,
        "encoding": "gsm7",
        "sim": None,
        "provider": None,
        "channel": "sms",
        "subject": None,
        "priority": 2,
        "on_unknown": "hold",
        "delivery_report": True,
        "flash": True,
        "created_at": "2027-01-15T08:00:00.000Z",
        "send_at": None,
        "next_try_at": None,
        "expires_at": "2027-01-17T08:00:00.000Z",
        "window": None,
        "sent_at": None,
        "settled_at": None,
        "cause": None,
        "attempts": (),
        "report": {"status": "pending", "reported": 0, "segments": 1, "at": None},
        "waiting_for": "no modem is registered",
        "redacted": False,
    }
    [asked] = post.waiting.asked
    assert (asked.id, asked.rank, asked.state, asked.ready) == (post.row_id(public), 7, MessageState.QUEUED, True)


async def test_who_sees_it(post):
    public = await post.one(ANNE)
    assert (await post.messages.get(ADMIN, public)).id == public
    with pytest.raises(NotFound):
        await post.messages.get(BERT, public)
    with pytest.raises(Forbidden):
        await post.messages.get(WRITER, public)


@pytest.mark.parametrize(
    "public", ["msg_00000000000zz", "msg_1", "inb_0000000000001", "", "x" * 500, "msg_000000000000I"]
)
async def test_no_such_message(post, public):
    with pytest.raises(NotFound) as refused:
        await post.messages.get(ADMIN, public)
    assert len(str(refused.value)) < 200


async def test_its_batch_is_named(post):
    receipt = await post.submit(to=[NUMBER, "12345"])
    assert (await post.messages.get(ANNE, receipt.messages[1].id)).batch == receipt.batch


async def test_an_attempt_with_its_evidence(post):
    public = await post.one(to=NUMBER)
    intent = post.box.intent(post.row_id(public), sim=2)
    await post.box.outbox.begin(intent)
    post.box.clock.turn(1500)
    evidence = '{"prompt_s":0.1,"ctrl_z_s":0.2,"octets_written":42,"final":"+CMGS: 7"}'
    await post.box.outbox.settle(Settlement(intent, AttemptOutcome.ACCEPTED, post.box.clock.now_ms, 7, None, evidence))
    await post.box.outbox.flush()
    view = await post.messages.get(ANNE, public)
    assert (view.status, view.sim, view.from_) == ("sent", SIMS[1].iccid, "+447900900002")
    assert view.sent_at == "2027-01-15T08:00:01.500Z"
    assert view.waiting_for is None
    [attempt] = view.attempts
    assert msgspec.to_builtins(attempt) == {
        "segment": 1,
        "n": 1,
        "sim": SIMS[1].iccid,
        "slot": "slot-2",
        "started_at": "2027-01-15T08:00:00.000Z",
        "finished_at": "2027-01-15T08:00:01.500Z",
        "outcome": "accepted",
        "tp_mr": 7,
        "cause": None,
        "report_status": None,
        "report_at": None,
        "verdict": "it was sent: the network took it",
        "evidence": {
            "intent_durable": True,
            "prompt_seen": True,
            "octets_written": 42,
            "ctrl_z_written": True,
            "final_seen": True,
            "final": "+CMGS: 7",
            "report_seen": False,
            "prompt_s": 0.1,
            "ctrl_z_s": 0.2,
            "final_s": None,
            "concat": None,
            "provider": None,
        },
    }


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (None, "sending"),
        (AttemptOutcome.ACCEPTED, "sent"),
        (AttemptOutcome.UNKNOWN, "unknown"),
        (AttemptOutcome.REJECTED, "sending"),
    ],
)
async def test_what_is_only_in_the_journal_is_shown_and_the_fold_agrees(post, outcome, status):
    public = await post.one(to=NUMBER)
    await post.attempt(public, outcome, sim=3, cause="cms_1: no" if outcome else None, fold=False)
    early = await post.messages.get(ANNE, public)
    assert early.status == status
    assert early.attempts[0].outcome == ("in_flight" if outcome is None else outcome.name.lower())
    assert (early.sim, early.attempts[0].slot) == (SIMS[2].iccid, "slot-3")
    await post.box.outbox.flush()
    late = await post.messages.get(ANNE, public)
    assert late == early
    assert late.status == status


async def test_unknown_says_that_it_is_held_and_what_can_be_done(post):
    public = await post.one()
    await post.attempt(public, AttemptOutcome.UNKNOWN, cause="no_final: silence after Ctrl-Z")
    post.waiting.sentence = None
    view = await post.messages.get(ANNE, public)
    assert (view.status, view.waiting_for) == ("unknown", MAY_BE_SENT)
    assert view.cause == "no_final: silence after Ctrl-Z"
    post.waiting.sentence = "held by the dispatcher"
    assert (await post.messages.get(ANNE, public)).waiting_for == "held by the dispatcher"
    assert post.waiting.asked[-1].state is MessageState.UNKNOWN


async def test_reports_of_a_long_message(post):
    public = await post.one(to=NUMBER, text="a" * 161)
    for segment in (1, 2):
        await post.attempt(public, segment=segment, tp_mr=10 + segment)
    assert (await post.messages.get(ANNE, public)).report.status == "pending"
    post.box.clock.turn(1000)
    await report(post, 1, 11)
    half = await post.messages.get(ANNE, public)
    assert msgspec.to_builtins(half.report) == {
        "status": "partial",
        "reported": 1,
        "segments": 2,
        "at": "2027-01-15T08:00:01.000Z",
    }
    assert half.status == "sent"
    await report(post, 1, 12, 0x30)
    assert (await post.messages.get(ANNE, public)).report.status == "partial", "still trying is no final report"
    post.box.clock.turn(1000)
    await report(post, 1, 12)
    whole = await post.messages.get(ANNE, public)
    assert (whole.report.status, whole.report.reported, whole.report.at) == ("delivered", 2, "2027-01-15T08:00:02.000Z")
    assert whole.status == "delivered"
    assert [attempt.report_status for attempt in whole.attempts] == [0, 0]


async def test_a_failed_report(post):
    public = await post.one(to=NUMBER)
    await post.attempt(public, tp_mr=1)
    await report(post, 1, 1, 0x41)
    view = await post.messages.get(ANNE, public)
    assert (view.status, view.report.status, view.report.reported) == ("undelivered", "undelivered", 1)
    assert view.attempts[0].report_status == 0x41


async def test_no_report_where_none_was_asked_for(post):
    public = await post.one(delivery_report=False)
    await post.attempt(public)
    assert (await post.messages.get(ANNE, public)).report is None


async def test_no_report_can_come_of_what_was_never_sent(post):
    public = await post.one()
    await post.set_state(public, MessageState.EXPIRED)
    assert (await post.messages.get(ANNE, public)).report is None


async def test_story_08_accepted_is_terminal_plus_open_through_a_whole_life(post):
    ids = [await post.one(to=NUMBER if n == 0 else f"+4479{n:08d}") for n in range(9)]
    outcomes = [AttemptOutcome.ACCEPTED, AttemptOutcome.UNKNOWN, AttemptOutcome.REJECTED, AttemptOutcome.NOT_SENT]
    for public, outcome in zip(ids, outcomes, strict=False):
        await post.attempt(public, outcome, tp_mr=5)
        assert sum((await post.states()).values()) == 9
    await report(post, 1, 5)
    await post.messages.cancel(ANNE, ids[8])
    counts = await post.states()
    assert counts == {"queued": 4, "sending": 2, "unknown": 1, "cancelled": 1, "delivered": 1}
    seen = Counter([(await post.messages.get(ANNE, public)).status for public in ids])
    assert seen == counts, "every accepted message is shown in one of the counted states"


async def test_story_09_usage_is_counted_in_segments(post):
    public = await post.one(text="a" * 161)
    for segment in (1, 2):
        await post.attempt(public, segment=segment)
    assert await post.box.store.fetch_one("SELECT sum(segments) FROM sim_usage WHERE sim_id = 1") == (2,)
    assert (await post.messages.get(ANNE, public)).segments == 2


async def test_a_broken_count_is_found(post):
    await post.one()
    await post.box.store.write(lambda conn: conn.execute("UPDATE state_counts SET n = n + 1"))
    found = await post.messages.recount()
    assert not found.holds
    assert (found.recorded["queued"], found.counted["queued"]) == (2, 1)


async def test_counts_have_every_word(post):
    counts = await post.messages.counts()
    assert list(counts) == [state.word for state in MessageState]
    assert set(counts.values()) == {0}


async def test_readers_are_not_held_up_by_accepting(post):
    public = await post.one()
    results = await asyncio.gather(*(post.messages.get(ANNE, public) for _ in range(20)), post.submit(to=NUMBER))
    assert {view.id for view in results[:-1]} == {public}


async def test_the_time_asked_for_and_the_time_of_the_next_try_are_two_things(post):
    due = datetime.fromtimestamp(post.box.clock.now() + 3600, UTC)
    public = await post.one(send_at=due)
    view = await post.messages.get(ADMIN, public)
    assert (view.status, view.send_at, view.next_try_at) == ("scheduled", rfc3339(to_ms(due.timestamp())), None)
    post.box.clock.turn(3_600_000)
    await post.box.outbox.wake_timed(post.box.clock.now_ms)
    view = await post.messages.get(ADMIN, public)
    assert (view.status, view.send_at, view.next_try_at) == ("queued", None, None)
    await post.attempt(public, AttemptOutcome.REJECTED, cause="cms_42: congestion")
    again = post.box.clock.now_ms + 60_000
    await post.box.outbox.decide(post.row_id(public), RetryAt(again, "cms_42: congestion"))
    await post.box.store.flush()
    view = await post.messages.get(ADMIN, public)
    assert (view.status, view.send_at, view.next_try_at) == ("sending", None, rfc3339(again))
    post.box.clock.turn(60_000)
    await post.box.outbox.wake_timed(post.box.clock.now_ms)
    view = await post.messages.get(ADMIN, public)
    assert (view.status, view.send_at, view.next_try_at) == ("sending", None, None)
