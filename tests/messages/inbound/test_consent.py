"""An opt-out is heard where it is received: durable with the message, confirmed once, lost and doubled by nothing."""

import json
import sqlite3

import pytest

from fakes.inbounds import SENDER, InboundBox, deliver, long_message
from fakes.outboxes import START
from modembank.decency import OptOutConfig
from modembank.events import MessagesReady, MessageStateChanged, OptOutsChanged
from modembank.messages import MessageFlags, MessageState, conservation
from modembank.messages.outbox import withdrawing
from modembank.messages.reassembly import SHOW_AFTER_MS
from modembank.tpdu import Concat

RULE = OptOutConfig(confirmation="You are out. START to come back.", welcome_back="Welcome back.")


@pytest.fixture
async def box(tmp_path):
    opened = await InboundBox(tmp_path / "inbound.db", opt_out=RULE).open()
    yield opened
    await opened.close()


async def out(box, number=SENDER):
    row = await box.real_store.fetch_one("SELECT state FROM opt_outs WHERE number = ?", (number,))
    return None if row is None else bool(row[0])


async def confirmations(box):
    query = "SELECT recipient, text, user_id, flags, state, ready, rank, route_id FROM messages ORDER BY id"
    return await box.real_store.fetch_all(query)


async def reviews(box):
    return await box.real_store.fetch_all("SELECT number, keyword FROM opt_out_reviews ORDER BY inbox_id")


async def events(box):
    found = await box.real_store.fetch_all("SELECT kind, user_id, subject, body FROM event_log ORDER BY id")
    return [(kind, user, json.loads(body or "null")) for kind, user, _, body in found if kind.startswith("optout")]


async def books(box):
    found = await box.real_store.read(conservation.recount)
    assert found.holds, found
    return found.accepted


async def test_stop_puts_the_sender_out_and_is_confirmed_through_the_same_sim(box):
    await box.receive(deliver("Stop."), sim=2)
    assert await out(box)
    ((number, text, user, flags, state, ready, rank, route),) = await confirmations(box)
    assert (number, text, user, rank, ready) == (SENDER, RULE.confirmation, 0, 0, 1)
    assert flags & MessageFlags.CONSENT
    assert not flags & MessageFlags.DELIVERY_REPORT
    assert state == MessageState.QUEUED
    assert await box.real_store.fetch_one("SELECT spec FROM routes WHERE id = ?", (route,)) == ('{"sims":[2]}',)
    assert await books(box) == 1
    told = [event for event in box.events if isinstance(event, OptOutsChanged)]
    assert [(event.numbers, event.out) for event in told] == [((SENDER,), True)]
    assert [len(event.entries) for event in box.events if isinstance(event, MessagesReady)] == [1]
    assert any(isinstance(event, MessageStateChanged) for event in box.events)
    assert await events(box) == [("optout.added", None, {"number": SENDER, "source": "keyword", "keyword": "STOP"})]
    assert box.metrics.registry.get_sample_value("modembank_messages_accepted_total") == 1


async def test_a_second_stop_is_not_answered(box):
    for text in ("STOP", "stop!", "unsubscribe"):
        await box.receive(deliver(text, at=START + len(text) * 1000))
    assert len(await confirmations(box)) == 1
    assert await box.texts() == ["STOP", "stop!", "unsubscribe"]


async def test_the_same_stop_read_twice_is_one(box):
    pdu = box.raw(deliver("STOP"), index=3)
    await box.receiving.store(pdu)
    await box.receiving.store(pdu)
    assert len(await confirmations(box)) == 1


async def test_start_reverts_once(box):
    await box.receive(deliver("START"))
    assert await out(box) is None, "nobody was out"
    await box.receive(deliver("STOP", at=START + 1000))
    box.clock.turn(1000)
    await box.receive(deliver("start", at=START + 2000))
    await box.receive(deliver("start", at=START + 3000))
    assert await out(box) is False
    assert [row[1] for row in await confirmations(box)] == [RULE.confirmation, RULE.welcome_back]
    assert [kind for kind, _, _ in await events(box)] == ["optout.added", "optout.removed"]
    box.clock.turn(1000)
    await box.receive(deliver("STOP", at=START + 4000))
    assert await out(box)
    assert len(await confirmations(box)) == 3


async def test_a_welcome_that_waits_is_not_sent_after_the_next_stop(box):
    for at, text in enumerate(("STOP", "START", "STOP")):
        await box.receive(deliver(text, at=START + at * 1000))
        box.clock.turn(1000)
    sent = [(row[1], bool(row[3] & MessageFlags.CONSENT)) for row in await confirmations(box)]
    assert sent == [(RULE.confirmation, True), (RULE.welcome_back, False), (RULE.confirmation, True)]
    waits = await box.real_store.read(lambda conn: withdrawing.find(conn, [SENDER], 0))
    (welcome,) = await box.real_store.fetch_all("SELECT id FROM messages WHERE text = ?", (RULE.welcome_back,))
    assert tuple(waits) == welcome, "it is withdrawn, and the gate would not let it pass"


