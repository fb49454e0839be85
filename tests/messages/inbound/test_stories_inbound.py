"""Failure stories of other gateways, through the receiving half; those that need a modem are told again elsewhere."""

import pytest

from fakes.inbounds import SENDER, START, InboundBox, deliver, long_message, report, split, stamp
from fakes.outboxes import HOUR
from modembank.accounts.model import LOCAL_ADMIN
from modembank.messages.reassembly import SHOW_AFTER_MS
from modembank.store import StoreError
from modembank.tpdu import Address, Alphabet, Concat, Dcs, DeliverTpdu, Language, Ports, Udh, UserData, encode_pdu

CAPACITY = 20


class Memory:
    """A SIM's memory: the network fills it, a reader empties it, slots are used again."""

    def __init__(self, box: InboundBox, name: str = "SM", capacity: int = CAPACITY) -> None:
        self.box = box
        self.name = name
        self.slots: dict[int, str] = {}
        self.capacity = capacity

    def arrive(self, pdu: str) -> bool:
        """File a PDU in the lowest free slot; False when the memory is full and the network keeps it."""
        free = next((index for index in range(1, self.capacity + 1) if index not in self.slots), None)
        if free is None:
            return False
        self.slots[free] = pdu
        return True

    async def sweep(self, *, deletes: bool = True) -> None:
        """Read every slot as the modem layer does: durable first, deleted then."""
        for index, pdu in sorted(self.slots.items()):
            ledger_id = await self.box.receiving.store(self.box.raw(pdu, memory=self.name, index=index))
            if deletes:
                del self.slots[index]
                await self.box.receiving.deleted(ledger_id)


# -- 21: storage full stops reception silently


async def test_story_21_a_memory_that_was_full_is_drained_and_goes_on(box):
    memory = Memory(box)
    network = [deliver(f"message {number}", at=START + number * 1000) for number in range(3 * CAPACITY)]
    while network:
        while network and memory.arrive(network[0]):
            network.pop(0)
        await memory.sweep()
    assert await box.texts() == [f"message {number}" for number in range(3 * CAPACITY)]
    assert memory.slots == {}


async def test_story_21_parts_reports_and_rubbish_do_not_stay_in_the_memory(box):
    """All that a memory may hold is taken: nothing that waits, or cannot be read, keeps a slot."""
    memory = Memory(box)
    for pdu in (long_message("never the rest of it")[0], report(), "rubbish", deliver("", pid=0x40)):
        assert memory.arrive(pdu)
    await memory.sweep()
    assert memory.slots == {}
    assert await box.count("inbound_pdus") == 4


# -- 22: stored in the memory nobody reads


async def test_story_22_equal_messages_in_two_memories_are_two(box):
    pdu = deliver("the same")
    await box.receiving.store(box.raw(pdu, memory="SM", index=1))
    await box.receiving.store(box.raw(pdu, memory="ME", index=1))
    await box.receiving.store(box.raw(pdu, memory="SM", index=1))
    assert await box.texts() == ["the same"] * 2


async def test_story_22_parts_of_one_message_in_two_memories_are_joined(box):
    first, second, third = long_message("0123456789abcdefghijABCDEFGHIJ")
    await box.receiving.store(box.raw(third, memory="SM", index=1))
    await box.receiving.store(box.raw(first, memory="ME", index=1))
    await box.receiving.store(box.raw(second, memory="SM", index=2))
    assert await box.texts() == ["0123456789abcdefghijABCDEFGHIJ"]


# -- 23: the same SMS imported again and again


async def test_story_23_a_modem_that_does_not_delete_is_imported_once(box):
    memory = Memory(box)
    memory.arrive(deliver("once"))
    for part in long_message("and in parts, once"):
        memory.arrive(part)
    memory.arrive(report())
    memory.arrive("rubbish")
    for round_number in range(10):
        await memory.sweep(deletes=False)
        box.clock.turn(24 * HOUR)
        await box.receiving.sweep()
        if round_number % 3 == 2:
            await box.reopen()
    assert await box.texts() == ["once", "and in parts, once"]
    assert await box.count("quarantine") == 1
    assert len(box.received()) == 2


