"""Long messages: whatever the order, the duplicates and the restarts, the inbox holds the original texts."""

import itertools
import random

import pytest

from fakes.inbounds import SENDER, START, deliver, long_message, split
from fakes.outboxes import HOUR
from modembank.messages.reassembly import (
    KEEP_MS,
    MOST_GROUPS,
    SHOW_AFTER_MS,
    TOGETHER_MS,
    forget_groups,
    has_overdue,
    show_overdue,
    stale_groups,
)
from modembank.tpdu import Alphabet, Concat, Ports, Timestamp, Udh, UserData

TEXT = "0123456789abcdefghijABCDEFGHIJ"
OTHER = "zyxwvutsrqponmlkjihgfedcba9876"
UNDATED = Timestamp(b"\0" * 7)
SECOND = 1000


async def waiting(box) -> int:
    """How many parts are here of messages that are not in the inbox."""
    sql = "SELECT count(*) FROM inbound_parts JOIN inbound_groups ON id = group_id WHERE inbox_id IS NULL"
    return (await box.real_store.fetch_one(sql))[0]


async def kept(box) -> int:
    return await box.count("inbound_parts")


async def missing(box) -> list[tuple[str, str]]:
    return await box.rows("text, missing")


# -- together


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_any_order(box, order):
    parts = long_message(TEXT)
    for number in order:
        assert await box.texts() == []
        await box.receive(parts[number])
    assert await box.texts() == [TEXT]
    assert await kept(box) == 0
    assert len(box.received()) == 1
    assert await box.rows("parts, missing, received_at") == [(3, "[]", START)]


@pytest.mark.parametrize("reference", [0, 1, 255])
@pytest.mark.parametrize("wide", [False, True])
async def test_every_reference(box, reference, wide):
    for part in reversed(long_message(TEXT, reference, wide=wide)):
        await box.receive(part)
    assert await box.texts() == [TEXT]


async def test_255_parts(box):
    text = "".join(f"{number:03d}," for number in range(255))
    parts = long_message(text, 0, size=4)
    assert len(parts) == 255
    random.Random(1).shuffle(parts)
    for part in parts:
        await box.receiving.store(box.raw(part))
    assert await box.texts() == [text]
    assert await kept(box) == 0


@pytest.mark.parametrize("differs", ["sender", "reference", "width", "sim", "total"])
async def test_interleaved_messages_that_differ_in_one_word_of_the_key(box, differs):
    ours = long_message(TEXT, 5)
    theirs = {
        "sender": lambda: long_message(OTHER, 5, sender="+447900900123"),
        "reference": lambda: long_message(OTHER, 6),
        "width": lambda: long_message(OTHER, 5, wide=True),
        "sim": lambda: long_message(OTHER, 5),
        "total": lambda: long_message(OTHER + "5432", 5),
    }[differs]()
    for one, other in itertools.zip_longest(ours, reversed(theirs)):
        await box.receive(other, sim=2 if differs == "sim" else 1)
        if one is not None:
            await box.receive(one)
    assert sorted(await box.texts()) == sorted([TEXT, OTHER + ("5432" if differs == "total" else "")])


async def test_two_messages_under_one_reference_interleaved(box):
    for one, other in zip(long_message(TEXT, 0), long_message(OTHER, 0), strict=True):
        await box.receive(one)
        await box.receive(other)
    assert await box.texts() == [TEXT, OTHER]


async def test_a_duplicate_before_completion_is_ignored(box):
    parts = long_message(TEXT)
    for part in (parts[0], parts[0], parts[1], parts[0], parts[1], parts[2]):
        await box.receive(part)
    assert await box.texts() == [TEXT]
    assert await waiting(box) == 0


async def test_a_part_sent_again_with_a_new_time_stamp_is_a_duplicate_too(box):
    again = long_message(TEXT, at=START + 90 * SECOND)
    for part in (long_message(TEXT)[0], *again):
        await box.receive(part)
    assert await box.texts() == [TEXT]
    assert await waiting(box) == 0


async def test_a_duplicate_after_completion_is_ignored(box):
    parts = long_message(TEXT)
    for part in (*parts, *parts):
        await box.receive(part)
    await box.reopen()
    for part in parts:
        await box.receive(part)
    assert await box.texts() == [TEXT]
    assert await waiting(box) == 0


