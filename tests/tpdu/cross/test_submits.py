"""What we write as SUBMIT, as the emulator's own codec reads it: two implementations that share no line."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from modembank.tpdu import (
    Address,
    Alphabet,
    Concat,
    Dcs,
    InformationElement,
    MalformedTpdu,
    Ports,
    SubmitTpdu,
    TypeOfNumber,
    Udh,
    UserData,
    Validity,
    ValidityFormat,
    count_segments,
    decode_pdu,
    encode_pdu,
    join_parts,
    split_text,
)
from modembank_emulator import alphabet
from modembank_emulator import pdu as theirs
from tpdu.strategies import any_text, concats, gsm_text, mixed_text, names, octet, ports, submits, validities

DIGITS = st.text(st.sampled_from("0123456789"), min_size=1, max_size=20)
E164 = st.text(st.sampled_from("0123456789"), min_size=3, max_size=15).map("+{}".format)
SERVICE_CODES = st.text(st.sampled_from("0123456789*#"), min_size=2, max_size=10)
CENTRES = st.one_of(st.none(), E164.map(Address.from_number), DIGITS.map(Address.from_number))
BITS = st.sampled_from((8, 16))


def read(tpdu: SubmitTpdu, smsc: Address | None = None) -> theirs.Submit:
    """Our PDU through their decoder, with the length that goes into AT+CMGS checked on the way."""
    digits, length = encode_pdu(tpdu, smsc)
    octets = bytes.fromhex(digits)
    assert theirs.tpdu_length(octets) == length
    return theirs.decode_submit(octets)


def flat(concat: Concat | None) -> tuple[int, int, int] | None:
    return None if concat is None else (concat.reference, concat.total, concat.sequence)


def their_concat(data: theirs.UserData) -> tuple[int, int, int] | None:
    concat = data.concat()
    return None if concat is None else (concat.reference, concat.total, concat.sequence)


@given(number=st.one_of(E164, DIGITS, SERVICE_CODES), smsc=CENTRES)
def test_numbers_and_service_centres(number: str, smsc: Address | None) -> None:
    seen = read(SubmitTpdu(Address.from_number(number), UserData.of_text("x")), smsc)
    assert seen.destination == number
    assert seen.smsc == (smsc.number if smsc else "")


@given(name=names)
def test_names(name: str) -> None:
    sender = Address(f"{name[:10]}z", TypeOfNumber.ALPHANUMERIC)
    assert read(SubmitTpdu(sender, UserData.of_text("x"))).destination == f"{name[:10]}z"


@given(submit=submits)
@settings(max_examples=300)
def test_any_submit_is_a_submit_to_them_field_by_field(submit: SubmitTpdu) -> None:
    # A strict service centre refuses an empty destination, and a header that does not hold what it says.
    assume(submit.destination.digits)
    assume(submit.user_data.udh is None or not submit.user_data.udh.remainder)
    seen = read(submit)
    assert (seen.reference, seen.pid, seen.data.dcs) == (submit.reference, submit.pid, submit.dcs.value)
    assert seen.wants_report is submit.status_report
    assert bool(seen.first_octet & 0x04) is submit.reject_duplicates
    assert bool(seen.first_octet & 0x80) is submit.reply_path
    assert seen.data.has_header is (submit.user_data.udh is not None)
    elements = submit.user_data.udh.elements if submit.user_data.udh else ()
    assert seen.data.elements() == [(element.tag, element.value) for element in elements]
    assert their_concat(seen.data) == flat(submit.user_data.concat)
    assert seen.validity == (submit.validity.encode() if submit.validity else b"")
    assert seen.validity_format == (submit.validity.format if submit.validity else ValidityFormat.NONE)


@given(value=octet)
def test_the_alphabet_of_every_coding_scheme(value: int) -> None:
    dcs = Dcs(value)
    kinds = {Alphabet.GSM7: "7bit", Alphabet.OCTET: "8bit", Alphabet.UCS2: "ucs2"}
    assert theirs.coding(value) == ("compressed" if dcs.compressed else kinds[dcs.alphabet])


@given(validity=validities)
def test_validity_lasts_as_long_for_them(validity: Validity | None) -> None:
    seen = read(SubmitTpdu(Address.from_number("+4712345678"), UserData(), validity=validity))
    if validity is not None and validity.format is ValidityFormat.RELATIVE:
        assert validity.duration == timedelta(seconds=seen.validity_s() or 0)
    else:
        assert seen.validity_s() is None


@given(seconds=st.floats(300, 63 * 7 * 86400))
def test_no_message_outlives_the_validity_that_was_asked_for(seconds: float) -> None:
    seen = read(SubmitTpdu(Address.from_number("+4712345678"), UserData(), validity=Validity.for_seconds(seconds)))
    granted = seen.validity_s()
    assert granted is not None
    assert granted <= seconds
    longer = seen.validity[0] + 1
    if longer < 256:  # and the next longer one would have been too long
        next_up = read(SubmitTpdu(Address.from_number("1"), UserData(), validity=Validity.relative(longer)))
        assert (next_up.validity_s() or 0) > seconds


@given(text=mixed_text, reference=st.integers(0, 255))
def test_any_text_in_parts_is_their_text(text: str, reference: int) -> None:
    split = split_text(text, reference=reference)
    seen = [read(SubmitTpdu.for_part(Address.from_number("+4712345678"), part)).data for part in split.parts]
    assert "".join(data.text() or "" for data in seen) == text
    places = [their_concat(data) for data in seen]
    if len(seen) > 1:
        assert places == [(reference, len(seen), number) for number in range(1, len(seen) + 1)]
    else:
        assert places == [None]


@given(text=st.one_of(gsm_text, any_text), bits=BITS)
def test_we_never_need_more_parts_than_they(text: str, bits: int) -> None:
    parts = theirs.split_text(text, wide=bits == 16)
    assert count_segments(text, reference_bits=bits).segments == len(parts)


@given(text=gsm_text)
def test_the_alphabets_agree_on_what_fits(text: str) -> None:
    assert alphabet.fits(text)
    assert UserData.of_text(text).alphabet is Alphabet.GSM7
    assert UserData.of_text(text).payload == alphabet.to_septets(text)


@given(char=st.characters())
def test_the_alphabets_agree_character_by_character(char: str) -> None:
    assume(not "\ud800" <= char <= "\udfff")
    assert (UserData.of_text(char).alphabet is Alphabet.GSM7) is alphabet.fits(char)


@given(text=st.text(st.sampled_from("ab€[]~é"), max_size=40), concat=concats, ports=st.one_of(st.none(), ports))
def test_text_behind_a_header_of_any_size(text: str, concat: Concat, ports: Ports | None) -> None:
    udh = Udh.build(concat=concat, ports=ports)
    data = read(SubmitTpdu(Address.from_number("+4712345678"), UserData.of_text(text, udh))).data
    assert data.text() == text
    assert their_concat(data) == flat(concat)


@given(text=mixed_text, bits=BITS)
def test_their_parts_join_into_our_text(text: str, bits: int) -> None:
    pieces = theirs.split_text(text, wide=bits == 16)
    assume(len(pieces) <= 255)
    parts = []
    for number, piece in enumerate(pieces, 1):
        place = theirs.Concat(7, len(pieces), number) if len(pieces) > 1 else None
        data = theirs.encode_user_data(piece, concat=place, wide=bits == 16)
        octets = theirs.encode_submit("+4712345678", data, first_octet=0x01)
        tpdu = decode_pdu(octets, direction="outbound").tpdu
        assert tpdu.user_data is not None
        assert tpdu.user_data.udh_error == ""
        parts.append(tpdu.user_data)
    assert join_parts(parts[::-1]).text == text


@given(octets=st.binary(max_size=60), flips=st.lists(st.tuples(st.integers(0, 59), octet), max_size=3))
def test_whatever_they_take_as_a_submit_means_the_same_to_us(octets: bytes, flips: list[tuple[int, int]]) -> None:
    base = bytes.fromhex("0031000B915155000000F50000FF0AE8329BFD4697D9EC37")
    spoiled = bytearray(base[: 13 + len(octets) % 12] + octets if len(octets) % 3 == 0 else base)
    for place, value in flips:
        spoiled[place % len(spoiled)] = value
    try:
        seen = theirs.decode_submit(bytes(spoiled))
    except theirs.PduError:
        return
    try:
        tpdu = decode_pdu(bytes(spoiled), direction="outbound").tpdu
    except MalformedTpdu as error:
        raise AssertionError(spoiled.hex()) from error
    assert isinstance(tpdu, SubmitTpdu)
    assert (tpdu.reference, tpdu.pid, tpdu.dcs.value) == (seen.reference, seen.pid, seen.data.dcs)
    if not tpdu.destination.is_name and "f" not in seen.destination:
        assert tpdu.destination.number == seen.destination
    assert tpdu.status_report is seen.wants_report
    assert flat(tpdu.user_data.concat) == their_concat(seen.data)
    if (text := seen.data.text()) is not None:
        assert tpdu.user_data.text == text


@given(
    places=st.lists(st.tuples(st.sampled_from((0x00, 0x08, 0x05, 0x70)), st.binary(min_size=3, max_size=4)), max_size=4)
)
def test_repeated_and_impossible_concatenation_elements(places: list[tuple[int, bytes]]) -> None:
    # The last of repeated elements counts, an impossible place is ignored (3GPP TS 23.040 9.2.3.24, 9.2.3.24.1).
    udh = Udh(tuple(InformationElement(tag, value) for tag, value in places))
    data = read(SubmitTpdu(Address.from_number("1"), UserData(Alphabet.OCTET, b"", udh), Dcs(0x04))).data
    assert their_concat(data) == flat(udh.concat)
