"""What another system hands in becomes an inbound message, once."""

import pytest

from fakes.senders import ADMIN, ANNE, BERT, NUMBER, READER
from modembank.clock import rfc3339
from modembank.errors import Forbidden, InvalidRequest
from modembank.events import MessageReceived
from modembank.messages import IdempotencyMismatch, MessageFlags
from modembank.messages.taking import MAX_TEXT

OTHER = "+447911123999"


async def test_it_is_an_inbound_message_like_any_other(box):
    taken = await box.hand_in(ANNE, sent_at=1_700_000_000_000)
    view = await box.inbox.get(ANNE, taken.id)
    assert (view.from_, view.text, view.kind, view.parts, view.missing) == (NUMBER, "handed in", "text", 1, ())
    assert (view.to, view.sim) == ("+447900900002", "8944110000000000002")
    assert view.sent_at == rfc3339(1_700_000_000_000)
    assert await box.listed(ANNE) == [(NUMBER, "anne", "handed in", 1)]
    (event,) = [event for event in box.box.events if isinstance(event, MessageReceived)]
    assert event.sender == NUMBER
    rows = await box.box.store.fetch_all("SELECT kind, user_id FROM event_log")
    assert rows == [("message.received", ANNE.user_id)]
    counted = box.box.metrics.registry.get_sample_value("modembank_messages_received_total", {"kind": "text"})
    assert counted == 1


async def test_the_same_again_is_one_message(box):
    first = await box.hand_in(ANNE)
    again = await box.hand_in(ANNE)
    assert (again.id, again.replayed, first.replayed) == (first.id, True, False)
    assert len((await box.inbox.list(ANNE)).items) == 1
    assert len([event for event in box.box.events if isinstance(event, MessageReceived)]) == 1


async def test_another_body_with_the_same_key_is_refused(box):
    await box.hand_in(ANNE)
    with pytest.raises(IdempotencyMismatch):
        await box.hand_in(ANNE, text="something else")
    assert len((await box.inbox.list(ANNE)).items) == 1


async def test_keys_are_each_users_own(box):
    first = await box.hand_in(ANNE)
    other = await box.hand_in(BERT)
    assert first.id != other.id


async def test_s32_nobody_writes_into_the_inbox_of_others(box):
    await box.say(BERT)
    await box.hand_in(ANNE, text="a trick")
    assert [view.text for view in (await box.inbox.list(BERT)).items] == []
    assert [view.text for view in (await box.inbox.list(ANNE)).items] == ["a trick"]


async def test_what_an_admin_hands_in_is_whose_it_would_be_from_the_air(box):
    await box.say(BERT)
    await box.hand_in(ADMIN, "1", sender="07911 123456")
    await box.hand_in(ADMIN, "2", sender=OTHER)
    assert [view.from_ for view in (await box.inbox.list(BERT)).items] == [NUMBER]
    assert [view.from_ for view in (await box.inbox.list(ADMIN)).items] == [OTHER, NUMBER]


async def test_without_a_sim_of_that_number_there_is_none(box):
    taken = await box.hand_in(ANNE, receiver="+447900900099")
    view = await box.inbox.get(ANNE, taken.id)
    assert (view.to, view.sim) == (None, None)


async def test_an_answer_to_it_goes_through_that_sim_or_any(box):
    await box.hand_in(ANNE, "1")
    (through,) = (await box.conversations.reply(ANNE, NUMBER, "hi")).messages
    await box.hand_in(ANNE, "2", receiver="elsewhere")
    (anyhow,) = (await box.conversations.reply(ANNE, NUMBER, "hi")).messages
    sql = "SELECT spec FROM routes r JOIN messages m ON m.route_id = r.id WHERE m.id = ?"
    specs = [(await box.box.store.fetch_one(sql, (box.row_id(each.id),)))[0] for each in (through, anyhow)]
    assert specs == ['{"sims":[2]}', "{}"]