async def test_a_retransmission_may_differ_in_the_bit_that_says_more_is_to_come(box):
    parts = long_message(TEXT)
    for part in parts:
        await box.receive(part)
    first = parts[0]
    start = 2 * (1 + int(first[:2], 16))
    octet = int(first[start : start + 2], 16) ^ 0x04
    await box.receive(f"{first[:start]}{octet:02X}{first[start + 2 :]}")
    assert await waiting(box) == 0


async def test_the_same_long_message_sent_again_is_shown_again(box):
    for again in range(3):
        for part in long_message(TEXT, 0, at=START + again * 5 * SECOND):
            await box.receive(part)
    assert await box.texts() == [TEXT] * 3


async def test_undated_repeats_under_one_reference_are_shown_again(box):
    for _ in range(2):
        for number, piece in enumerate(("one ", "two"), 1):
            await box.receive(deliver(piece, concat=Concat(0, 2, number), at=UNDATED))
    assert await box.texts() == ["one two"] * 2


@pytest.mark.parametrize(("total", "part"), [(0, 0), (0, 1), (2, 0), (2, 3), (1, 2), (1, 1)])
async def test_counts_that_cannot_be_make_a_single_message(box, total, part):
    element = bytes((0x05, 0x00, 0x03, 0x07, total, part))
    await box.receive(deliver("alone", udh=Udh.decode(element[1:])))
    assert await box.rows("text, parts, missing") == [("alone", 1, "[]")]


async def test_pairs_that_the_sender_cut_are_whole_again(box):
    text = "x" * 66 + "🎉" + "é中" * 40
    parts = split(text, 3)
    assert len(parts) > 1
    for part in reversed(parts):
        await box.receive(part)
    assert await box.texts() == [text]
    units = "a🎉b".encode("utf-16-be")
    for number, piece in enumerate((units[:4], units[4:]), 1):
        await box.receive(deliver(UserData(Alphabet.UCS2, piece, Udh.build(concat=Concat(9, 2, number)))))
    assert (await box.texts())[1] == "a🎉b"


async def test_a_binary_message_in_parts_is_known_by_its_whole(box):
    push = bytes([0x01, 0x06, 0x03, 0xBE, 0xAF, 0x84]) + b"http://mms.example/1"
    for number, piece in ((2, push[3:]), (1, push[:3])):
        udh = Udh.build(concat=Concat(4, 2, number), ports=Ports(2948, 9200))
        await box.receive(deliver(piece, udh=udh))
    assert await box.rows() == [("mms_notification", "", push)]


# -- apart


async def test_yesterdays_rest_is_not_glued_to_todays_message(box):
    """Reference and total are the same, and today's second part comes first."""
    await box.receive(long_message(TEXT[:20], 0)[0])
    box.clock.turn(24 * HOUR)
    today = long_message(OTHER[:20], 0, at=box.clock.now_ms)
    await box.receive(today[1])
    await box.receive(today[0])
    await box.receiving.sweep()
    assert sorted(await missing(box)) == sorted([(OTHER[:20], "[]"), (TEXT[:10] + "[…]", "[2]")])


async def test_undated_parts_are_kept_apart_by_our_own_clock(box):
    await box.receive(deliver("old ", concat=Concat(0, 2, 1), at=UNDATED))
    box.clock.turn(TOGETHER_MS + 1)
    await box.receive(deliver("new", concat=Concat(0, 2, 2), at=UNDATED))
    assert await box.texts() == []
    assert await waiting(box) == 2


async def test_parts_that_waited_in_the_network_for_a_day_belong_together(box):
    """They were stamped together; when they come matters little."""
    parts = long_message(TEXT[:20], at=START - 24 * HOUR)
    await box.receive(parts[0])
    box.clock.turn(SHOW_AFTER_MS - 1)
    await box.receive(parts[1])
    assert await box.texts() == [TEXT[:20]]


