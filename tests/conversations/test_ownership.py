"""Whose an inbound message is: the user's who last wrote to its sender; nobody else sees it but admins."""

import pytest

from fakes.inbounds import deliver, long_message
from fakes.senders import ADMIN, ANNE, BERT, NUMBER, WRITER
from modembank.errors import Forbidden, NotFound
from modembank.messages.reassembly import SHOW_AFTER_MS

OTHER = "+447911123999"


async def texts(box, actor, **which):
    return [view.text for view in (await box.inbox.list(actor, **which)).items]


async def test_an_answer_is_seen_by_whoever_wrote_and_by_admins(box):
    await box.say(ANNE)
    await box.hear("to anne")
    assert await texts(box, ANNE) == ["to anne"]
    assert await texts(box, BERT) == []
    assert await texts(box, ADMIN) == ["to anne"]


async def test_it_is_the_last_writer_whose_it_is_and_it_stays_so(box):
    await box.say(ANNE)
    await box.hear("to anne")
    await box.say(BERT)
    await box.hear("to bert")
    assert await texts(box, ANNE) == ["to anne"]
    assert await texts(box, BERT) == ["to bert"]
    assert await texts(box, ADMIN) == ["to bert", "to anne"]


async def test_what_nobody_asked_for_is_the_admins(box):
    await box.hear("who is there?")
    await box.say(ANNE)
    assert await texts(box, ANNE) == []
    assert await texts(box, ADMIN) == ["who is there?"]


@pytest.mark.parametrize("sender", ["07911123456", "00447911123456", NUMBER])
async def test_a_sender_is_known_however_the_network_writes_it(box, sender):
    await box.say(ANNE, to=NUMBER)
    await box.hear("answer", sender)
    (view,) = (await box.inbox.list(ANNE)).items
    assert view.from_ == NUMBER


async def test_s32_another_ones_message_is_answered_as_one_that_is_not_there(box):
    await box.say(ANNE)
    await box.hear("secret")
    (view,) = (await box.inbox.list(ANNE)).items
    assert await box.inbox.get(ANNE, view.id) == view
    assert await box.inbox.get(ADMIN, view.id) == view
    with pytest.raises(NotFound) as refused:
        await box.inbox.get(BERT, view.id)
    with pytest.raises(NotFound) as absent:
        await box.inbox.get(BERT, "inb_0000008zzzzzz")
    assert type(refused.value) is type(absent.value)


async def test_a_filter_shows_no_more_than_the_list(box):
    await box.say(ANNE)
    await box.hear("to anne")
    await box.say(BERT)
    await box.hear("to bert")
    assert await texts(box, ANNE, sender="07911 123456") == ["to anne"]
    assert await texts(box, BERT, sender=NUMBER) == ["to bert"]
    assert await texts(box, ADMIN, sender=NUMBER) == ["to bert", "to anne"]


async def test_a_long_message_completed_late_stays_whose_it_was(box):
    first, second = long_message("0123456789abcdefghij")
    await box.say(ANNE)
    await box.hear_pdu(first)
    box.clock.turn(SHOW_AFTER_MS)
    await box.receiving.sweep()
    await box.say(BERT)
    await box.hear_pdu(second)
    assert await texts(box, ANNE) == ["0123456789abcdefghij"]
    assert await texts(box, BERT) == []
    assert await box.listed(ANNE) == [(NUMBER, "anne", "0123456789abcdefghij", 1)]
    assert await box.listed(BERT) == []


async def test_what_a_part_completes_belongs_to_who_wrote_last_when_it_is_complete(box):
    first, second = long_message("0123456789abcdefghij", sender="07911123456")
    await box.say(ANNE)
    await box.hear_pdu(first)
    await box.hear_pdu(second)
    assert await texts(box, ANNE) == ["0123456789abcdefghij"]


async def test_rows_deleted_are_not_shown(box):
    await box.say(ANNE)
    await box.hear("one")
    await box.hear("two")
    (two, _) = (await box.inbox.list(ANNE)).items
    await box.delete_inbound("two")
    assert await texts(box, ANNE) == ["one"]
    assert await texts(box, ADMIN, sender=NUMBER) == ["one"]
    with pytest.raises(NotFound):
        await box.inbox.get(ADMIN, two.id)


async def test_pages_of_one_user_go_on_past_what_belongs_to_others(box):
    await box.say(ANNE)
    for number in range(5):
        await box.hear(f"anne {number}")
        await box.hear(f"nobody {number}", OTHER)
    page = await box.inbox.list(ANNE, limit=2)
    seen = [view.text for view in page.items]
    while page.cursor is not None:
        page = await box.inbox.list(ANNE, limit=2, cursor=page.cursor)
        seen += [view.text for view in page.items]
    assert seen == [f"anne {number}" for number in (4, 3, 2, 1, 0)]


async def test_a_page_looks_at_a_bounded_number_of_rows(box, monkeypatch):
    monkeypatch.setattr("modembank.messages.walks.WALK_LIMIT", 3)
    await box.say(ANNE)
    await box.hear("anne")
    await box.say(BERT)
    for number in range(7):
        await box.hear(f"bert {number}")
    page = await box.inbox.list(ANNE, sender=NUMBER)
    pages, seen = 1, list(page.items)
    while page.cursor is not None:
        page = await box.inbox.list(ANNE, sender=NUMBER, cursor=page.cursor)
        pages, seen = pages + 1, [*seen, *page.items]
    assert [view.text for view in seen] == ["anne"]
    assert pages == 3


async def test_the_event_tells_whose_it_is(box):
    await box.say(ANNE)
    await box.hear("to anne")
    await box.hear("to nobody", OTHER)
    rows = await box.box.store.fetch_all("SELECT user_id FROM event_log WHERE kind = 'message.received' ORDER BY id")
    assert rows == [(ANNE.user_id,), (None,)]


async def test_some_shows_only_what_may_be_seen(box):
    await box.say(ANNE)
    await box.hear_pdu(deliver("x"))
    ids = [row[0] for row in await box.box.store.fetch_all("SELECT id FROM inbox")]
    assert len(await box.inbox.some(ANNE, ids)) == 1
    assert await box.inbox.some(BERT, [*ids, 12345]) == ()
    with pytest.raises(Forbidden):
        await box.inbox.some(WRITER, ids)