async def test_story_23_a_crash_between_storing_and_deleting_imports_once(box):
    memory = Memory(box)
    memory.arrive(deliver("once"))
    await memory.sweep(deletes=False)
    await box.reopen()
    await memory.sweep()
    assert memory.slots == {}
    assert await box.texts() == ["once"]


# -- 24: de-duplication by content drops genuine repeats


async def test_story_24_equal_messages_in_other_slots_are_all_kept(box):
    memory = Memory(box)
    for _ in range(3):
        memory.arrive(deliver("alarm"))  # even the time stamp is the same
    await memory.sweep()
    assert await box.texts() == ["alarm"] * 3


async def test_story_24_equal_messages_one_after_another_in_one_slot_are_all_kept(box):
    memory = Memory(box, capacity=1)
    for _ in range(5):
        assert memory.arrive(deliver("alarm"))
        await memory.sweep()
    assert await box.texts() == ["alarm"] * 5


async def test_story_24_equal_texts_that_come_directly_are_all_kept(box):
    for second in range(5):
        await box.receiving.store(box.direct(deliver("alarm", at=START + second * 1000)))
    assert await box.texts() == ["alarm"] * 5


async def test_story_24_equal_long_messages_are_all_kept(box):
    for minute in range(3):
        for part in long_message("the same long alarm", 0, at=START + minute * 60_000):
            await box.receive(part)
    assert await box.texts() == ["the same long alarm"] * 3


# -- 25: multipart


async def test_story_25_the_last_part_is_missing_for_ever(box):
    parts = long_message("0123456789abcdefghij")
    await box.receive(parts[0])
    await box.reopen()
    box.clock.turn(SHOW_AFTER_MS)
    await box.receiving.sweep()
    (view,) = (await box.inbox.list(LOCAL_ADMIN)).items
    assert (view.text, view.parts, view.missing) == ("0123456789[…]", 2, (2,))


async def test_story_25_two_long_messages_interleaved_and_out_of_order(box):
    one, other = long_message("0123456789abcdefghij", 0), long_message("zyxwvutsrqponmlkjihg", 1)
    for part in (other[1], one[1], other[0], one[0]):
        await box.receive(part)
    assert await box.texts() == ["zyxwvutsrqponmlkjihg", "0123456789abcdefghij"]


async def test_story_25_todays_message_is_not_glued_to_yesterdays(box):
    await box.receive(long_message("yesterday0123456789!", 0)[0])
    box.clock.turn(23 * HOUR)
    for part in long_message("today.....0123456789", 0, at=box.clock.now_ms):
        await box.receive(part)
    assert await box.texts() == ["today.....0123456789"]


@pytest.mark.parametrize("octets", ["000000", "000001", "000200", "000203", "00FF00", "FF0102"])
async def test_story_25_invalid_counts_are_shown_at_once(box, octets):
    element = bytes.fromhex("0003" + octets)
    await box.receive(deliver("still readable", udh=Udh.decode(element)))
    assert await box.texts() == ["still readable"]


async def test_story_25_parts_are_deleted_from_the_sim_before_all_came_and_nothing_is_lost(box):
    memory = Memory(box, capacity=1)
    for part in reversed(long_message("0123456789" * 30, 0)):
        assert memory.arrive(part)
        await memory.sweep()
        await box.reopen()
    assert await box.texts() == ["0123456789" * 30]


async def test_story_25_a_full_disk_at_the_last_part_loses_nothing(box):
    first, second = long_message("0123456789abcdefghij")
    await box.receive(first)
    raw = box.raw(second)
    box.store.after, box.store.fails = True, lambda _: StoreError(detail="disk full")
    for _ in range(3):
        with pytest.raises(StoreError):
            await box.receiving.store(raw)
    box.store.fails = lambda _: None
    await box.receiving.store(raw)
    assert await box.texts() == ["0123456789abcdefghij"]


# -- 26: binary, WAP push, MMS notification, flash, empty and one-letter messages poison the inbox


