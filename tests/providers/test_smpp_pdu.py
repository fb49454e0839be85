"""The codec: against itself, against a public library, and against anything at all."""

import contextlib
import struct
from datetime import timedelta

import aiosmpplib as oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.smsc import Submitted, deliver_body, tlv
from modembank.providers.adapters.smpp_pdu import (
    PDU_LIMIT,
    Address,
    Bind,
    Command,
    Framer,
    MalformedPdu,
    Pdu,
    ShortMessage,
    Tag,
    c_string,
    message_id,
)
from modembank.providers.adapters.smpp_text import relative_period

OCTET = st.integers(0, 255)
STRING = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=40)
ADDRESS = st.builds(Address, OCTET, OCTET, STRING)
TLVS = st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=60), max_size=6)
MESSAGE = st.builds(
    ShortMessage,
    source=ADDRESS,
    destination=ADDRESS,
    octets=st.binary(max_size=254),
    esm_class=OCTET,
    data_coding=OCTET,
    registered_delivery=OCTET,
    validity=STRING,
    service_type=STRING,
    protocol_id=OCTET,
    priority=OCTET,
    scheduled=STRING,
    replace=OCTET,
    default_message=OCTET,
    tlvs=TLVS,
)
PDU = st.builds(Pdu, *[st.integers(0, 0xFFFF_FFFF)] * 3, st.binary(max_size=300))


class TestFraming:
    """From a stream to PDUs."""

    @given(st.lists(PDU, max_size=8), st.data())
    def test_any_cut_gives_the_same(self, pdus, data):
        stream = b"".join(pdu.encode() for pdu in pdus)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
        framer, found = Framer(), []
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            found += framer.feed(stream[start:end])
        assert found == pdus
        assert framer.broken is None

    def test_one_octet_at_a_time(self):
        pdu = Pdu(4, 0, 7, b"body")
        framer = Framer()
        found = [one for octet in pdu.encode() for one in framer.feed(bytes((octet,)))]
        assert found == [pdu]

    @pytest.mark.parametrize("length", [0, 1, 15, PDU_LIMIT + 1, 0x7FFF_FFFF, 0xFFFF_FFFF])
    def test_an_impossible_length_breaks_it_behind_what_came_before(self, length):
        framer = Framer()
        good = Pdu(Command.ENQUIRE_LINK, 0, 1)
        assert framer.feed(good.encode() + struct.pack(">I", length) + b"\0" * 100) == [good]
        assert framer.broken == f"a PDU of {length} octets"
        assert framer.feed(good.encode()) == []

    def test_the_longest_is_taken(self):
        pdu = Pdu(5, 0, 1, b"x" * (PDU_LIMIT - 16))
        assert Framer().feed(pdu.encode()) == [pdu]

    @given(st.lists(st.binary(max_size=200), max_size=20))
    def test_no_more_is_kept_than_one_pdu(self, chunks):
        framer = Framer()
        for chunk in chunks:
            framer.feed(chunk)
            assert len(framer._octets) <= PDU_LIMIT

    def test_what_is_a_response(self):
        assert Pdu(Command.GENERIC_NACK, 0, 1).is_response
        assert Pdu(0x80000004, 0, 1).is_response
        assert not Pdu(Command.DELIVER_SM, 0, 1).is_response


class TestMessages:
    """Bodies."""

    @given(MESSAGE)
    def test_what_is_written_is_read(self, message):
        assert ShortMessage.decode(message.encode()) == message

    @given(MESSAGE)
    def test_another_reader_reads_the_same(self, message):
        other = Submitted.read(1, message.encode())
        assert other.fields["source"] == message.source.digits.encode("latin-1")
        assert other.fields["dest"] == message.destination.digits.encode("latin-1")
        assert other.fields["text"] == message.octets
        assert other.fields["validity"] == message.validity.encode("latin-1")
        assert other.tlvs == message.tlvs
        numbers = {
            "source_ton": message.source.ton,
            "dest_npi": message.destination.npi,
            "esm_class": message.esm_class,
            "coding": message.data_coding,
            "registered": message.registered_delivery,
            "priority": message.priority,
            "protocol": message.protocol_id,
            "replace": message.replace,
            "default": message.default_message,
        }
        assert {name: other.number(name) for name in numbers} == numbers

    @given(MESSAGE, st.data())
    def test_a_cut_one_is_malformed_or_loses_parameters_alone(self, message, data):
        body = message.encode()
        cut = data.draw(st.integers(0, len(body)))
        try:
            found = ShortMessage.decode(body[:cut])
        except MalformedPdu:
            return
        assert found.octets == message.octets
        assert found.tlvs.items() <= message.tlvs.items()

    @given(st.binary(max_size=400))
    def test_anything_is_a_message_or_malformed(self, body):
        for decode in (ShortMessage.decode, ShortMessage.decode_data_sm):
            with contextlib.suppress(MalformedPdu):
                assert len(decode(body).content) <= len(body)

    @given(MESSAGE, st.data())
    def test_a_damaged_one_is_a_message_or_malformed(self, message, data):
        body = bytearray(message.encode())
        for _ in range(data.draw(st.integers(1, 4))):
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(OCTET)
        with contextlib.suppress(MalformedPdu):
            ShortMessage.decode(bytes(body))

    def test_a_payload_that_is_cut_is_malformed(self):
        with pytest.raises(MalformedPdu, match="within message_payload"):
            ShortMessage.decode(deliver_body(tlvs=tlv(Tag.MESSAGE_PAYLOAD, b"long text")[:-1]))

    def test_a_remainder_is_skipped(self):
        body = deliver_body(b"hello", tlvs=tlv(Tag.MESSAGE_STATE, b"\2") + b"\x14\x01\x00\xff\1")
        found = ShortMessage.decode(body)
        assert (found.octets, found.tlvs) == (b"hello", {Tag.MESSAGE_STATE: b"\2"})

    def test_the_first_of_a_doubled_parameter_counts(self):
        body = deliver_body(tlvs=tlv(Tag.MESSAGE_PAYLOAD, b"first") + tlv(Tag.MESSAGE_PAYLOAD, b"second"))
        assert ShortMessage.decode(body).content == b"first"

    def test_short_message_comes_before_the_payload(self):
        assert ShortMessage.decode(deliver_body(b"short", tlvs=tlv(0x0424, b"long"))).content == b"short"

    def test_a_nul_in_a_string_is_refused(self):
        with pytest.raises(ValueError, match="NUL"):
            c_string("a\0b")

    @pytest.mark.parametrize(
        ("body", "name"),
        [(b"", ""), (b"\0", ""), (b"77\0", "77"), (b"77", "77"), (b" 77 \0x", "77"), (b"\xff\0", "ÿ")],
    )
    def test_message_ids(self, body, name):
        assert message_id(body) == name


