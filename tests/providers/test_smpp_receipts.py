"""Receipts as SMSCs write them, and as nobody should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.providers.adapters.smpp_pdu import ShortMessage, Tag
from modembank.providers.adapters.smpp_receipts import ReceiptId, is_receipt, read_receipt, reference_of
from modembank.providers.model import ReceiptStatus

SAME, HEX, DECIMAL = ReceiptId
PENDING, DELIVERED = ReceiptStatus.PENDING, ReceiptStatus.DELIVERED
FAILED, EXPIRED = ReceiptStatus.FAILED, ReceiptStatus.EXPIRED


def message(text="", *, esm_class=4, coding=0, **tlvs):
    named = {Tag[name.upper()]: value for name, value in tlvs.items()}
    octets = text if isinstance(text, bytes) else text.encode("latin-1")
    return ShortMessage(octets=octets, esm_class=esm_class, data_coding=coding, tlvs=named)


def read(text="", how=SAME, offset=None, **more):
    return read_receipt(message(text, **more), how, offset)


class TestWhatIsOne:
    """By type, or by what only receipts have."""

    @pytest.mark.parametrize(
        ("esm_class", "expected"),
        [(0x04, True), (0x20, True), (0x44, True), (0x84, True), (0x00, False), (0x40, False), (0x08, False)],
    )
    def test_by_type(self, esm_class, expected):
        assert is_receipt(message("id:1 stat:DELIVRD", esm_class=esm_class)) is expected

    def test_by_parameters(self):
        assert is_receipt(message(esm_class=0, receipted_message_id=b"1\0", message_state=b"\2"))
        assert not is_receipt(message(esm_class=0, receipted_message_id=b"1\0"))
        assert not is_receipt(message(esm_class=0, message_state=b"\2"))


class TestTexts:
    """Appendix B and its variations."""

    @pytest.mark.parametrize(
        ("text", "reference", "status", "detail"),
        [
            (
                "id:0123456789 sub:001 done date:2611271200 stat:DELIVRD err:000 text:Hello id:9 stat:UNDELIV",
                "0123456789", DELIVERED, "DELIVRD",
            ),
            ("id:1 sub:1 dlvrd:0 submit date:2611271159 done date:2611271200 stat:UNDELIV err:069 text:",
             "1", FAILED, "UNDELIV err:069"),
            ("id:a1b2-c3d4-e5f6 stat:EXPIRED err:0", "a1b2-c3d4-e5f6", EXPIRED, "EXPIRED"),
            ("ID:7 STAT:delivrd ERR:000", "7", DELIVERED, "DELIVRD"),
            ("id: 8 stat: REJECTD err: 3f", "8", FAILED, "REJECTD err:3f"),
            ("id:9 sub:001 stat:ENROUTE", "9", PENDING, "ENROUTE"),
            ("id:9 stat:ACCEPTD err:000", "9", PENDING, "ACCEPTD"),
            ("id:9 stat:UNKNOWN err:000", "9", PENDING, "UNKNOWN"),
            ("id:9 stat:DELETED", "9", FAILED, "DELETED"),
            ("id:9 stat:DELIVERED", "9", DELIVERED, "DELIVERED"),
            ("id:9 stat:UNDELIVERABLE err:1", "9", FAILED, "UNDELIVERABLE err:1"),
            ("id:9 stat:REJECTED", "9", FAILED, "REJECTED"),
            ("id:9 stat:SKIPPED", "9", FAILED, "SKIPPED"),
            ("id:9 stat:WEIRD", "9", PENDING, "WEIRD"),
            ("id:9", "9", PENDING, "UNKNOWN"),
        ],
    )  # fmt: skip
    def test_they_are_understood(self, text, reference, status, detail):
        found = read(text)
        assert (found.reference, found.status, found.detail, found.at_ms) == (reference, status, detail, None)

    @pytest.mark.parametrize("text", ["", "hello", "stat:DELIVRD", "id:", "id: ", "paid:7 stat:DELIVRD", "id:\0"])
    def test_one_that_names_nothing_is_none(self, text):
        found = read(text)
        assert found is None or found.reference == "\0"

    def test_in_ucs2(self):
        found = read("id:12 stat:DELIVRD".encode("utf-16-be"), coding=8)
        assert (found.reference, found.status) == ("12", DELIVERED)

    def test_in_a_payload(self):
        found = read(message_payload=b"id:12 stat:EXPIRED err:000")
        assert (found.reference, found.status) == ("12", EXPIRED)

    @pytest.mark.parametrize(
        ("date", "offset", "at_ms"),
        [
            ("2611271200", 0, 1_795_780_800_000),
            ("261127120059", 0, 1_795_780_859_000),
            ("2611271200", 60, 1_795_777_200_000),
            ("2611271200", -300, 1_795_798_800_000),
            ("2611271200", None, None),
            ("2613451200", 0, None),
            ("20261127120000", 0, None),
            ("soon", 0, None),
        ],
    )
    def test_times_by_the_smscs_clock(self, date, offset, at_ms):
        assert read(f"id:1 done date:{date} stat:DELIVRD", offset=offset).at_ms == at_ms


class TestParameters:
    """receipted_message_id and message_state."""

    @pytest.mark.parametrize(
        ("number", "status", "detail"),
        [
            (0, PENDING, "SCHEDULED"),
            (1, PENDING, "ENROUTE"),
            (2, DELIVERED, "DELIVRD"),
            (3, EXPIRED, "EXPIRED"),
            (4, FAILED, "DELETED"),
            (5, FAILED, "UNDELIV"),
            (6, PENDING, "ACCEPTD"),
            (7, PENDING, "UNKNOWN"),
            (8, FAILED, "REJECTD"),
        ],
    )
    def test_states(self, number, status, detail):
        found = read(receipted_message_id=b"77\0", message_state=bytes((number,)))
        assert (found.reference, found.status, found.detail) == ("77", status, detail)

    def test_they_win_over_the_text(self):
        found = read("id:1 stat:ENROUTE err:000", receipted_message_id=b"2\0", message_state=b"\2")
        assert (found.reference, found.status) == ("2", DELIVERED)

    @pytest.mark.parametrize("state", [b"", b"\x09", b"\xff"])
    def test_a_state_of_no_list_leaves_the_word_to_the_text(self, state):
        assert read("id:1 stat:EXPIRED", message_state=state).status is EXPIRED

    def test_an_identifier_without_its_nul(self):
        assert read(receipted_message_id=b"77").reference == "77"

    def test_an_empty_identifier_leaves_it_to_the_text(self):
        assert read("id:5 stat:DELIVRD", receipted_message_id=b"\0").reference == "5"

    def test_the_error_of_the_network_is_told(self):
        assert read("id:1 stat:UNDELIV err:000", network_error_code=b"\3\0\x0b").detail == "UNDELIV err:03000b"
        assert read("id:1 stat:UNDELIV err:045", network_error_code=b"\3\0\x0b").detail == "UNDELIV err:045"


class TestIdentifiers:
    """The same message by two names."""

    @pytest.mark.parametrize(
        ("how", "answered", "text", "parameter"),
        [
            (SAME, "ABC", "ABC", None),
            (SAME, "0012", "0012", None),
            (SAME, "12", "99", b"12\0"),
            (DECIMAL, "1F", "31", None),
            (DECIMAL, "0000001f", "0031", None),
            (DECIMAL, "1F", "31", b"1F\0"),
            (DECIMAL, "1F", "", b"1F\0"),
            (HEX, "31", "1F", None),
            (HEX, "0031", "0000001f", None),
            (HEX, "31", "1F", b"31\0"),
            (HEX, "31", "", b"31\0"),
            (DECIMAL, "not-a-number", "not-a-number", None),
            (HEX, "not-a-number", "not-a-number", None),
            (SAME, "x" * 300, "x" * 300, None),
        ],
    )
    def test_find_each_other(self, how, answered, text, parameter):
        more = {} if parameter is None else {"receipted_message_id": parameter}
        found = read(f"id:{text} stat:DELIVRD" if text else "", how, **more)
        assert found.reference == reference_of(answered, how)

    @given(st.integers(0, 2**64))
    def test_numbers_in_both_forms(self, number):
        assert read(f"id:{number} stat:DELIVRD", DECIMAL).reference == reference_of(f"{number:X}", DECIMAL)
        assert read(f"id:{number:x} stat:DELIVRD", HEX).reference == reference_of(f"{number}", HEX)

    @given(st.sampled_from(list(ReceiptId)))
    def test_nothing_is_no_name(self, how):
        assert reference_of("", how) is None

    def test_digits_of_other_scripts_are_no_digits(self):
        assert reference_of("١٢", DECIMAL) == "١٢"


@given(
    st.binary(max_size=400) | st.text("id:stadonerr 0123456789ABCDEF", max_size=200).map(str.encode),
    st.integers(0, 255),
    st.dictionaries(st.sampled_from([0x001E, 0x0427, 0x0423, 0x0424]), st.binary(max_size=80)),
    st.sampled_from(list(ReceiptId)),
    st.none() | st.integers(-840, 840),
)
def test_anything_is_a_receipt_or_none(octets, coding, tlvs, how, offset):
    found = read_receipt(ShortMessage(octets=octets, esm_class=4, data_coding=coding, tlvs=tlvs), how, offset)
    if found is not None:
        assert 1 <= len(found.reference) <= 200
        assert len(found.detail) <= 500