async def test_story_26_odd_messages_are_shown_as_what_they_are_and_stop_nothing(box):
    mms = bytes([0x01, 0x06, 0x03, 0xBE, 0xAF, 0x84]) + b"http://mms.example/1"
    ports = Udh.build(ports=Ports(2948, 9200))
    odd = [
        (deliver(b"\x00\xff\x1b"), ("binary", "", b"\x00\xff\x1b")),
        (deliver(b"a push", udh=ports), ("wap_push", "", b"a push")),
        (deliver(mms, udh=ports), ("mms_notification", "", mms)),
        (deliver("on the screen", dcs=Dcs(0x10)), ("flash", "on the screen", None)),
        (deliver(""), ("text", "", None)),
        (deliver("a"), ("text", "a", None)),
        (deliver("@"), ("text", "@", None)),
        (deliver("", pid=0x40), ("silent", "", None)),
    ]
    for pdu, _ in odd:
        await box.receive(pdu)
        await box.receive(deliver("an ordinary one"))
    assert (await box.rows())[::2] == [shown for _, shown in odd]
    assert (await box.rows())[1::2] == [("text", "an ordinary one", None)] * len(odd)
    assert await box.count("quarantine") == 0
    assert len((await box.inbox.list(LOCAL_ADMIN)).items) == 2 * len(odd)


# -- 29: text


@pytest.mark.parametrize("length", [*range(18), 152, 153, 154, 159, 160, 161, 306, 307])
@pytest.mark.parametrize("last", ["@", "x", "€"])
async def test_story_29_no_last_character_is_lost_and_no_trailing_at_sign_made_or_lost(box, length, last):
    text = "y" * length + last
    for part in split(text, 1):
        await box.receive(part)
    assert await box.texts() == [text]


@pytest.mark.parametrize(
    "text",
    ["👩‍👩‍👧‍👦🎉" * 30, "é" * 200, "中文" * 100, "ñ€[]{}\\~^|" * 40, "a" * 69 + "🎉" * 40, "line\nline\r\n\ttab" * 30],
)
async def test_story_29_texts_come_out_as_they_went_in(box, text):
    for part in reversed(split(text, 255)):
        await box.receive(part)
    assert await box.texts() == [text]


async def test_story_29_an_emoji_and_an_escape_that_a_sender_cut_are_whole(box):
    emoji = "a🎉b".encode("utf-16-be")
    escape = (b"a\x1b", b"\x65b")  # the euro sign is ESC 0x65
    for number in (2, 1):
        udh = Udh.build(concat=Concat(9, 2, number))
        await box.receive(deliver(UserData(Alphabet.UCS2, (emoji[:4], emoji[4:])[number - 1], udh)))
        septets = escape[number - 1]
        udh = Udh.build(concat=Concat(10, 2, number))
        await box.receive(deliver(UserData(Alphabet.GSM7, septets, udh)))
    assert sorted(await box.texts()) == ["a€b", "a🎉b"]


async def test_story_29_an_odd_number_of_octets_of_ucs2_keeps_the_rest(box):
    even = deliver(UserData(Alphabet.UCS2, "ok".encode("utf-16-be")))
    await box.receive(even.removesuffix("04006F006B") + "05006F006B00")
    (text,) = await box.texts()
    assert text.startswith("ok")


async def test_story_29_sender_names_are_whole_and_clean(box):
    for name in ("Bank", "7 chars", "eleven char", "@home", "x"):
        await box.receive(deliver(sender=name))
    assert [row[0] for row in await box.rows("sender")] == ["Bank", "7 chars", "eleven char", "@home", "x"]


async def test_story_29_national_tables(box):
    udh = Udh.build(locking=Language.TURKISH, single=Language.TURKISH)
    data = UserData.of_text("ığş İstanbul", udh)
    assert data.alphabet is Alphabet.GSM7
    tpdu = DeliverTpdu(Address.from_number(SENDER), stamp(), data)
    await box.receive(encode_pdu(tpdu)[0])
    assert await box.texts() == ["ığş İstanbul"]
