"""One PDU after another: the ledger, the kinds, the reports, and what happens when a write fails."""

import asyncio
import sqlite3

import pytest

from fakes.inbounds import SENDER, START, InboundBox, deliver, long_message, report, sent, stamp
from fakes.outboxes import HOUR
from modembank.events import MessageReceived
from modembank.messages import inbound_ledger
from modembank.messages.inbound_content import RAW_LIMIT, clean_text
from modembank.messages.model import ReportMatch
from modembank.messages.receiving import Receiving
from modembank.modem.inbound import RawInbound, Via
from modembank.modem.outcome import AttemptOutcome
from modembank.store import StoreClosed, StoreError
from modembank.tpdu import Concat, Dcs, Ports, Timestamp, Udh

MMS = bytes([0x01, 0x06, 0x03, 0xBE, 0xAF, 0x84]) + b"http://mms.example/1"
DAY = 24 * HOUR


# -- the ledger


async def test_a_message_is_in_the_inbox_when_store_returns(box):
    ledger_id = await box.receiving.store(box.raw(deliver("hello, box")))
    assert await box.texts() == ["hello, box"]
    assert await box.real_store.fetch_all("SELECT id, memory, slot_index, deleted_at FROM inbound_pdus") == [
        (ledger_id, "SM", 1, None)
    ]
    assert [type(event) for event in box.events] == [MessageReceived]
    assert box.events[0].sender == SENDER
    assert box.events[0].sim == 1
    assert box.counted("text") == 1


async def test_the_same_slot_read_again_is_the_same_message(box):
    raw = box.raw(deliver())
    ids = [await box.receiving.store(raw) for _ in range(5)]
    assert len(set(ids)) == 1
    assert await box.texts() == ["hello"]
    assert len(box.received()) == 1


async def test_two_readers_of_one_slot_at_once_make_one_message(box):
    raw = box.raw(deliver())
    ids = await asyncio.gather(*(box.receiving.store(raw) for _ in range(10)))
    assert len(set(ids)) == 1
    assert await box.texts() == ["hello"]


async def test_after_deletion_an_equal_pdu_in_the_slot_is_new(box):
    raw = box.raw(deliver())
    first = await box.receiving.store(raw)
    await box.receiving.deleted(first)
    second = await box.receiving.store(raw)  # at once: long before the lazy note of the deletion
    assert second != first
    assert await box.texts() == ["hello", "hello"]
    await box.real_store.flush()
    rows = await box.real_store.fetch_all("SELECT id, deleted_at IS NULL FROM inbound_pdus ORDER BY id")
    assert rows == [(first, 0), (second, 1)]


async def test_deletion_survives_a_restart(box):
    raw = box.raw(deliver())
    await box.receiving.deleted(await box.receiving.store(raw))
    await box.reopen()
    await box.receiving.store(raw)
    assert await box.texts() == ["hello", "hello"]


async def test_what_was_not_deleted_is_known_after_a_restart(box):
    raw = box.raw(deliver())
    first = await box.receiving.store(raw)
    await box.reopen()
    assert await box.receiving.store(raw) == first
    assert await box.texts() == ["hello"]


@pytest.mark.parametrize(
    "other", [{"memory": "ME", "index": 1}, {"memory": "SM", "index": 2}, {"memory": "SM", "index": 1, "sim": 2}]
)
async def test_another_place_is_another_message(box, other):
    pdu = deliver()
    await box.receiving.store(box.raw(pdu, memory="SM", index=1))
    await box.receiving.store(box.raw(pdu, **other))
    assert await box.texts() == ["hello", "hello"]


async def test_case_and_space_around_a_pdu_do_not_make_it_another(box):
    pdu = deliver()
    first = await box.receiving.store(box.raw(pdu, index=1))
    assert await box.receiving.store(box.raw(f" {pdu.lower()}\r", index=1)) == first


async def test_a_direct_pdu_soon_again_is_a_resend_and_later_a_new_one(box):
    pdu = deliver()
    first = await box.receiving.store(box.direct(pdu))
    box.clock.turn(inbound_ledger.RESEND_MS - 1)
    assert await box.receiving.store(box.direct(pdu)) == first
    box.clock.turn(2)
    assert await box.receiving.store(box.direct(pdu)) != first
    assert await box.texts() == ["hello", "hello"]


async def test_a_direct_resend_is_known_after_a_restart(box):
    first = await box.receiving.store(box.direct(deliver()))
    await box.reopen()
    box.clock.turn(60_000)
    assert await box.receiving.store(box.direct(deliver())) == first


