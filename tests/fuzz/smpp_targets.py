"""What an SMSC sends: a stream of PDUs, and what they say."""

from __future__ import annotations

from fakes.smsc import DATA_SM, DELIVER_SM, ENQUIRE_LINK, SUBMIT_SM, deliver_body, pdu, tlv
from modembank.providers.adapters.smpp_parts import text_of
from modembank.providers.adapters.smpp_pdu import PDU_LIMIT, Framer, MalformedPdu, Pdu, ShortMessage, message_id
from modembank.providers.adapters.smpp_receipts import ReceiptId, is_receipt, read_receipt, reference_of
from modembank.providers.adapters.smpp_text import DefaultAlphabet, number_of, user_data


def smpp(octets: bytes) -> None:
    """However a stream is cut it says the same, and all that it says can be shown."""
    framer = Framer()
    whole = framer.feed(octets)
    other, pieces = Framer(), []
    step = 1 + (octets[-1] if octets else 0) % 23
    for start in range(0, len(octets), step):
        pieces += other.feed(octets[start : start + step])
    assert pieces == whole
    assert other.broken == framer.broken
    assert b"".join(one.encode() for one in whole) == octets[: sum(16 + len(one.body) for one in whole)]
    for one in whole:
        assert len(one.body) <= PDU_LIMIT
        _judge(one)


def _judge(one: Pdu) -> None:
    for how in ReceiptId:
        reference = reference_of(message_id(one.body), how)
        assert reference is None or 1 <= len(reference) <= 200
    for decode in (ShortMessage.decode, ShortMessage.decode_data_sm):
        try:
            found = decode(one.body)
        except MalformedPdu:
            continue
        assert len(found.content) <= len(one.body)
        is_receipt(found)
        for how in ReceiptId:
            receipt = read_receipt(found, how, 60)
            assert receipt is None or (1 <= len(receipt.reference) <= 200 and len(receipt.detail) <= 100)
        for plain in (True, False):
            assert len(number_of(found.source, plain_is_international=plain)) <= 41
        for alphabet in DefaultAlphabet:
            part = user_data(found, alphabet)
            assert part.concat is None or 1 <= part.concat.sequence <= part.concat.total
            text_of([part]).encode("utf-8")


def smpp_seeds() -> list[bytes]:
    """PDUs as SMSCs send them, alone and in rows."""
    receipt = b"id:77 sub:001 dlvrd:001 submit date:2611271159 done date:2611271200 stat:DELIVRD err:000 text:x"
    sar = tlv(0x020C, b"\0\7") + tlv(0x020E, b"\2") + tlv(0x020F, b"\1")
    bodies = [
        deliver_body(b"hello"),
        deliver_body("水".encode("utf-16-be") * 40, coding=8),
        deliver_body(b"\5\0\3\7\2\1hello", esm_class=0x40),
        deliver_body(b"\6\x08\4\0\7\2\1hello", esm_class=0x40, coding=0xF0),
        deliver_body(b"hello", tlvs=sar),
        deliver_body(tlvs=tlv(0x0424, b"long " * 40) + tlv(0x1400, b"vendor")),
        deliver_body(receipt, esm_class=4, tlvs=tlv(0x001E, b"77\0") + tlv(0x0427, b"\2") + tlv(0x0423, b"\3\0\x0b")),
    ]
    alone = [pdu(DELIVER_SM, 0, number, body) for number, body in enumerate(bodies, 1)]
    data_sm = b"\0\1\x01491\0\3\000123\0\4\0\0" + tlv(0x001E, b"77\0") + tlv(0x0427, b"\5")
    alone += [
        pdu(DATA_SM, 0, 9, data_sm),
        pdu(ENQUIRE_LINK, 0, 10),
        pdu(SUBMIT_SM | 0x80000000, 0, 11, b"0A3F\0"),
        pdu(SUBMIT_SM | 0x80000000, 0x58, 12),
        pdu(0x80000009, 0, 1, b"smsc\0" + tlv(0x0210, b"\x34")),
        pdu(0x80000000, 3, 0),
    ]
    return [*alone, b"".join(alone), alone[0] + b"HTTP/1.1 400 Bad Request\r\n\r\n"]
