"""What the emulator writes as DELIVER and STATUS-REPORT, as our codec reads it, also spoilt on the air."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from modembank.tpdu import (
    Address,
    Alphabet,
    Concat,
    Dcs,
    DeliverTpdu,
    MalformedTpdu,
    ReportClass,
    StatusReportTpdu,
    Timestamp,
    TypeOfNumber,
    decode_pdu,
    encode_pdu,
    join_parts,
)
from modembank_emulator import pdu as theirs
from modembank_emulator.reports import DELIVERED, EXPIRED, REJECTED, STILL_TRYING
from tpdu.strategies import delivers, gsm_text, mixed_text, moments, names, octet, status_reports

SMSC = "+15559990000"
NUMBERS = st.one_of(
    st.text(st.sampled_from("0123456789"), min_size=1, max_size=20),
    st.text(st.sampled_from("0123456789"), min_size=1, max_size=20).map("+{}".format),
    st.text(st.sampled_from("0123456789*#"), min_size=1, max_size=12),
)
QUARTERS = st.integers(-48, 56).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
MINUTES = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
NOON = datetime(2026, 3, 29, 12, tzinfo=timezone(timedelta(hours=2)))


def deliver(sender: str, data: theirs.UserData, at: datetime = NOON, *, smsc: str = SMSC, pid: int = 0) -> DeliverTpdu:
    octets = theirs.encode_deliver(smsc, sender, data, at, pid=pid)
    decoded = decode_pdu(octets.hex(), tpdu_length=theirs.tpdu_length(octets))
    assert (decoded.smsc.number if decoded.smsc else "") == smsc
    assert isinstance(decoded.tpdu, DeliverTpdu)
    assert not decoded.tpdu.more_messages
    # Read and written again, it is the same PDU.
    assert encode_pdu(decoded.tpdu, decoded.smsc) == (octets.hex().upper(), theirs.tpdu_length(octets))
    return decoded.tpdu


@given(number=NUMBERS, smsc=st.one_of(st.just(""), NUMBERS), pid=octet)
def test_senders_and_centres(number: str, smsc: str, pid: int) -> None:
    read = deliver(number, theirs.encode_user_data("x"), smsc=smsc, pid=pid)
    assert (read.originator.number, read.originator.is_name, read.pid) == (number, False, pid)


@given(name=names)
@example(name="cab")  # letters that are also semi-octets are still a name
@example(name="abc")
@example(name="Shop@Ab@")
def test_sender_names(name: str) -> None:
    assume(not any(char in "0123456789*#+" for char in name))
    assume(len(name) % 8 or not name.endswith("@"))  # cannot be told from a padded name of seven
    read = deliver(name, theirs.encode_user_data("x"))
    assert read.originator.is_name
    assert read.originator.digits == name


@given(text=st.text(max_size=14))
def test_a_sender_of_any_characters_is_bounded_and_clean(text: str) -> None:
    assume(text)
    octets = theirs.encode_deliver(SMSC, text, theirs.encode_user_data("x"), NOON)
    read = decode_pdu(octets).tpdu
    assert isinstance(read, DeliverTpdu)
    assert len(read.originator.digits) <= 20
    assert read.originator.digits.isprintable() or "\xa0" in read.originator.digits
    assert read.timestamp.moment == NOON


@given(at=moments)
def test_time_stamps_of_every_zone(at: datetime) -> None:
    read = deliver("+4712345678", theirs.encode_user_data("x"), at).timestamp
    assert read.moment == at
    assert read.moment.utcoffset() == at.utcoffset()
    assert read == Timestamp.of(at)


@given(at=moments, zone=MINUTES)
@example(at=NOON, zone=timezone(timedelta(hours=5, minutes=53)))
def test_zones_between_quarters_keep_the_moment(at: datetime, zone: timezone) -> None:
    local = at.astimezone(zone)
    assume(1991 <= local.year <= 2088)
    read = deliver("+4712345678", theirs.encode_user_data("x"), local).timestamp
    assert read.moment == Timestamp.of(local).moment == at


@given(at=moments)
def test_they_show_time_stamps_in_text_mode_as_we_read_them(at: datetime) -> None:
    octets = theirs.encode_deliver(SMSC, "+4712345678", theirs.encode_user_data("x"), at)
    _, shown = theirs.decode_sender(octets)
    stamp, sign, quarters = shown[:17], shown[17], int(shown[18:])
    offset = timedelta(minutes=15 * quarters * (-1 if sign == "-" else 1))
    local = datetime.strptime(stamp, "%y/%m/%d,%H:%M:%S").replace(tzinfo=timezone(offset))
    if 1990 <= at.year < 2069:  # strptime's own century turns at 69
        assert local == at or local.year != at.year
    assert offset == at.utcoffset()


@given(text=mixed_text, wide=st.booleans(), flash=st.booleans(), reference=octet)
def test_texts_in_parts(text: str, wide: bool, flash: bool, reference: int) -> None:
    pieces = theirs.split_text(text, wide=wide)
    assume(len(pieces) < 256)
    parts = []
    for number, piece in enumerate(pieces, 1):
        place = theirs.Concat(reference, len(pieces), number) if len(pieces) > 1 else None
        read = deliver("+4712345678", theirs.encode_user_data(piece, concat=place, wide=wide, flash=flash))
        assert read.user_data.text == piece
        assert (read.dcs.message_class == 0) is flash
        concat = read.user_data.concat
        if place is None:
            assert concat is None
        else:
            assert concat == Concat(reference, len(pieces), number, wide)
        parts.append(read.user_data)
    assert join_parts(parts).text == text


@given(payload=st.binary(max_size=133), reference=octet)
def test_binary_parts_pass_unread(payload: bytes, reference: int) -> None:
    header = bytes([5, 0, 3, reference, 2, 1])
    read = deliver("+4712345678", theirs.UserData(True, 0x04, len(header + payload), header + payload))
    assert (read.user_data.alphabet, read.user_data.payload, read.user_data.text) == (Alphabet.OCTET, payload, None)


@given(reference=octet, number=NUMBERS, sent=moments, done=moments, status=octet)
def test_reports(reference: int, number: str, sent: datetime, done: datetime, status: int) -> None:
    octets = theirs.encode_report(SMSC, reference, number, sent, done, status=status)
    read = decode_pdu(octets, tpdu_length=theirs.tpdu_length(octets)).tpdu
    assert isinstance(read, StatusReportTpdu)
    assert (read.reference, read.recipient.number, read.status.value) == (reference, number, status)
    assert (read.timestamp.moment, read.discharge.moment) == (sent, done)
    assert (read.optional_error, read.for_command, read.more_messages) == ("", False, False)


def test_the_emulators_statuses_mean_what_their_names_say() -> None:
    meanings = {DELIVERED: "delivered", STILL_TRYING: "pending", EXPIRED: "failed", REJECTED: "failed"}
    for status, meaning in meanings.items():
        octets = theirs.encode_report(SMSC, 0, "+4712345678", NOON, NOON, status=status)
        read = decode_pdu(octets).tpdu
        assert isinstance(read, StatusReportTpdu)
        assert read.status.report_class is ReportClass(meaning)


@given(tpdu=delivers)
@settings(max_examples=200)
def test_our_delivers_as_they_show_them(tpdu: DeliverTpdu) -> None:
    assume(tpdu.originator.digits)
    assume(tpdu.user_data.udh is None or not tpdu.user_data.udh.remainder)
    octets = bytes.fromhex(encode_pdu(tpdu)[0])
    seen = theirs.decode_user_data(octets)
    assert (seen.dcs, seen.has_header) == (tpdu.dcs.value, tpdu.user_data.udh is not None)
    if tpdu.dcs.compressed or tpdu.user_data.alphabet is Alphabet.OCTET:
        assert seen.text() is None
    elif (text := seen.text()) is not None:
        assert text == tpdu.user_data.text
    sender, _ = theirs.decode_sender(octets)
    if tpdu.originator.type is not TypeOfNumber.ALPHANUMERIC:
        assert sender == tpdu.originator.number


@given(tpdu=st.one_of(delivers, status_reports()), flips=st.lists(st.tuples(st.integers(0, 200), octet), max_size=4))
@settings(max_examples=200)
def test_what_the_air_spoils_is_read_alike_or_by_neither(
    tpdu: DeliverTpdu | StatusReportTpdu, flips: list[tuple[int, int]]
) -> None:
    octets = bytearray(bytes.fromhex(encode_pdu(tpdu)[0]))
    for place, value in flips:
        octets[place % len(octets)] = value
    assume(octets[0] < len(octets) and octets[1 + octets[0]] & 3 == 0)
    try:
        seen = theirs.decode_user_data(bytes(octets))
        elements = seen.elements()
    except theirs.PduError:
        return
    try:
        read = decode_pdu(bytes(octets)).tpdu
    except MalformedTpdu as error:  # shorter than what they read
        raise AssertionError(octets.hex()) from error
    assert isinstance(read, DeliverTpdu)
    assert read.dcs == Dcs(seen.dcs)
    ours = read.user_data.udh.elements if read.user_data.udh else ()
    if not read.user_data.truncated and not read.user_data.udh_error:
        assert [(element.tag, element.value) for element in ours] == elements


@given(text=gsm_text)
def test_every_default_alphabet_text_costs_them_what_it_costs_us(text: str) -> None:
    data = theirs.encode_user_data(text[:70])
    ours = DeliverTpdu(Address.from_number("1"), Timestamp.of(NOON), deliver("1", data).user_data)
    assert ours.user_data.encode() == bytes([data.length]) + data.octets
