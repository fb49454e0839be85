"""What comes in through providers is like all that comes: once, in the inbox, heard, told of."""

import pytest

from fakes.carriers import CarrierBox
from modembank.events import MessageReceived
from modembank.messages.taking import MAX_TEXT
from modembank.providers import Arrival, Channel

SENDER = "+447911000001"


@pytest.fixture
async def box(tmp_path):
    opened = await CarrierBox(tmp_path / "box.db").open()
    yield opened
    await opened.close()


@pytest.fixture
async def alpha(box):
    return await box.provider()


async def inbox(box):
    return [
        tuple(row) for row in await box.store.fetch_all("SELECT sim_id, sender, text, sent_at FROM inbox ORDER BY id")
    ]


async def test_one_is_in_the_inbox_with_who_brought_it(box, alpha):
    await alpha.sink.arrival(Arrival("k1", "07911000001", "hello", 1_799_999_999_000))
    assert await inbox(box) == [(box.number_of("alpha"), SENDER, "hello", 1_799_999_999_000)]
    [told] = [event for event in box.events if isinstance(event, MessageReceived)]
    assert (told.sender, told.sim) == (SENDER, box.number_of("alpha"))


async def test_twice_under_one_key_is_once_also_after_a_restart(box, alpha):
    for _ in range(2):
        await alpha.sink.arrival(Arrival("k1", SENDER, "hello"))
    await box.reopen()
    await box.adapters["alpha"].sink.arrival(Arrival("k1", SENDER, "hello"))
    assert len(await inbox(box)) == 1
    await box.adapters["alpha"].sink.arrival(Arrival("k2", SENDER, "hello"))
    assert len(await inbox(box)) == 2, "the same words under another key are another message"


async def test_keys_are_each_providers_own(box, alpha):
    beta = await box.provider("beta", channel=Channel.WHATSAPP)
    for adapter in (box.adapters["alpha"], beta):
        await adapter.sink.arrival(Arrival("k1", SENDER, "hello"))
    assert [row[0] for row in await inbox(box)] == [box.number_of("alpha"), box.number_of("beta")]


async def test_it_belongs_to_whoever_wrote_last(box, alpha):
    await box.accept(SENDER)
    await alpha.sink.arrival(Arrival("k1", SENDER, "thanks"))
    assert await box.store.fetch_one("SELECT user_id, unread FROM conversations WHERE number = ?", (SENDER,)) == (1, 1)


async def test_hostile_content_is_cleaned_and_bounded(box, alpha):
    await alpha.sink.arrival(Arrival("k" * 5000, "<script>" * 100, "a\0b\x1b[31m" + "x" * (MAX_TEXT + 10)))
    [(_, sender, text, _)] = await inbox(box)
    assert len(sender) <= 254
    assert len(text) <= MAX_TEXT
    assert "\0" not in text
    assert "\x1b" not in text


async def test_a_name_may_be_the_sender(box, alpha):
    await alpha.sink.arrival(Arrival("k1", "ACME", "hello"))
    assert (await inbox(box))[0][1] == "ACME"
