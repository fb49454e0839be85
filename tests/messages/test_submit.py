"""Accepting: durable, complete or not at all, announced once and with its content."""

import asyncio
from datetime import UTC, datetime

import pytest

from fakes.senders import ADMIN, ANNE, NUMBER, READER, Post
from modembank.errors import Forbidden, InvalidRequest
from modembank.events import MessagesReady, MessageStateChanged
from modembank.ids import row_id
from modembank.messages import MessageState, SubmitRequest
from modembank.messages.model import MessageFlags, OnUnknown
from modembank.store import StoreError, StoreFull


async def test_one_message_is_queued_with_all_that_was_asked(post):
    receipt = await post.submit(
        to="07911 123456",
        text="Grüße",
        reference="order-1",
        priority=9,
        valid_for_s=60,
        window="08:00-20:00",
        delivery_report=False,
        flash=True,
        encoding="gsm7",
        on_unknown="resend",
        sim="slot-3",
    )
    assert receipt.batch is None
    assert not receipt.replayed
    [accepted] = receipt.messages
    assert (accepted.to, accepted.status, accepted.segments, accepted.encoding) == (NUMBER, "queued", 1, "gsm7")
    columns = (
        "user_id, recipient, text, segments, flags, rank, state, ready, not_before, expires_at, window, on_unknown,"
        " reference, created_at, batch_id, tries"
    )
    now = post.box.clock.now_ms
    assert await post.box.row(post.row_id(accepted.id), columns) == (
        ANNE.user_id,
        NUMBER,
        "Grüße",
        1,
        MessageFlags.FLASH | MessageFlags.FORCE_GSM7,
        0,
        MessageState.QUEUED,
        1,
        None,
        now + 60_000,
        "08:00-20:00",
        OnUnknown.RESEND,
        "order-1",
        now,
        None,
        0,
    )
    assert [route.sims for route in await post.box.outbox.routes()] == [(3,)]


async def test_it_is_announced_with_its_content_after_the_commit(post):
    post.box.events.clear()
    message = post.row_id(await post.one(to=NUMBER, text="hi", priority=7))
    [ready] = post.told(MessagesReady)
    [(route, rank, announced)] = ready.entries
    assert (rank, announced) == (2, message)
    lent = post.box.outbox.take_offer(message)
    assert lent is not None
    assert lent == await post.box.outbox.load_one(message)
    assert lent.route_id == route
    [changed] = post.told(MessageStateChanged)
    assert (changed.message, changed.user, changed.state) == (message, ANNE.user_id, MessageState.QUEUED)


async def test_a_scheduled_one_waits_for_its_time(post):
    later = datetime.fromtimestamp(post.box.clock.now() + 3600, UTC)
    receipt = await post.submit(send_at=later, to=[NUMBER, "+447911123457"])
    assert {each.status for each in receipt.messages} == {"scheduled"}
    assert post.told(MessagesReady) == []
    assert {event.state for event in post.told(MessageStateChanged)} == {MessageState.SCHEDULED}
    assert await post.box.outbox.next_timed() == post.box.clock.now_ms + 3_600_000
    assert await post.box.outbox.routes() == []
    assert await post.states() == {"scheduled": 2}
    post.box.clock.turn(3_600_000)
    await post.box.outbox.wake_timed(post.box.clock.now_ms)
    assert await post.states() == {"queued": 2}


async def test_many_recipients_are_one_batch_in_their_order(post):
    numbers = [f"+4479{n:08d}" for n in range(700)]
    receipt = await post.submit(to=numbers)
    assert [each.to for each in receipt.messages] == numbers
    ids = [post.row_id(each.id) for each in receipt.messages]
    assert ids == list(range(ids[0], ids[0] + 700))
    batch = row_id("bat", receipt.batch)
    rows = await post.box.store.fetch_all("SELECT id, recipient FROM messages WHERE batch_id = ? ORDER BY id", (batch,))
    assert rows == list(zip(ids, numbers, strict=True))
    [ready] = post.told(MessagesReady)
    assert [entry[2] for entry in ready.entries] == ids
    assert await post.states() == {"queued": 700}
    assert post.box.metrics.registry.get_sample_value("modembank_messages_accepted_total") == 700


async def test_a_number_given_twice_gets_one_message_and_a_note(post):
    receipt = await post.submit(to=[NUMBER, "07911 123 456", "12345"])
    assert [each.to for each in receipt.messages] == [NUMBER, "12345"]
    assert receipt.batch is not None
    assert [note.pointer for note in receipt.notes] == ["/to/1"]


async def test_a_dry_run_stores_nothing(post):
    receipt = await post.submit(to=[NUMBER, NUMBER], dry_run=True)
    assert receipt.dry_run
    assert [(each.id, each.to, each.status) for each in receipt.messages] == [("", NUMBER, "queued")]
    assert receipt.batch is None
    assert [note.pointer for note in receipt.notes] == ["/to/1"]
    assert await post.rows() == 0
    assert post.box.events == []
    with pytest.raises(InvalidRequest):
        await post.submit(text="", dry_run=True)