async def test_without_a_time_stamp_only_a_quick_repeat_is_a_resend(box):
    pdu = deliver(at=Timestamp(b"\0" * 7))
    first = await box.receiving.store(box.direct(pdu))
    box.clock.turn(inbound_ledger.UNDATED_RESEND_MS)
    assert await box.receiving.store(box.direct(pdu)) == first
    box.clock.turn(1)
    assert await box.receiving.store(box.direct(pdu)) != first


async def test_direct_repeats_with_another_time_stamp_are_messages(box):
    for second in range(3):
        await box.receiving.store(box.direct(deliver("alarm", at=START + second * 1000)))
    assert await box.texts() == ["alarm"] * 3


async def test_ledger_ids_survive_a_crash_that_forgets_the_sequence(box, tmp_path):
    """What only the ledger used of the id sequence is not given out again, so that its rows never clash."""
    for index in range(5):
        await box.receiving.store(box.raw(sent(f"number {index}")))
    await box.real_store.flush()
    copy = tmp_path / "crashed.db"
    with sqlite3.connect(box.path) as live, sqlite3.connect(copy) as target:
        live.backup(target)
    live.close()
    target.close()
    crashed = await InboundBox(copy, slots=100).open()
    try:
        before = {row[0] for row in await crashed.real_store.fetch_all("SELECT id FROM inbound_pdus")}
        new = [await crashed.receiving.store(crashed.raw(deliver(f"after {n}"))) for n in range(8)]
        assert len({*before, *new}) == 13
        assert min(new) > max(before)
    finally:
        await crashed.close()


async def test_a_missing_time_of_arrival_is_now(box):
    await box.receiving.store(RawInbound(1, "slot-1", deliver(), Via.DIRECT))
    assert await box.rows("received_at") == [(box.clock.now_ms,)]


# -- kinds


@pytest.mark.parametrize(
    ("pdu", "kind", "text", "octets"),
    [
        (deliver("plain"), "text", "plain", None),
        (deliver("ünïcödé 🎉"), "text", "ünïcödé 🎉", None),
        (deliver(""), "text", "", None),
        (deliver("x"), "text", "x", None),
        (deliver("now!", dcs=Dcs(0x10)), "flash", "now!", None),
        (deliver(b"\x00\x01\xff"), "binary", "", b"\x00\x01\xff"),
        (deliver(b"", dcs=Dcs(0x04)), "binary", "", b""),
        (deliver("voicemail", dcs=Dcs(0xD8)), "mwi", "voicemail", None),
        (deliver("ping", pid=0x40), "silent", "ping", None),
        (deliver(MMS, udh=Udh.build(ports=Ports(2948, 9200))), "mms_notification", "", MMS),
        (deliver(b"push", udh=Udh.build(ports=Ports(2948, 9200))), "wap_push", "", b"push"),
        (deliver("two\nlines\tand a tab\r\n"), "text", "two\nlines\tand a tab\r\n", None),
        (deliver("a\x00b\x1bc\x9fd\x07", dcs=Dcs(0x08)), "text", "abcd", None),
    ],
)
async def test_every_kind_is_shown_as_what_it_is(box, pdu, kind, text, octets):
    await box.receive(pdu)
    assert await box.rows() == [(kind, text, octets)]
    assert box.counted(kind) == 1


async def test_both_messages_of_a_replace_type_are_kept(box):
    await box.receive(deliver("first", pid=0x41))
    await box.receive(deliver("second", pid=0x41))
    assert await box.rows("kind, text") == [("replace", "first"), ("replace", "second")]


async def test_alphanumeric_and_empty_senders(box):
    await box.receive(deliver(sender="Example Ltd"))
    await box.receive("00" + "04" + "0081" + "0000" + stamp().octets.hex() + "00")
    assert await box.rows("sender") == [("Example Ltd",), ("",)]


@pytest.mark.parametrize("octets", [b"\0" * 7, b"\xff" * 7])
async def test_a_time_stamp_that_is_no_time_costs_nothing_else(box, octets):
    await box.receive(deliver("still here", at=Timestamp(octets)))
    assert await box.rows("text, sent_at") == [("still here", None)]


async def test_the_time_stamp_is_kept(box):
    await box.receive(deliver(at=START - 5000))
    assert await box.rows("sent_at, received_at") == [(START - 5000, START)]