GSM = st.text("abcdefghijklmnopqrstuvwxyz @£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞ{}[]~|€\\^", min_size=1, max_size=100)
PHONE = st.text("0123456789", min_size=3, max_size=20)


class TestAgainstAPublicLibrary:
    """aiosmpplib writes and reads by its own code."""

    @given(
        st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=15),
        st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8),
        st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12),
    )
    def test_bind(self, system_id, password, system_type):
        theirs = oracle.BindTransceiver(
            sequence_num=9, system_id=system_id, password=password, system_type=system_type, address_range="^4"
        )
        ours = Bind(system_id, password, system_type, Address(0, 0, "^4"))
        assert Pdu(Command.BIND_TRANSCEIVER, 0, 9, ours.encode()).encode() == theirs.pdu()

    @given(GSM, PHONE, PHONE, st.integers(60, 30 * 86_400 - 1))
    def test_it_writes_submit_sm_as_we_do(self, text, source, dest, seconds):
        theirs = oracle.SubmitSm(
            sequence_num=3,
            short_message=text,
            source=oracle.PhoneNumber(source, oracle.TON.INTERNATIONAL, oracle.NPI.ISDN),
            destination=oracle.PhoneNumber(dest, oracle.TON.INTERNATIONAL, oracle.NPI.ISDN),
            validity_period=timedelta(seconds=seconds),
        )
        octets, _ = oracle.GSM7BitCodec().encode(text)
        ours = ShortMessage(
            Address(1, 1, source), Address(1, 1, dest), octets, registered_delivery=1, validity=relative_period(seconds)
        )
        assert Pdu(Command.SUBMIT_SM, 0, 3, ours.encode()).encode() == theirs.pdu()

    @given(GSM, PHONE, st.sampled_from([0, 4, 0x40]))
    def test_it_reads_deliver_sm_as_we_do(self, text, source, esm_class):
        octets, _ = oracle.GSM7BitCodec().encode(text)
        if esm_class == 0x40:
            octets = bytes((5, 0, 3, 7, 2, 1)) + octets
        body = deliver_body(octets, source=source.encode(), esm_class=esm_class)
        pdu = Pdu(Command.DELIVER_SM, 0, 1, body).encode()
        header = oracle.SmppMessage.parse_header(pdu)
        theirs = oracle.DeliverSm.from_pdu(pdu, header, "gsm0338")
        ours = ShortMessage.decode(body)
        assert theirs.source.number == ours.source.digits
        assert theirs.destination.number == ours.destination.digits
        assert theirs.esm_class == ours.esm_class
        assert oracle.GSM7BitCodec().decode(ours.octets[6 if esm_class == 0x40 else 0 :])[0] == theirs.short_message

    @given(st.text(min_size=1, max_size=300).filter(lambda text: text.isprintable()), PHONE)
    def test_it_reads_what_we_put_into_a_payload(self, text, dest):
        octets = text.encode("utf-16-be")
        ours = ShortMessage(
            destination=Address(1, 1, dest), data_coding=8, tlvs={Tag.MESSAGE_PAYLOAD: octets}, registered_delivery=1
        )
        pdu = Pdu(Command.SUBMIT_SM, 0, 1, ours.encode()).encode()
        theirs = oracle.SubmitSm.from_pdu(pdu, oracle.SmppMessage.parse_header(pdu), "gsm0338")
        assert theirs.message_payload == text
