"""The inbox as callers see it."""

import pytest

from fakes.inbounds import SENDER, START, deliver, long_message
from modembank.accounts.model import LOCAL_ADMIN, Actor, Role, Scope
from modembank.clock import rfc3339
from modembank.errors import Forbidden, InvalidRequest, NotFound
from modembank.ids import public_id
from modembank.messages.reassembly import SHOW_AFTER_MS

READER = Actor(5, "reader", Role.ADMIN, frozenset(Scope))


async def fill(box, count, sender=SENDER):
    for number in range(count):
        await box.receive(deliver(f"message {number}", sender=sender))


async def walk(box, limit, **which):
    pages, cursor = [], None
    while True:
        page = await box.inbox.list(READER, cursor=cursor, limit=limit, **which)
        pages.append([view.text for view in page.items])
        cursor = page.cursor
        if cursor is None:
            return pages


def flat(pages):
    return [text for page in pages for text in page]


async def test_newest_first_page_by_page(box):
    await fill(box, 7)
    expected = [f"message {number}" for number in reversed(range(7))]
    for limit in (1, 2, 3, 7, 50):
        pages = await walk(box, limit)
        assert flat(pages) == expected
        assert all(len(page) == limit for page in pages[:-1])
        assert pages[-1]


async def test_an_empty_inbox_is_one_empty_page(box):
    assert await walk(box, 50) == [[]]


async def test_what_comes_between_two_pages_moves_nothing(box):
    await fill(box, 4)
    first = await box.inbox.list(READER, limit=2)
    await box.receive(deliver("new"))
    second = await box.inbox.list(READER, limit=2, cursor=first.cursor)
    assert [view.text for view in second.items] == ["message 1", "message 0"]


@pytest.mark.parametrize("written", [SENDER, "07911 123456", "0044 7911 123456", "+44 (7911) 123456"])
async def test_a_sender_is_found_however_its_number_is_written(box, written):
    await fill(box, 3)
    await fill(box, 2, "+447900900123")
    assert flat(await walk(box, 2, sender=written)) == ["message 2", "message 1", "message 0"]


async def test_a_sender_is_found_in_both_forms_that_networks_use(box):
    await box.receive(deliver("international", sender=SENDER))
    await box.receive(deliver("national", sender="07911123456"))
    await box.receive(deliver("international again", sender=SENDER))
    expected = ["international again", "national", "international"]
    for limit in (1, 2, 3):
        assert flat(await walk(box, limit, sender="07911123456")) == expected


async def test_a_sender_name_is_found_exactly(box):
    await fill(box, 2, "Example")
    await fill(box, 2)
    assert await walk(box, 50, sender="Example") == [["message 1", "message 0"]]
    assert await walk(box, 50, sender="Exampl") == [[]]
    assert await walk(box, 50, sender="' OR 1=1 --") == [[]]


async def test_get_and_list_show_the_same(box):
    await fill(box, 1)
    (listed,) = (await box.inbox.list(READER)).items
    assert await box.inbox.get(READER, listed.id) == listed
    assert listed.id == public_id("inb", box.received()[0])
    assert (listed.from_, listed.kind, listed.text, listed.parts, listed.missing) == (
        SENDER,
        "text",
        "message 0",
        1,
        (),
    )
    assert listed.sent_at == listed.received_at == rfc3339(START)


async def test_the_sim_is_named_when_it_is_known(box):
    await fill(box, 1)
    (view,) = (await box.inbox.list(READER)).items
    assert (view.sim, view.to) == (None, None)
    await box.real_store.write(
        lambda conn: conn.execute(
            "INSERT INTO sims (id, iccid, msisdn, first_seen_at, last_seen_at)"
            " VALUES (1, '8944', '+447900900001', 0, 0)"
        )
    )
    view = await box.inbox.get(READER, view.id)
    assert (view.sim, view.to) == ("8944", "+447900900001")


async def test_octets_are_hex(box):
    await box.receive(deliver(b"\x00\xfe"))
    (view,) = (await box.inbox.list(READER)).items
    assert (view.kind, view.text, view.octets) == ("binary", "", "00fe")


async def test_missing_parts_are_named(box):
    await box.receive(long_message("0123456789" * 4)[1])
    box.clock.turn(SHOW_AFTER_MS)
    await box.receiving.sweep()
    (view,) = (await box.inbox.list(READER)).items
    assert (view.parts, view.missing, view.text) == (4, (1, 3, 4), "[…]0123456789[…]")


@pytest.mark.parametrize(
    "wrong", ["", "inb_", "msg_0000008000002", "inb_zzzzzzzzzzzzz", "inb_000000000000i", "x" * 999]
)
async def test_no_such_message(box, wrong):
    with pytest.raises(NotFound):
        await box.inbox.get(READER, wrong)


async def test_a_message_that_is_not_there(box):
    with pytest.raises(NotFound):
        await box.inbox.get(READER, public_id("inb", 12345))


@pytest.mark.parametrize("cursor", ["", "x", "AAAAAAAAAAAAAAAAAAAA", "é" * 20, "a" * 5000])
async def test_a_cursor_that_is_none_is_refused(box, cursor):
    with pytest.raises(InvalidRequest):
        await box.inbox.list(READER, cursor=cursor)


async def test_a_cursor_is_for_the_list_that_it_came_from(box):
    await fill(box, 3)
    page = await box.inbox.list(READER, limit=1)
    with pytest.raises(InvalidRequest):
        await box.inbox.list(READER, limit=1, sender=SENDER, cursor=page.cursor)


@pytest.mark.parametrize("limit", [0, -1, 501])
async def test_limits_are_bounded(box, limit):
    with pytest.raises(InvalidRequest):
        await box.inbox.list(READER, limit=limit)


async def test_reading_needs_its_scope(box):
    await fill(box, 1)
    sender = Actor(6, "app", Role.SENDER, frozenset({Scope.MESSAGES_SEND}))
    with pytest.raises(Forbidden):
        await box.inbox.list(sender)
    with pytest.raises(Forbidden):
        await box.inbox.get(sender, public_id("inb", box.received()[0]))
    assert len((await box.inbox.list(LOCAL_ADMIN)).items) == 1
