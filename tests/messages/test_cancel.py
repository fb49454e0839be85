"""Cancelling: only before any attempt, whoever is faster."""

import asyncio

import pytest

from fakes.senders import ADMIN, ANNE, BERT, READER
from modembank.errors import Conflict, Forbidden, NotFound
from modembank.events import MessageStateChanged
from modembank.messages import MessageState
from modembank.messages.model import BeginVerdict
from modembank.modem.outcome import AttemptOutcome


async def test_a_waiting_message_is_cancelled(post):
    public = await post.one()
    post.box.events.clear()
    view = await post.messages.cancel(ANNE, public)
    assert (view.status, view.cause) == ("cancelled", "cancelled: by anne")
    assert view.settled_at is not None
    assert view.waiting_for is None
    assert view.report is None, "nothing was sent, so no report can come"
    [event] = post.told(MessageStateChanged)
    assert (event.message, event.user, event.state) == (post.row_id(public), 1, MessageState.CANCELLED)
    assert await post.states() == {"cancelled": 1}
    assert await post.box.outbox.routes() == []
    intent = post.box.intent(post.row_id(public))
    assert await post.box.outbox.begin(intent) is BeginVerdict.CANCELLED


async def test_a_scheduled_one_too(post):
    from datetime import UTC, datetime

    public = await post.one(send_at=datetime.fromtimestamp(post.box.clock.now() + 60, UTC))
    assert (await post.messages.cancel(ADMIN, public)).cause == "cancelled: by ada"
    assert await post.box.outbox.next_timed() is None
    post.box.clock.turn(120_000)
    await post.box.outbox.wake_timed(post.box.clock.now_ms)
    assert await post.states() == {"cancelled": 1}


async def test_cancelling_again_changes_nothing(post):
    public = await post.one()
    first = await post.messages.cancel(ANNE, public)
    post.box.events.clear()
    post.box.clock.turn(5000)
    assert await post.messages.cancel(ADMIN, public) == first
    assert post.box.events == []
    assert await post.states() == {"cancelled": 1}


async def test_only_ones_own(post):
    public = await post.one(ANNE)
    with pytest.raises(NotFound):
        await post.messages.cancel(BERT, public)
    for unknown in ("msg_0000000000zzz", "bat_0000000000001", "nonsense", ""):
        with pytest.raises(NotFound):
            await post.messages.cancel(ANNE, unknown)
    with pytest.raises(Forbidden):
        await post.messages.cancel(READER, public)
    assert await post.states() == {"queued": 1}


async def test_not_while_an_attempt_is_only_in_the_journal(post):
    public = await post.one()
    await post.attempt(public, None, fold=False)
    row = await post.box.store.fetch_one("SELECT state FROM messages")
    assert row == (MessageState.QUEUED,), "the row does not know yet"
    with pytest.raises(Conflict, match="being sent now"):
        await post.messages.cancel(ANNE, public)


@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (AttemptOutcome.ACCEPTED, "sent already|made already"),
        (AttemptOutcome.UNKNOWN, "may have been sent|made already"),
        (AttemptOutcome.REJECTED, "made already to send it .through slot-1"),
        (AttemptOutcome.NOT_SENT, "made already"),
    ],
)
async def test_not_after_any_attempt(post, outcome, reason, fold):
    public = await post.one()
    await post.attempt(public, outcome, fold=fold)
    with pytest.raises(Conflict, match=reason):
        await post.messages.cancel(ANNE, public)
    await post.box.outbox.flush()
    assert "cancelled" not in await post.states()


@pytest.mark.parametrize("state", [MessageState.DELIVERED, MessageState.FAILED, MessageState.EXPIRED])
async def test_not_after_its_end(post, state):
    public = await post.one()
    await post.set_state(public, state)
    with pytest.raises(Conflict, match=f"is {state.word} already"):
        await post.messages.cancel(ANNE, public)


async def test_the_gate_and_the_cancel_never_both_win(post):
    """Whichever is committed first decides; there is no order in which both say yes."""
    ids = [await post.one() for _ in range(40)]
    rows = [post.row_id(public) for public in ids]

    async def cancel(public: str) -> bool:
        try:
            await post.messages.cancel(ANNE, public)
        except Conflict:
            return False
        return True

    async def begin(row: int, late: int) -> bool:
        for _ in range(late):
            await asyncio.sleep(0)
        return await post.box.outbox.begin(post.box.intent(row, sim=row)) is BeginVerdict.GO

    tasks = []
    for at, (public, row) in enumerate(zip(ids, rows, strict=True)):
        both = [cancel(public), begin(row, at % 4)]
        tasks.append(asyncio.gather(*(both if at % 2 else both[::-1])))
    for one, other in await asyncio.gather(*tasks):
        assert one is not other


async def test_a_caller_who_goes_away_still_has_it_cancelled_and_told(post):
    public = await post.one()
    post.box.events.clear()
    task = asyncio.create_task(post.messages.cancel(ANNE, public))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await post.box.store.flush()
    await asyncio.sleep(0)
    assert await post.states() == {"cancelled": 1}
    assert len(post.told(MessageStateChanged)) == 1