async def test_all_or_nothing(post):
    with pytest.raises(InvalidRequest) as refused:
        await post.submit(to=[NUMBER, "not a number", "+447911123457"])
    assert [problem.pointer for problem in refused.value.problems] == ["/to/1"]
    assert await post.rows() == 0
    assert await post.states() == {}
    assert post.box.events == []


async def test_whoever_may_only_read_cannot_send(post):
    with pytest.raises(Forbidden):
        await post.messages.submit(READER, SubmitRequest(to=NUMBER, text="hi"))
    assert (await post.submit(ADMIN)).messages


async def test_routes_are_written_once(post):
    for _ in range(3):
        await post.submit(pool="sales")
        await post.submit(providers=["slot-1", "slot-2"])
        await post.submit(providers=["slot-2", "slot-1", "sales"])
        await post.submit()
    specs = await post.box.store.fetch_all("SELECT spec FROM routes ORDER BY spec")
    assert specs == [('{"pool":"sales"}',), ('{"sims":[1,2]}',), ("{}",)]


async def test_a_caller_who_goes_away_does_not_undo_it_nor_its_announcement(post):
    task = asyncio.create_task(post.submit())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await post.box.store.flush()
    await asyncio.sleep(0)
    assert await post.states() == {"queued": 1}
    assert len(post.told(MessagesReady)) == 1


async def test_a_full_store_refuses_new_work_and_says_so(post, monkeypatch):
    await post.submit()
    post.box.events.clear()
    monkeypatch.setattr(post.box.store._room, "free_octets", lambda: 0)
    with pytest.raises(StoreFull):
        await post.submit()
    assert post.box.events == []
    monkeypatch.undo()


async def test_nothing_is_announced_when_the_commit_fails(post):
    def broken(conn, submission):
        raise StoreError(detail="no")

    post.messages._accepting._gathering._write = broken
    with pytest.raises(StoreError):
        await post.submit()
    assert post.box.events == []
    assert post.messages._accepting._routes == {}


async def test_a_thousand_callers_at_once(post):
    receipts = await asyncio.gather(*(post.submit() for _ in range(1000)))
    ids = [receipt.messages[0].id for receipt in receipts]
    assert len(set(ids)) == 1000
    assert ids == sorted(ids), "ids follow the order of submission"
    assert await post.states() == {"queued": 1000}


async def test_what_comes_together_is_announced_together_and_counted_once_each(post):
    later = datetime.fromtimestamp(post.box.clock.now() + 3600, UTC)
    asked = [{}, {"to": [NUMBER, "+447911123457"]}, {"priority": 9}, {"pool": "sales"}, {"send_at": later}]
    receipts = await asyncio.gather(*(post.submit(**fields) for fields in asked))
    ids = [post.row_id(each.id) for receipt in receipts for each in receipt.messages]
    assert ids == sorted(ids)
    assert await post.states() == {"queued": 5, "scheduled": 1}
    (ready,) = post.told(MessagesReady)
    assert [entry[2] for entry in ready.entries] == ids[:5]
    assert [entry[1] for entry in ready.entries] == [4, 4, 4, 0, 4]
    assert [event.message for event in post.told(MessageStateChanged)] == ids
    assert post.box.metrics.registry.get_sample_value("modembank_messages_accepted_total") == 6
    assert (await post.messages.recount()).holds


async def test_more_than_fits_in_memory_is_announced_but_only_some_lent(post):
    receipt = await post.submit(to=[f"+4479{n:08d}" for n in range(2000)])
    ids = [post.row_id(each.id) for each in receipt.messages]
    assert post.box.outbox.take_offer(ids[0]) is not None
    assert post.box.outbox.take_offer(ids[-1]) is None
    assert len(post.told(MessagesReady)[0].entries) == 2000


async def test_nobody_needs_to_borrow(tmp_path):
    post = await Post(tmp_path / "other.db").open()
    post.messages._accepting.lend = None
    message = post.row_id(await post.one())
    assert post.box.outbox.take_offer(message) is None
    assert await post.box.outbox.load_one(message) is not None
    await post.close()


async def test_story_08_what_was_accepted_is_there_after_a_restart(post):
    receipt = await post.submit(to=[f"+4479{n:08d}" for n in range(50)])
    single = await post.one()
    await post.close()
    await post.open()
    assert await post.states() == {"queued": 51}
    for public in [*(each.id for each in receipt.messages), single]:
        assert (await post.messages.get(ANNE, public)).status == "queued"


async def test_story_09_the_receipt_counts_segments_as_the_operator_does(post):
    receipt = await post.submit(text="ä" * 160)
    assert (receipt.messages[0].encoding, receipt.messages[0].segments) == ("gsm7", 1)
    receipt = await post.submit(text="a" * 161)
    assert receipt.messages[0].segments == 2
    receipt = await post.submit(text="€" * 81)  # two septets each
    assert receipt.messages[0].segments == 2
    receipt = await post.submit(text="a" * 70 + "…")
    assert (receipt.messages[0].encoding, receipt.messages[0].segments) == ("ucs2", 2)
    view = await post.messages.get(ANNE, receipt.messages[0].id)
    assert (view.segments, view.encoding) == (2, "ucs2")