async def test_stored_sent_messages_are_noted_and_nothing_else(box):
    raw = box.raw(sent())
    assert await box.receiving.store(raw) == await box.receiving.store(raw)
    assert [await box.count(table) for table in ("inbound_pdus", "inbox", "quarantine")] == [1, 0, 0]


async def test_a_submit_that_comes_directly_is_quarantined(box):
    await box.receiving.store(box.direct(sent()))
    assert await box.count("quarantine") == 1


@pytest.mark.parametrize("pdu", ["", "0", "zz", "07913306", "\ud800", "4" * 20_000, "00\x0004", "日本", "00" * 500])
async def test_what_cannot_be_read_is_quarantined_bounded_and_counted(box, pdu):
    raw = box.raw(pdu)
    assert await box.receiving.store(raw) == await box.receiving.store(raw)
    rows = await box.real_store.fetch_all("SELECT raw, reason, slot FROM quarantine")
    assert len(rows) == 1
    kept, reason, slot = rows[0]
    assert len(kept) <= RAW_LIMIT
    assert reason
    assert slot == "slot-1"
    assert pdu.isascii() is False or kept == pdu[:RAW_LIMIT]
    assert box.counted("quarantine") == 1
    assert box.received() == []


def test_only_harmful_controls_are_taken_out():
    every = "".join(map(chr, range(0xA1)))
    left = "\t\n\f\r" + "".join(map(chr, range(0x20, 0x7F))) + "\xa0\xa1"[:1]
    assert clean_text(every) == left


# -- delivery reports


async def test_a_report_reaches_the_outbox_and_is_durable(box):
    await box.receiving.store(box.raw(report(9), memory="SR"))
    assert await box.count("journal") + await box.count("orphan_reports") == 1
    assert await box.count("inbox") == 0
    assert await box.count("inbound_pdus") == 1


async def test_a_report_settles_what_it_is_about(tmp_path):
    from fakes.outboxes import OutboxBox

    sender = await OutboxBox(tmp_path / "both.db").open()
    message = await sender.accept(SENDER)
    intent = sender.intent(message)
    await sender.outbox.begin(intent)
    await sender.settle(intent, AttemptOutcome.ACCEPTED, tp_mr=7)
    await sender.outbox.flush()
    await sender.close()
    box = await InboundBox(tmp_path / "both.db").open()
    await box.receiving.store(box.raw(report(7)))
    await box.outbox.flush()
    (state,) = await box.real_store.fetch_one("SELECT state FROM messages WHERE id = ?", (message,))
    assert state == 80
    await box.close()


class Taker:
    """Notes what is handed in, and what the ledger knew by then."""

    def __init__(self, box: InboundBox) -> None:
        self.box = box
        self.taken = []

    async def report(self, sim_id, facts, ledger_id):
        known = await self.box.real_store.write(lambda conn: conn.execute("SELECT id FROM inbound_pdus").fetchall())
        self.taken.append((sim_id, facts, ledger_id, known))
        return ReportMatch.ORPHAN


async def test_a_report_is_handed_in_before_its_ledger_row_each_time_it_is_read(box):
    taker = Taker(box)
    receiving = Receiving(box.store, box.bus, box.clock, box.metrics, taker)
    raw = box.raw(report(9, status=0x41), memory="SR", sim=3)
    ledger_id = await receiving.store(raw)
    assert await receiving.store(raw) == ledger_id
    (sim_id, facts, handed, known), (_, again, *_) = taker.taken
    assert (sim_id, handed, known) == (3, ledger_id, [])
    assert facts == again
    assert (facts.tp_mr, facts.recipient, facts.status, facts.submitted_at, facts.pdu) == (
        9,
        SENDER,
        0x41,
        START,
        raw.pdu,
    )


@pytest.mark.parametrize("fails", [1, 2])
@pytest.mark.parametrize("after", [False, True])
async def test_a_report_is_not_lost_by_a_crash_between_the_writes(box, fails, after):
    """Whichever of the two writes is lost, reading the slot again hands the report in again."""
    raw = box.raw(report(9))
    done = box.store.writes
    box.store.after = after
    box.store.fails = lambda n: StoreError(detail="pulled") if n == done + fails else None
    with pytest.raises(StoreError):
        await box.receiving.store(raw)
    await box.reopen()
    await box.receiving.store(raw)
    await box.outbox.flush()
    assert await box.count("orphan_reports") >= 1
    assert await box.count("inbound_pdus") == 1


