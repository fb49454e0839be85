"""What an SMSC delivers: receipts and messages, answered when they are durable."""

import asyncio
import random

import pytest

from fakes.esmes import esme, until
from fakes.smsc import DATA_SM, DELIVER_SM, deliver_body, pdu, smsc, tlv
from modembank.providers.adapters import smpp_inbound, smpp_link
from modembank.providers.model import Receipt, ReceiptStatus

RECEIPT = 0x04
TEMPORARY, PERMANENT = 0x64, 0x65


def udh(reference, total, number, text):
    return bytes((5, 0, 3, reference, total, number)) + text


def receipt_text(name="1", stat="DELIVRD", err="000"):
    return (
        f"id:{name} sub:001 dlvrd:001 submit date:2611271159 done date:2611271200 stat:{stat} err:{err} text:hello"
    ).encode()


@pytest.fixture
def quick_parts(monkeypatch):
    monkeypatch.setattr(smpp_inbound, "PART_HOLD_S", 0.05)


class TestReceipts:
    """From deliver_sm to the sink."""

    async def test_a_receipt_of_what_was_sent(self):
        async with smsc() as centre, esme(centre.port, utc_offset_minutes=60) as box:
            reference = (await box.send()).reference
            assert await centre.session.deliver(deliver_body(receipt_text(reference), esm_class=RECEIPT)) == 0
            assert box.sink.receipts == [
                Receipt(reference, ReceiptStatus.DELIVERED, "DELIVRD", 1_795_777_200_000),
            ]
            assert box.sink.arrivals == []

    async def test_it_is_answered_when_it_is_durable_and_not_before(self):
        async with smsc() as centre, esme(centre.port) as box:
            box.sink.open.clear()
            answered = centre.session.ask(DELIVER_SM, deliver_body(receipt_text(), esm_class=RECEIPT))
            await centre.session.enquire()
            assert not answered.done()
            box.sink.open.set()
            async with asyncio.timeout(5):
                assert await answered == 0
            assert len(box.sink.receipts) == 1

    async def test_one_that_could_not_be_stored_comes_again(self):
        async with smsc() as centre, esme(centre.port) as box:
            box.sink.fails = 1
            body = deliver_body(receipt_text(), esm_class=RECEIPT)
            assert await centre.session.deliver(body) == TEMPORARY
            assert box.sink.receipts == []
            assert await centre.session.deliver(body) == 0
            assert len(box.sink.receipts) == 1

    async def test_by_data_sm_too(self):
        body = b"\0\1\1491701234567\0\3\00012345\0" + bytes((RECEIPT, 0, 0))
        body += tlv(0x001E, b"77\0") + tlv(0x0427, b"\x05") + tlv(0x0423, b"\x03\x00\x0b")
        async with smsc() as centre, esme(centre.port) as box:
            assert await centre.session.deliver(body, command=DATA_SM) == 0
            assert box.sink.receipts == [Receipt("77", ReceiptStatus.FAILED, "UNDELIV err:03000b")]

    async def test_a_receipt_of_nothing_is_taken_and_logged(self):
        async with smsc() as centre, esme(centre.port) as box:
            assert await centre.session.deliver(deliver_body(b"what?", esm_class=RECEIPT)) == 0
            assert box.sink.receipts == []
            assert box.sink.arrivals == []

    async def test_acknowledgements_of_people_are_no_messages(self):
        async with smsc() as centre, esme(centre.port) as box:
            for kind in (0x08, 0x10, 0x18):
                assert await centre.session.deliver(deliver_body(b"read", esm_class=kind)) == 0
            assert box.sink.receipts == []
            assert box.sink.arrivals == []

    @pytest.mark.parametrize(
        ("receipt_id", "answered", "in_receipt"),
        [
            ("same", b"0A3F", "0A3F"),
            ("decimal", b"0A3F", "2623"),
            ("decimal", b"a3f", "0000002623"),
            ("hex", b"2623", "A3F"),
            ("hex", b"2623", "00000a3f"),
        ],
    )
    async def test_receipts_find_their_message_however_they_name_it(self, receipt_id, answered, in_receipt):
        async with (
            smsc(on_submit=lambda session, one: session.answer(one, 0, answered)) as centre,
            esme(centre.port, receipt_id=receipt_id) as box,
        ):
            result = await box.send()
            await centre.session.deliver(deliver_body(receipt_text(in_receipt), esm_class=RECEIPT))
            assert box.sink.receipts[0].reference == result.reference

    async def test_over_the_receiver_of_a_pair(self):
        async with smsc() as centre, esme(centre.port, bind="pair") as box:
            await until(lambda: len([one for one in centre.sessions if one.bound]) == 2)
            result = await box.send()
            receiver = next(one for one in centre.sessions if one.mode == 1)
            await receiver.deliver(deliver_body(receipt_text(result.reference), esm_class=RECEIPT))
            assert box.sink.receipts[0].reference == result.reference