async def test_control_characters_stay_outside(box):
    taken = await box.hand_in(ANNE, text="a\x00b\x1b\nc")
    assert (await box.inbox.get(ANNE, taken.id)).text == "ab\nc"


@pytest.mark.parametrize(
    ("pointer", "fields"),
    [
        ("/sender", {"sender": " "}),
        ("/sender", {"sender": "x" * 65}),
        ("/sender", {"sender": "a\nb"}),
        ("/receiver", {"receiver": "1" * 65}),
        ("/text", {"text": "x" * (MAX_TEXT + 1)}),
    ],
)
async def test_what_cannot_be_taken_is_named(box, pointer, fields):
    with pytest.raises(InvalidRequest) as refused:
        await box.hand_in(ANNE, **fields)
    assert [problem.pointer for problem in refused.value.problems] == [pointer]
    assert (await box.box.store.fetch_one("SELECT count(*) FROM inbox"))[0] == 0


async def test_reading_keys_hand_nothing_in(box):
    with pytest.raises(Forbidden):
        await box.hand_in(READER)


async def test_it_survives_a_restart_with_its_key(box, tmp_path):
    first = await box.hand_in(ANNE)
    await box.close()
    await box.open()
    assert (await box.hand_in(ANNE)).id == first.id


# -- opt-outs


async def is_out(box):
    return await box.box.store.fetch_one("SELECT state FROM opt_outs WHERE number = ?", (NUMBER,)) == (1,)


async def confirmations(box):
    sql = "SELECT r.spec FROM messages m JOIN routes r ON r.id = m.route_id WHERE m.recipient = ? ORDER BY m.id"
    return [row[0] for row in await box.box.store.fetch_all(sql, (NUMBER,))]


async def test_a_stop_is_obeyed_and_confirmed_through_the_sim_that_was_meant(box):
    await box.hand_in(ANNE, text="STOP")
    assert await is_out(box)
    assert await confirmations(box) == ['{"sims":[2]}']


async def test_a_stop_to_no_sim_of_this_box_is_confirmed_through_any(box):
    await box.hand_in(ADMIN, text="STOP", receiver="+447900900099")
    assert await is_out(box)
    assert await confirmations(box) == ["{}"]


async def used(box, user=ANNE):
    (row,) = await box.box.store.fetch_all(
        "SELECT coalesce(sum(segments), 0) FROM user_usage WHERE user_id = ?", (user.user_id,)
    )
    return row[0]


async def confirmed(box):
    return len(await box.box.store.fetch_all("SELECT id FROM messages WHERE flags & ?", (MessageFlags.CONSENT,)))


async def test_s27_what_a_sender_hands_in_sends_no_answers_beyond_its_quota(box):
    """Else it could have the box write to as many numbers as it likes."""
    await box.box.store.write(lambda conn: conn.execute("UPDATE users SET quota_per_day = 2 WHERE id = 1"))
    for at in range(4):
        await box.hand_in(ANNE, key=str(at), sender=f"+44791112340{at}", text="STOP")
    assert (await confirmed(box), await used(box)) == (2, 2)
    (out,) = await box.box.store.fetch_all("SELECT count(*) FROM opt_outs WHERE state = 1")
    assert out == (4,), "who is out is out, answered or not"


async def test_answers_to_what_came_by_a_modem_or_from_an_admin_take_nothing_of_a_quota(box):
    await box.box.store.write(lambda conn: conn.execute("UPDATE users SET quota_per_day = 1"))
    await box.say(ANNE)
    await box.hear("STOP")
    await box.hand_in(ADMIN, sender=OTHER, text="STOP")
    assert (await confirmed(box), await used(box)) == (2, 1)


async def test_s32_a_sender_does_not_undo_an_opt_out_by_a_start_that_it_hands_in(box):
    await box.hear("STOP")
    await box.hand_in(ANNE, "1", text="START")
    assert await is_out(box)
    assert len(await confirmations(box)) == 1
    await box.hand_in(ADMIN, "2", text="START")
    assert not await is_out(box)
