"""The emulator's own TPDU code: field by field, and nothing malformed passes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank_emulator import alphabet
from modembank_emulator import pdu as tpdu

AT = datetime(2026, 9, 3, 7, 5, 59, tzinfo=UTC)
CHARS = "".join(char for char in alphabet.BASIC if char != "\x1b") + "".join(alphabet.EXTENSION.values())


def submit(text: str = "hi", to: str = "+15550000005", *, first: int = 0x11, validity: bytes = b"\xaa") -> bytes:
    return tpdu.encode_submit(to, tpdu.encode_user_data(text), first_octet=first, validity=validity)


def test_a_submit_read_field_by_field() -> None:
    # SMSC absent, SUBMIT with relative validity and report wanted, to +15550000005, validity 63 weeks.
    read = tpdu.decode_submit(bytes.fromhex("0031000B915155000000F50000FF0AE8329BFD4697D9EC37"))
    assert (read.smsc, read.reference, read.destination, read.pid) == ("", 0, "+15550000005", 0)
    assert read.wants_report
    assert read.data.text() == "hellohello"
    assert read.validity_s() == 63 * 7 * 86400


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(0, 300), (143, 43200), (144, 45000), (167, 86400), (168, 172800), (196, 30 * 86400), (197, 5 * 604800)],
)
def test_relative_validity_at_the_seams(value: int, seconds: int) -> None:
    assert tpdu.decode_submit(submit(validity=bytes([value]))).validity_s() == seconds


def test_other_validity_forms_are_skipped_by_their_size() -> None:
    assert tpdu.decode_submit(submit(first=0x01, validity=b"")).validity_s() is None
    absolute = tpdu.decode_submit(submit(first=0x19, validity=bytes(7)))
    assert absolute.validity_s() is None
    assert absolute.data.text() == "hi"


def test_a_service_centre_in_the_pdu_is_read() -> None:
    octets = tpdu.encode_smsc("+15559990000") + submit()[1:]
    assert tpdu.decode_submit(octets).smsc == "+15559990000"
    assert tpdu.tpdu_length(octets) == len(octets) - 8


@pytest.mark.parametrize("number", ["+15550000005", "15550000005", "12345", "*100#", "0301ab"])
def test_numbers_of_both_kinds_and_parities(number: str) -> None:
    assert tpdu.decode_submit(submit(to=number)).destination == number


def test_a_name_as_sender_counts_semi_octets() -> None:
    address = tpdu.encode_address("Modem 1")
    assert address[:2] == bytes([13, 0xD0])
    assert tpdu.decode_sender(tpdu.encode_deliver("", "Modem 1", tpdu.encode_user_data("x"), AT))[0] == "Modem 1"


@pytest.mark.parametrize("name", ["A", "AB", "ABC", "Sender1", "ElevenChars", "Ünïcode ж"])
def test_names_of_every_length_come_back_without_a_trailing_at(name: str) -> None:
    sender, _ = tpdu.decode_sender(tpdu.encode_deliver("", name, tpdu.encode_user_data("x"), AT))
    assert not sender.endswith("@")
    assert len(sender) == min(11, len(name))


def test_the_time_stamp_has_swapped_digits_and_a_signed_zone() -> None:
    assert tpdu.encode_time(AT).hex() == "62903070509500"
    west = AT.replace(tzinfo=timezone(-timedelta(hours=5)))
    assert tpdu.encode_time(west)[6] == 0x0A
    east = AT.replace(tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert tpdu.encode_time(east)[6] == 0x22


def test_a_deliver_has_its_header_bit_only_with_a_header() -> None:
    plain = tpdu.encode_deliver("+15559990000", "+15551230000", tpdu.encode_user_data("x"), AT)
    part = tpdu.encode_user_data("x", concat=tpdu.Concat(7, 2, 1))
    joined = tpdu.encode_deliver("+15559990000", "+15551230000", part, AT)
    assert plain[8] == 0x04
    assert joined[8] == 0x44
    assert tpdu.decode_user_data(joined).concat() == tpdu.Concat(7, 2, 1)


def test_a_report_is_laid_out_as_the_standard_says() -> None:
    octets = tpdu.encode_report("", 255, "+15550000005", AT, AT + timedelta(seconds=3), status=0x30)
    assert octets.hex() == "0006ff0b915155000000f5" + "62903070509500" + "62903070602000" + "30"
    assert octets[-1] == 0x30
    assert octets[2] == 255


@given(text=st.text(CHARS, max_size=120), wide=st.booleans(), reference=st.integers(0, 255))
def test_any_7bit_part_survives(text: str, wide: bool, reference: int) -> None:
    data = tpdu.encode_user_data(text, concat=tpdu.Concat(reference, 3, 2), wide=wide)
    octets = tpdu.encode_deliver("+15559990000", "+15551230000", data, AT)
    read = tpdu.decode_user_data(octets)
    assert read.is_7bit
    assert (read.text(), read.concat()) == (text, tpdu.Concat(reference, 3, 2))


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=500), wide=st.booleans())
def test_any_text_splits_into_parts_that_join_again(text: str, wide: bool) -> None:
    parts = tpdu.split_text(text, wide=wide)
    assert "".join(parts) == text
    for number, part in enumerate(parts, 1):
        concat = tpdu.Concat(1, len(parts), number % 256) if len(parts) > 1 else None
        data = tpdu.encode_user_data(part, concat=concat, wide=wide)
        assert len(data.octets) <= 140
        assert data.text() == part


@pytest.mark.parametrize(
    ("text", "count"), [("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("ж" * 70, 1), ("ж" * 71, 2)]
)
def test_part_counts_at_the_seams(text: str, count: int) -> None:
    assert len(tpdu.split_text(text)) == count


def test_escape_and_surrogate_pairs_are_not_cut() -> None:
    assert tpdu.split_text("a" * 152 + "€" + "b" * 20)[0] == "a" * 152
    assert tpdu.split_text("ж" * 66 + "😀" + "ж" * 20)[0] == "ж" * 66


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x00",
        b"\x00\x11\x00",
        submit()[:-1],
        submit() + b"\x00",
        b"\x00\x04" + submit()[2:],  # a DELIVER
        b"\x00\x11\x00\x00\x91" + submit()[11:],  # no destination
        b"\x00\x51" + submit()[2:],  # header announced, none there
    ],
)
def test_what_a_strict_modem_refuses(octets: bytes) -> None:
    with pytest.raises(tpdu.PduError):
        tpdu.decode_submit(octets)


@given(octets=st.binary(max_size=180))
def test_arbitrary_octets_raise_nothing_but_the_declared_error(octets: bytes) -> None:
    for decode in (tpdu.decode_submit, tpdu.decode_user_data, tpdu.decode_sender):
        try:
            decode(octets)
        except tpdu.PduError:
            continue


@pytest.mark.parametrize(
    ("dcs", "kind"),
    [
        *[(0x00, "7bit"), (0x04, "8bit"), (0x08, "ucs2"), (0x10, "7bit"), (0x18, "ucs2"), (0x20, "compressed")],
        *[(0x80, "7bit"), (0xC8, "7bit"), (0xD0, "7bit"), (0xE0, "ucs2"), (0xF0, "7bit"), (0xF4, "8bit")],
    ],
)
def test_coding_groups(dcs: int, kind: str) -> None:
    assert tpdu.coding(dcs) == kind


def test_binary_and_national_tables_have_no_text_here() -> None:
    assert tpdu.UserData(False, 4, 2, b"\x01\x02").text() is None
    assert tpdu.UserData(True, 0, 5, bytes([3, 0x24, 1, 1])).text() is None


def test_the_card_stores_digits_swapped_and_padded() -> None:
    assert tpdu.swap_nibbles("8901010") == "981010F0"