# -- failing and ending


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("pdu", [deliver("once"), long_message("a part of it, and more")[0], "broken"])
async def test_a_write_that_fails_leaves_nothing_and_can_be_repeated(box, pdu, after):
    raw = box.raw(pdu)
    box.store.after, box.store.fails = after, lambda _: StoreError(detail="full")
    with pytest.raises(StoreError):
        await box.receiving.store(raw)
    tables = "inbound_pdus", "inbox", "inbound_parts", "quarantine"
    assert [await box.count(table) for table in (*tables, "inbound_groups")] == [0, 0, 0, 0, 0]
    assert box.events == []
    box.store.fails = lambda _: None
    await box.receiving.store(raw)
    assert sum([await box.count(table) for table in tables]) == 2


async def test_a_failing_last_part_leaves_the_others(box):
    first, last = long_message("what came in two parts")[:1], long_message("what came in two parts")[1:]
    for pdu in first:
        await box.receive(pdu)
    raws = [box.raw(pdu) for pdu in last]
    done = box.store.writes
    box.store.after, box.store.fails = True, lambda n: StoreError(detail="full") if n == done + len(raws) else None
    for raw in raws[:-1]:
        await box.receiving.store(raw)
    with pytest.raises(StoreError):
        await box.receiving.store(raws[-1])
    assert await box.texts() == []
    await box.reopen()
    for raw in raws:
        await box.receiving.store(raw)
    assert await box.texts() == ["what came in two parts"]


async def test_a_caller_that_is_gone_is_no_reason_to_tell_nobody(box):
    storing = asyncio.create_task(box.receiving.store(box.raw(deliver())))
    await asyncio.sleep(0)
    storing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await storing
    await box.real_store.flush()
    assert await box.texts() == ["hello"]
    assert len(box.received()) == 1


async def test_a_lost_note_of_deletion_is_taken_along_by_the_next_write(box):
    raw = box.raw(deliver())
    first = await box.receiving.store(raw)
    done = box.store.writes
    box.store.fails = lambda n: StoreError(detail="full") if n == done + 1 else None
    await box.receiving.deleted(first)
    await box.real_store.flush()
    assert await box.receiving.store(raw) != first


async def test_after_the_store_is_closed(box):
    first = await box.receiving.store(box.raw(deliver()))
    await box.real_store.close()
    await box.receiving.deleted(first)
    for pdu in (deliver(), report()):
        with pytest.raises(StoreClosed):
            await box.receiving.store(box.raw(pdu))


# -- the sweep


async def test_a_sweep_with_nothing_to_do_does_not_write(box):
    await box.receive(deliver())
    await box.receive(deliver("in parts", concat=Concat(1, 2, 1)))
    await box.real_store.flush()
    before = box.store.writes
    assert await box.receiving.sweep() == 0
    assert box.store.writes == before


async def test_old_ledger_rows_are_forgotten_but_not_what_the_modem_still_has(box):
    await box.receive(deliver("deleted"))
    await box.receiving.store(box.direct(deliver("direct")))
    stuck = box.raw(deliver("stuck"))
    stuck_id = await box.receiving.store(stuck)
    box.clock.turn(inbound_ledger.RESEND_MS + 1)
    await box.receiving.sweep()  # the direct one is settled now
    box.clock.turn(inbound_ledger.KEEP_MS + 1)
    await box.receive(deliver("new"))
    await box.receiving.sweep()
    left = await box.real_store.fetch_all("SELECT id FROM inbound_pdus ORDER BY id")
    assert left[0] == (stuck_id,)
    assert len(left) == 2
    box.clock.turn(30 * DAY)
    assert await box.receiving.store(stuck) == stuck_id
    assert await box.texts() == ["deleted", "direct", "stuck", "new"]


async def test_forgetting_goes_on_behind_rows_that_stay(box):
    """More rows than one step looks at are stuck in front: the next sweep goes on behind them."""
    old = box.clock.now_ms - inbound_ledger.KEEP_MS - DAY

    def fill(conn: sqlite3.Connection) -> None:
        for number in range(1200):
            deleted_at = None if number < 600 else old
            row = (number + 1, deliver(), number.to_bytes(16), old, deleted_at)
            conn.execute(
                "INSERT INTO inbound_pdus (id, sim_id, slot, memory, slot_index, pdu, fingerprint, received_at,"
                " deleted_at) VALUES (?, 1, 'slot-1', 'SM', 1, ?, ?, ?, ?)",
                row,
            )

    await box.real_store.write(fill)
    for _ in range(4):
        await box.receiving.sweep()
    assert await box.count("inbound_pdus") == 600