async def test_of_two_that_lack_the_part_the_one_of_its_time_gets_it(box):
    await box.receive(long_message(TEXT[:20], 0)[0])
    box.clock.turn(11 * 60 * SECOND)
    later = long_message(OTHER[:20], 0, at=box.clock.now_ms)
    for part in later:
        await box.receive(part)
    assert await box.texts() == [OTHER[:20]]
    assert await waiting(box) == 1


@pytest.mark.parametrize("lost", [2, 3])
async def test_a_lost_part_never_takes_the_next_message_s(box, lost):
    """A sender with one reference for all, a message a minute: what follows goes on with what came seconds before."""

    def cut(text, at):
        return [deliver(text[n * 5 :][:5], concat=Concat(0, 3, n + 1), at=at + 3 * n * SECOND) for n in range(3)]

    first, then = cut("first message..", START), cut("second message.", START + 60 * SECOND)
    for part in [*(part for number, part in enumerate(first, 1) if number != lost), *then]:
        await box.receive(part)
    assert await waiting(box) == 2
    assert await box.texts() == ["second message."]


async def test_a_flood_under_one_key_is_bounded(box):
    for number in range(MOST_GROUPS + 5):
        await box.receive(deliver(f"flood {number}", concat=Concat(1, 9, 1), at=START + number * SECOND))
    assert await waiting(box) == MOST_GROUPS
    assert await box.texts() == [f"flood {number}[…]" for number in range(MOST_GROUPS, MOST_GROUPS + 5)]


# -- incomplete


async def test_what_stays_incomplete_is_shown_after_the_limit(box):
    parts = long_message(TEXT)
    await box.receive(parts[0])
    await box.receive(parts[2])
    box.clock.turn(SHOW_AFTER_MS - 1)
    assert await box.receiving.sweep() == 0
    box.clock.turn(1)
    assert await box.receiving.sweep() == 1
    assert await missing(box) == [("0123456789[…]ABCDEFGHIJ", "[2]")]
    assert await box.rows("parts, received_at") == [(3, box.clock.now_ms)]
    assert len(box.received()) == 1
    assert box.counted("text") == 1
    assert await box.receiving.sweep() == 0


async def test_the_limit_counts_from_the_last_part_that_came(box):
    parts = long_message(TEXT)
    await box.receive(parts[0])
    box.clock.turn(SHOW_AFTER_MS - 1)
    await box.receive(parts[1])
    box.clock.turn(SHOW_AFTER_MS - 1)
    assert await box.receiving.sweep() == 0


@pytest.mark.parametrize("restart", [False, True])
async def test_the_late_last_part_completes_the_shown_message_in_place(box, restart):
    parts = long_message(TEXT)
    for part in parts[:2]:
        await box.receive(part)
    box.clock.turn(SHOW_AFTER_MS)
    await box.receiving.sweep()
    await box.receive(deliver("in between"))
    if restart:
        await box.reopen()
    await box.receive(parts[2])
    assert await missing(box) == [(TEXT, "[]"), ("in between", "[]")]
    assert await kept(box) == 0
    first, _, last = box.received()
    assert first == last
    await box.receive(parts[2])
    assert await box.texts() == [TEXT, "in between"]
    assert await kept(box) == 0


async def test_a_late_part_that_is_not_the_last_is_shown_but_not_told(box):
    parts = long_message(TEXT)
    await box.receive(parts[0])
    box.clock.turn(SHOW_AFTER_MS)
    await box.receiving.sweep()
    await box.receive(parts[2])
    await box.receive(parts[2])
    assert await missing(box) == [("0123456789[…]ABCDEFGHIJ", "[2]")]
    assert len(box.received()) == 1


async def test_after_the_longer_limit_a_late_part_is_a_message_of_its_own(box):
    parts = long_message(TEXT[:20])
    await box.receive(parts[0])
    box.clock.turn(SHOW_AFTER_MS)
    await box.receiving.sweep()
    box.clock.turn(KEEP_MS)
    await box.receiving.sweep()
    assert [await box.count(table) for table in ("inbound_groups", "inbound_parts")] == [0, 0]
    await box.receive(parts[1])
    box.clock.turn(SHOW_AFTER_MS)
    await box.receiving.sweep()
    assert await missing(box) == [(TEXT[:10] + "[…]", "[2]"), ("[…]" + TEXT[10:20], "[1]")]