class TestMessages:
    """From deliver_sm to the sink."""

    async def test_a_message(self):
        async with smsc() as centre, esme(centre.port) as box:
            assert await centre.session.deliver(deliver_body(b"h\x05llo \x1b\x65")) == 0
            [arrival] = box.sink.arrivals
            assert (arrival.sender, arrival.to, arrival.text) == ("+491701234567", "12345", "héllo €")
            assert arrival.key
            assert arrival.sent_at_ms is None

    async def test_it_is_answered_when_it_is_durable_and_not_before(self):
        async with smsc() as centre, esme(centre.port) as box:
            box.sink.open.clear()
            answered = centre.session.ask(DELIVER_SM, deliver_body(b"hello"))
            await centre.session.enquire()
            assert not answered.done()
            assert box.sink.arrivals == []
            box.sink.open.set()
            async with asyncio.timeout(5):
                assert await answered == 0
            assert box.sink.texts == ["hello"]

    async def test_one_that_could_not_be_stored_comes_again_under_its_key(self):
        async with smsc() as centre, esme(centre.port) as box:
            box.sink.fails = 2
            for status in (TEMPORARY, TEMPORARY, 0):
                assert await centre.session.deliver(deliver_body(b"hello")) == status
            assert box.sink.texts == ["hello"]

    async def test_the_same_word_twice_is_two_messages(self):
        async with smsc() as centre, esme(centre.port) as box:
            for _ in range(3):
                assert await centre.session.deliver(deliver_body(b"yes")) == 0
            assert box.sink.texts == ["yes"] * 3
            assert len({arrival.key for arrival in box.sink.arrivals}) == 3

    async def test_even_when_both_come_in_one_packet(self):
        async with smsc() as centre, esme(centre.port) as box:
            session = centre.session
            async with asyncio.timeout(5):
                await asyncio.gather(*(session.ask(DELIVER_SM, deliver_body(b"yes")) for _ in range(4)))
            assert box.sink.texts == ["yes"] * 4

    async def test_one_whose_answer_was_lost_with_the_session_is_one(self, quick_reconnect):
        async with smsc() as centre, esme(centre.port) as box:
            box.sink.open.clear()
            centre.session.ask(DELIVER_SM, deliver_body(b"hello"))
            await centre.session.enquire()
            centre.session.cut()
            box.sink.open.set()
            await until(lambda: len(centre.binds) == 2)
            await box.ready()
            assert await centre.session.deliver(deliver_body(b"hello"), sequence=99) == 0
            assert box.sink.texts == ["hello"]

    async def test_one_that_was_answered_is_forgotten_once_the_smsc_has_read_that(self, quick_reconnect):
        async with smsc() as centre, esme(centre.port) as box:
            assert await centre.session.deliver(deliver_body(b"hello")) == 0
            await box.send()  # its answer proves that the SMSC has read the one before
            centre.session.cut()
            await until(lambda: len(centre.binds) == 2)
            await box.ready()
            assert await centre.session.deliver(deliver_body(b"hello")) == 0
            assert box.sink.texts == ["hello", "hello"]

    async def test_the_same_sequence_number_is_the_same_message(self):
        async with smsc() as centre, esme(centre.port) as box:
            for _ in range(2):
                assert await centre.session.deliver(deliver_body(b"hello"), sequence=7) == 0
            assert box.sink.texts == ["hello"]

    @pytest.mark.parametrize(
        ("octets", "coding", "text"),
        [
            ("Grüße 🙂".encode("utf-16-be"), 8, "Grüße 🙂"),
            (b"Gr\xfc\xdfe", 3, "Grüße"),
            (b"plain", 1, "plain"),
            ("Привет".encode("iso8859_5"), 6, "Привет"),
            (b"flash", 0xF0, "flash"),
            (b"flash", 0x10, "flash"),
            ("水".encode("utf-16-be"), 0x18, "水"),
            (b"\x00\x01\xff", 4, "[binary] 0001ff"),
            (b"\x00\x01\xff", 2, "[binary] 0001ff"),
            (b"\x00\x01\xff", 0xF5, "[binary] 0001ff"),
            (b"odd", 8, "潤\ufffd"),
            (b"", 0, ""),
        ],
    )
    async def test_codings(self, octets, coding, text):
        async with smsc() as centre, esme(centre.port) as box:
            assert await centre.session.deliver(deliver_body(octets, coding=coding)) == 0
            assert box.sink.texts == [text]

    async def test_an_smsc_whose_default_is_latin_1(self):
        async with smsc() as centre, esme(centre.port, alphabet="latin1_as_default") as box:
            await centre.session.deliver(deliver_body("àé".encode("latin-1")))
            assert box.sink.texts == ["àé"]

    async def test_message_payload_and_parameters_that_nobody_knows(self):
        tlvs = tlv(0x1400, b"vendor") + tlv(0x0424, b"long " * 1000) + tlv(0xFFFF, b"") + b"\1\2\3"
        async with smsc() as centre, esme(centre.port) as box:
            assert await centre.session.deliver(deliver_body(tlvs=tlvs)) == 0
            assert box.sink.texts == ["long " * 1000]

    @pytest.mark.parametrize(
        ("source", "ton", "plain", "sender"),
        [
            (b"491701234567", 1, False, "+491701234567"),
            (b"491701234567", 0, False, "491701234567"),
            (b"491701234567", 0, True, "+491701234567"),
            (b"12345", 0, True, "12345"),
            (b"12345", 3, True, "12345"),
            (b"My Bank", 5, True, "My Bank"),
            (b"+491701234567", 1, True, "+491701234567"),
            (b"evil\r\n\x1b[2J", 5, True, "evil[2J"),
            (b"9" * 4000, 1, True, "9" * 40),
            (b"", 0, True, ""),
        ],
    )
    async def test_senders(self, source, ton, plain, sender):
        async with smsc() as centre, esme(centre.port, plain_is_international=plain) as box:
            await centre.session.deliver(deliver_body(b"x", source=source, source_ton=ton))
            assert box.sink.arrivals[0].sender == sender

    async def test_more_at_once_than_can_be_stored_shall_come_again(self, monkeypatch):
        monkeypatch.setattr(smpp_link, "MOST_DELIVERIES", 5)
        async with smsc() as centre, esme(centre.port) as box:
            box.sink.open.clear()
            session = centre.session
            asked = [session.ask(DELIVER_SM, deliver_body(b"%d" % number)) for number in range(8)]
            await session.enquire()
            assert [one.result() for one in asked if one.done()] == [TEMPORARY] * 3
            box.sink.open.set()
            async with asyncio.timeout(5):
                await asyncio.gather(*asked)
            assert await session.deliver(deliver_body(b"7")) == 0
            assert sorted(box.sink.texts) == ["0", "1", "2", "3", "4", "7"]

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\0",
            b"no end",
            deliver_body(b"hello")[:-1],
            deliver_body(b"hello")[:20],
            deliver_body(tlvs=tlv(0x0424, b"cut short")[:-2]),
        ],
        ids=["empty", "nul", "no end", "text cut", "head cut", "payload cut"],
    )
    async def test_a_malformed_one_is_refused_for_good_and_the_session_goes_on(self, body):
        async with smsc() as centre, esme(centre.port) as box:
            assert await centre.session.deliver(body) == PERMANENT
            assert await centre.session.deliver(deliver_body(b"hello")) == 0
            assert box.sink.texts == ["hello"]
            assert len(centre.binds) == 1

    async def test_a_storm_of_nonsense_ends_nothing(self):
        dice = random.Random(4)
        async with smsc() as centre, esme(centre.port) as box:
            good = deliver_body(b"some text", tlvs=tlv(0x001E, b"77\0") + tlv(0x0424, b"x" * 30))
            for _ in range(400):
                body = bytearray(good[: dice.randrange(len(good) + 1)] if dice.random() < 0.5 else good)
                for _ in range(dice.randrange(6)):
                    if body:
                        body[dice.randrange(len(body))] = dice.randrange(256)
                centre.session.send(pdu(dice.choice([DELIVER_SM, DATA_SM]), 0, 1000, bytes(body)))
            await centre.session.enquire()
            assert len(centre.binds) == 1
            assert (await box.send()).reference == "1"


