"""Settling by a person: only what is unknown, by its owner or an admin, and never backwards."""

import asyncio

import pytest
import structlog

from fakes.outboxes import HOUR
from fakes.senders import ADMIN, ANNE, BERT, NUMBER, READER
from modembank.errors import Conflict, Forbidden, InvalidRequest, NotFound
from modembank.events import MessageStateChanged
from modembank.messages import service
from modembank.messages.model import MessageState
from modembank.messages.settling import STEP
from modembank.modem.outcome import AttemptOutcome


async def unknown(post, actor=ANNE, **fields):
    public = await post.one(actor, to=NUMBER, **fields)
    await post.attempt(public, AttemptOutcome.UNKNOWN, cause="no_final: silence")
    return public


async def report(post, status, tp_mr=7):
    await post.box.outbox.report(1, post.box.facts(NUMBER, tp_mr, status), 1)
    await post.box.outbox.flush()


def listening(logs):
    """A logger that keeps what it is told, however logging is configured here."""

    def keep(_, level, event):
        logs.append((level, event))
        raise structlog.DropEvent

    return structlog.wrap_logger(None, [keep], structlog.make_filtering_bound_logger(0))


@pytest.mark.parametrize("word", ["delivered", "failed"])
async def test_settled_for_good(post, word, monkeypatch):
    public = await unknown(post)
    logs = []
    monkeypatch.setattr(service, "_log", listening(logs))
    view = await post.messages.settle(ANNE, public, word, "  she called back ")
    assert logs == [("info", {"event": "message_settled", "message": public, "as_": word, "by": "anne"})]
    assert "called" not in str(logs)  # a note may say anything of anybody
    assert (view.status, view.cause) == (word, "settled: by anne: she called back")
    assert view.settled_at == "2027-01-15T08:00:00.000Z"
    assert view.waiting_for is None
    assert await post.states() == {word: 1}
    [told] = [event for event in post.told(MessageStateChanged) if event.state >= 70]
    assert (told.state, told.cause) == (MessageState[word.upper()], "settled: by anne: she called back")
    with pytest.raises(Conflict, match=f"it is {word}: only a message that is unknown can be settled"):
        await post.messages.settle(ANNE, public, "delivered")
    assert await post.states() == {word: 1}


async def test_who_may(post):
    public = await unknown(post)
    with pytest.raises(NotFound):
        await post.messages.settle(BERT, public, "failed")
    with pytest.raises(Forbidden):
        await post.messages.settle(READER, public, "failed")
    assert (await post.messages.settle(ADMIN, public, "failed")).cause == "settled: by ada"


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(None, "sending"), (AttemptOutcome.ACCEPTED, "sent"), (AttemptOutcome.NOT_SENT, "sending"), ("none", "queued")],
)
async def test_nothing_else_can_be_settled(post, outcome, state):
    public = await post.one(to=NUMBER)
    if outcome != "none":
        await post.attempt(public, outcome, fold=False)
    with pytest.raises(Conflict, match=f"it is {state}: "):
        await post.messages.settle(ANNE, public, "delivered")


async def test_what_is_shown_as_unknown_can_be_settled_before_the_fold(post):
    public = await post.one(to=NUMBER)
    await post.attempt(public, AttemptOutcome.UNKNOWN, fold=False)
    assert (await post.messages.get(ANNE, public)).status == "unknown"
    await post.messages.settle(ANNE, public, "failed")
    await post.box.outbox.flush()
    view = await post.messages.get(ANNE, public)
    assert (view.status, view.cause, len(view.attempts)) == ("failed", "settled: by anne", 1)
    assert await post.states() == {"failed": 1}


@pytest.mark.parametrize(
    ("word", "status", "after"),
    [
        ("failed", 0, "delivered"),
        ("failed", 0x46, "failed"),
        ("delivered", 0, "delivered"),
        ("delivered", 0x46, "delivered"),
    ],
)
async def test_a_report_that_comes_later_may_only_better_it(post, word, status, after):
    public = await unknown(post)
    await post.messages.settle(ANNE, public, word)
    await report(post, status)
    view = await post.messages.get(ANNE, public)
    assert view.status == after
    assert view.attempts[0].evidence.report_seen
    assert await post.states() == {after: 1}


async def test_the_last_of_settling_and_reporting_at_once_finds_it_settled(post):
    """Whoever comes first: the counters are right, and delivered stays."""
    publics = [await unknown(post) for _ in range(4)]
    settled = [post.messages.settle(ANNE, public, "delivered") for public in publics]
    again = [post.messages.settle(ANNE, public, "failed") for public in publics]
    ended = await asyncio.gather(*settled, *again, return_exceptions=True)
    assert sum(isinstance(one, Conflict) for one in ended) == 4
    assert await post.states() == {"delivered": 4}


@pytest.mark.parametrize(
    ("word", "note", "pointer"),
    [("sent", "", "/as"), ("unknown", "", "/as"), ("failed", "x" * 201, "/note"), ("failed", "a\nb", "/note")],
)
async def test_bad_words_change_nothing(post, word, note, pointer):
    public = await unknown(post)
    with pytest.raises(InvalidRequest) as refused:
        await post.messages.settle(ANNE, public, word, note)
    assert refused.value.problems[0].pointer == pointer
    assert (await post.messages.get(ANNE, public)).status == "unknown"


async def test_no_such_message(post):
    with pytest.raises(NotFound):
        await post.messages.settle(ADMIN, "msg_0000000000zzz", "failed")


async def test_all_old_ones_at_once(post, monkeypatch):
    monkeypatch.setattr("modembank.messages.settling.STEP", 2)
    old = [await unknown(post, actor) for actor in (ANNE, BERT, ANNE)]
    sent = await post.one(to=NUMBER)
    await post.attempt(sent)
    post.box.clock.turn(25 * HOUR)
    young = await unknown(post)
    with pytest.raises(Forbidden):
        await post.messages.settle_all(ANNE, "failed", 86_400)
    with pytest.raises(InvalidRequest):
        await post.messages.settle_all(ADMIN, "lost", 86_400)
    assert await post.messages.settle_all(ADMIN, "failed", 86_400, "overdue") == 3
    assert {(await post.messages.get(ADMIN, public)).cause for public in old} == {"settled: by ada: overdue"}
    assert (await post.messages.get(ADMIN, young)).status == "unknown"
    assert await post.messages.settle_all(ADMIN, "failed", 86_400) == 0
    assert await post.states() == {"failed": 3, "sent": 1, "unknown": 1}
    assert STEP == 500