async def test_the_memory_of_complete_messages_is_swept(box):
    for part in long_message(TEXT):
        await box.receive(part)
    box.clock.turn(KEEP_MS)
    await box.receiving.sweep()
    await box.real_store.flush()
    assert await box.count("inbound_groups") == 1
    box.clock.turn(1)
    await box.receiving.sweep()
    assert await box.count("inbound_groups") == 0


async def test_many_incomplete_messages_are_shown_in_bounded_steps(box):
    for number in range(150):
        await box.receiving.store(box.raw(deliver(f"no {number}", concat=Concat(number, 2, 1))))
    box.clock.turn(SHOW_AFTER_MS)
    assert [await box.receiving.sweep() for _ in range(3)] == [100, 50, 0]
    assert await box.texts() == [f"no {number}[…]" for number in range(150)]


async def test_parts_survive_a_restart(box):
    parts = long_message(TEXT)
    for part in parts:
        await box.receive(part)
        await box.reopen()
    assert await box.texts() == [TEXT]


@pytest.mark.parametrize("last", [1, 2])
async def test_what_was_deleted_from_the_inbox_does_not_come_back(box, last):
    parts = long_message(TEXT)
    await box.receive(parts[0])
    box.clock.turn(SHOW_AFTER_MS)
    await box.receiving.sweep()
    await box.real_store.write(lambda conn: conn.execute("DELETE FROM inbox").rowcount)
    for part in parts[1 : last + 1]:
        await box.receive(part)
    assert await box.texts() == []
    assert await kept(box) == (2 if last == 1 else 0)
    assert await box.count("inbound_groups") == (1 if last == 1 else 0)


async def test_a_group_without_parts_harms_nothing(box):
    """Nothing makes one, but a row alone must not stop a sweep, nor its parts."""
    parts = long_message(TEXT[:20])
    await box.receive(parts[0])
    await box.real_store.write(lambda conn: conn.execute("DELETE FROM inbound_parts").rowcount)
    for part in parts:
        await box.receive(part)
    assert await box.texts() == [TEXT[:20]]
    box.clock.turn(SHOW_AFTER_MS)
    assert await box.receiving.sweep() == 0
    assert await waiting(box) == 0
    assert await box.rows("text") == [(TEXT[:20],)]


async def test_no_look_at_the_groups_reads_all_of_them(box):
    """However many messages are remembered, a part costs the same."""
    seen = []
    await box.real_store.write(lambda conn: conn.set_trace_callback(seen.append))
    parts = long_message(TEXT)
    for part in (parts[0], parts[2]):
        await box.receive(part)

    def sweep(conn):
        later = box.clock.now_ms + SHOW_AFTER_MS
        assert has_overdue(conn, later)
        assert len(show_overdue(conn, box.real_store.ids.take, later)) == 1
        forget_groups(conn, stale_groups(conn, later + KEEP_MS), later)

    await box.real_store.write(sweep)
    await box.receive(parts[1])
    await box.real_store.write(lambda conn: conn.set_trace_callback(None))
    asked = {sql for sql in seen if "inbound_groups" in sql or "inbound_parts" in sql}
    assert len(asked) > 10
    for sql in asked:
        plan = await box.real_store.fetch_all(f"EXPLAIN QUERY PLAN {sql}")
        steps = [row[3] for row in plan]
        assert not [step for step in steps if step.startswith("SCAN") or "TEMP B-TREE" in step], (sql, steps)


async def test_a_part_that_cannot_be_read_any_more_is_skipped(box):
    """A row that another release, or a disk, left behind must not stop the sweep."""
    parts = long_message(TEXT)
    for part in parts[:2]:
        await box.receive(part)
    await box.receive(deliver("lost", concat=Concat(77, 2, 1)))
    await box.real_store.write(lambda conn: conn.execute("UPDATE inbound_parts SET pdu = 'zz' WHERE part = 1"))
    box.clock.turn(SHOW_AFTER_MS)
    await box.receiving.sweep()
    assert await missing(box) == [("[…]abcdefghij[…]", "[1,3]")]
    assert await waiting(box) == 0
    assert await box.rows("sender") == [(SENDER,)]