class TestParts:
    """Long messages."""

    async def test_all_at_once_are_answered_when_the_whole_is_durable(self):
        async with smsc() as centre, esme(centre.port) as box:
            box.sink.open.clear()
            session = centre.session
            bodies = [deliver_body(udh(9, 3, n, b"part %d " % n), esm_class=0x40) for n in (2, 1, 3)]
            asked = [session.ask(DELIVER_SM, body) for body in bodies]
            await session.enquire()
            assert not any(one.done() for one in asked)
            box.sink.open.set()
            async with asyncio.timeout(5):
                assert await asyncio.gather(*asked) == [0, 0, 0]
            assert box.sink.texts == ["part 1 part 2 part 3 "]

    @pytest.mark.usefixtures("quick_parts")
    async def test_one_after_the_other(self):
        async with smsc() as centre, esme(centre.port) as box:
            for number in (1, 2, 3):
                body = deliver_body(udh(9, 3, number, b"part %d " % number), esm_class=0x40)
                assert await centre.session.deliver(body) == 0
            assert box.sink.texts == ["part 1 part 2 part 3 "]

    @pytest.mark.usefixtures("quick_parts")
    async def test_the_last_one_comes_again_when_the_whole_could_not_be_stored(self):
        async with smsc() as centre, esme(centre.port) as box:
            first, last = (deliver_body(udh(9, 2, n, b"%d" % n), esm_class=0x40) for n in (1, 2))
            assert await centre.session.deliver(first) == 0
            box.sink.fails = 1
            assert await centre.session.deliver(last) == TEMPORARY
            assert await centre.session.deliver(last) == 0
            assert box.sink.texts == ["12"]

    async def test_by_sar_parameters(self):
        def part(number, text):
            sar = tlv(0x020C, b"\x12\x34") + tlv(0x020E, b"\x02") + tlv(0x020F, bytes((number,)))
            return deliver_body(text, tlvs=sar, coding=8)

        async with smsc() as centre, esme(centre.port) as box:
            text = "zusammengehörig".encode("utf-16-be")
            session = centre.session
            async with asyncio.timeout(5):
                await asyncio.gather(
                    session.ask(DELIVER_SM, part(2, text[10:])), session.ask(DELIVER_SM, part(1, text[:10]))
                )
            assert box.sink.texts == ["zusammengehörig"]

    async def test_with_a_reference_of_16_bits_behind_the_tables_of_a_language(self):
        turkish = b"\x24\1\1\x25\1\1"
        heads = [b"\x0c" + turkish + bytes((0x08, 4, 1, 2, 2, number)) for number in (1, 2)]
        async with smsc() as centre, esme(centre.port) as box:
            session = centre.session
            bodies = [deliver_body(head + b"\x1b\x47\x40", esm_class=0x40) for head in heads]
            async with asyncio.timeout(5):
                await asyncio.gather(*(session.ask(DELIVER_SM, body) for body in bodies))
            assert box.sink.texts == ["Ğİ" * 2]

    @pytest.mark.usefixtures("quick_parts")
    async def test_of_two_people_under_one_reference(self):
        async with smsc() as centre, esme(centre.port) as box:
            for number in (1, 2):
                for source in (b"491", b"492"):
                    body = deliver_body(udh(9, 2, number, source + b";"), esm_class=0x40, source=source)
                    assert await centre.session.deliver(body) == 0
            assert sorted(box.sink.texts) == ["491;491;", "492;492;"]

    @pytest.mark.usefixtures("quick_parts")
    async def test_those_that_never_become_whole_are_brought_at_the_end(self):
        async with smsc() as centre, esme(centre.port) as box:
            assert await centre.session.deliver(deliver_body(udh(9, 3, 2, b"middle"), esm_class=0x40)) == 0
            assert box.sink.texts == []
            await box.stop()
            assert box.sink.texts == ["[…]middle[…]"]

    async def test_but_not_those_that_will_come_again(self):
        async with smsc() as centre, esme(centre.port) as box:
            answered = centre.session.ask(DELIVER_SM, deliver_body(udh(9, 3, 2, b"middle"), esm_class=0x40))
            await centre.session.enquire()
            await box.stop()
            assert not answered.done()
            assert box.sink.texts == []

    @pytest.mark.usefixtures("quick_parts", "quick_reconnect")
    async def test_a_part_that_comes_again_after_the_whole_begins_nothing(self):
        async with smsc() as centre, esme(centre.port) as box:
            first, last = (deliver_body(udh(9, 2, n, b"%d" % n), esm_class=0x40) for n in (1, 2))
            assert [await centre.session.deliver(body) for body in (first, last)] == [0, 0]
            centre.session.cut()
            await until(lambda: len(centre.binds) == 2)
            await box.ready()
            assert await centre.session.deliver(last, sequence=77) == 0
            await box.stop()
            assert box.sink.texts == ["12"]

    @pytest.mark.usefixtures("quick_parts")
    async def test_or_when_they_waited_long_enough(self, monkeypatch):
        monkeypatch.setattr(smpp_inbound, "_LOOK_S", 0.02)
        monkeypatch.setattr("modembank.providers.adapters.smpp_parts.MOST_WAIT_S", 0.1)
        async with smsc() as centre, esme(centre.port) as box:
            assert await centre.session.deliver(deliver_body(udh(9, 2, 1, b"first"), esm_class=0x40)) == 0
            await until(lambda: box.sink.texts == ["first[…]"])

    async def test_a_part_of_one_is_whole(self):
        async with smsc() as centre, esme(centre.port) as box:
            assert await centre.session.deliver(deliver_body(udh(9, 1, 1, b"all"), esm_class=0x40)) == 0
            assert box.sink.texts == ["all"]

    @pytest.mark.parametrize(
        "header", [b"\xff", b"\x05\x00\x03\x09\x02\x03", b"\x05\x00\x03\x09\x00\x00", b"\x02\x00\x09"]
    )
    async def test_a_header_that_makes_no_sense_loses_no_text(self, header):
        async with smsc() as centre, esme(centre.port) as box:
            assert await centre.session.deliver(deliver_body(header + b"hello", esm_class=0x40)) == 0
            assert box.sink.texts[0].endswith("hello")


@pytest.fixture
def quick_reconnect(monkeypatch):
    from modembank.providers.adapters.smpp_keeper import PAUSES, Obstacle, Pause

    monkeypatch.setitem(PAUSES, Obstacle.LOST, Pause(0.01, 0.01))