async def test_the_answer_belongs_to_whoever_wrote_last(box):
    await box.real_store.write(
        lambda conn: conn.execute(
            "INSERT INTO messages (id, user_id, recipient, text, encoding, segments, flags, route_id, rank, state,"
            " expires_at, on_unknown, created_at) VALUES (?, 7, ?, 'x', 0, 1, 0, 1, 4, 74, 0, 0, 0)",
            (box.real_store.ids.take(), SENDER),
        )
    )
    await box.receive(deliver("STOP"))
    assert (await confirmations(box))[-1][2] == 7
    assert (await events(box))[0][1] == 7


@pytest.mark.parametrize("text", ["please stop", "sotp", "STOP 12345", "ABMELDEN", "remove"])
async def test_what_only_looks_like_it_goes_to_a_person(box, text):
    await box.receive(deliver(text))
    assert await out(box) is None
    assert len(await reviews(box)) == 1
    assert await confirmations(box) == []
    assert [kind for kind, _, _ in await events(box)] == ["optout.review"]


async def test_whoever_is_out_is_not_reviewed(box):
    await box.receive(deliver("STOP"))
    await box.receive(deliver("please stop", at=START + 1000))
    assert await reviews(box) == []


@pytest.mark.parametrize("sender", ["70070", "Example"])
async def test_services_are_not_heard(box, sender):
    await box.receive(deliver("STOP", sender=sender))
    assert await box.count("opt_outs") == 0
    assert await confirmations(box) == []
    assert await reviews(box) == []


async def test_a_national_sender_is_completed(box):
    await box.receive(deliver("STOP", sender="07911123456"))
    assert await out(box, "+447911123456")


async def test_a_number_that_cannot_be_completed_goes_to_a_person(box):
    await box.receive(deliver("STOP", sender="99999999999"))
    assert await reviews(box) == [("99999999999", "STOP")]


async def test_no_texts_no_answers(tmp_path):
    silent = OptOutConfig(confirmation="", welcome_back="")
    box = await InboundBox(tmp_path / "silent.db", opt_out=silent).open()
    await box.receive(deliver("STOP"))
    assert await out(box)
    assert await confirmations(box) == []
    await box.close()


async def test_disabled_it_hears_nothing(tmp_path):
    box = await InboundBox(tmp_path / "deaf.db", opt_out=OptOutConfig(enabled=False)).open()
    await box.receive(deliver("STOP"))
    assert await out(box) is None
    await box.close()


async def test_in_a_loop_nothing_is_answered(box):
    box.muted.add(SENDER)
    await box.receive(deliver("STOP"))
    assert await out(box)
    assert await confirmations(box) == []


async def test_an_answer_that_may_not_be_sent_does_not_keep_the_opt_out_from_counting(tmp_path):
    endless = OptOutConfig(confirmation="x" * 999 + "€" * 999)
    box = await InboundBox(tmp_path / "endless.db", opt_out=endless).open()
    await box.receive(deliver("STOP"))
    assert await out(box)
    assert await confirmations(box) == []
    await box.close()


async def test_a_long_message_is_heard_when_it_is_whole(box):
    for pdu in long_message("unsubscribe", size=6):
        assert await out(box) is None
        await box.receive(pdu)
    assert await out(box)
    assert len(await confirmations(box)) == 1


async def test_a_message_that_lacks_a_part_goes_to_a_person(box):
    await box.receive(deliver("STOP", concat=Concat(9, 2, 1)))
    box.clock.turn(SHOW_AFTER_MS + 1)
    assert await box.receiving.sweep() == 1
    assert await out(box) is None
    assert await reviews(box) == [(SENDER, "STOP")]


@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_leaves_all_or_nothing(box, after):
    """The write breaks before or after it did its work; what was read from the modem is read again."""
    box.store.after = after
    box.store.fails = lambda _: sqlite3.OperationalError("disk I/O error")
    pdu = box.raw(deliver("STOP"), index=4)
    with pytest.raises(Exception, match="disk"):
        await box.receiving.store(pdu)
    assert (await out(box), await confirmations(box), await box.texts()) == (None, [], [])
    await box.reopen()
    await box.receiving.store(pdu)
    await box.reopen()
    await box.receiving.store(pdu)
    assert await out(box)
    assert len(await confirmations(box)) == 1
    assert await books(box) == 1
