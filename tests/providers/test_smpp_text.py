"""Texts, addresses and periods on their way to an SMSC and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.providers.adapters.smpp_pdu import Address, ShortMessage, Tag
from modembank.providers.adapters.smpp_text import (
    DefaultAlphabet,
    address,
    bodies_of,
    number_of,
    relative_period,
    user_data,
)
from modembank.tpdu import Alphabet, TextRefused, join_parts

GSM7, LATIN1, DEFAULT_LATIN1 = DefaultAlphabet
TEXT = st.text(max_size=800).filter(lambda text: text.encode("utf-16-be", "replace") and _is_unicode(text))


def _is_unicode(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def bodies(text, alphabet=GSM7, *, flash=False, payload=True, reference=7, **fields):
    template = ShortMessage(Address(1, 1, "49"), Address(1, 1, "491"), registered_delivery=1, **fields)
    return bodies_of(text, template, alphabet=alphabet, flash=flash, payload=payload, reference=reference)


class TestTexts:
    """From a text to requests."""

    @pytest.mark.parametrize(
        ("text", "alphabet", "flash", "coding", "octets"),
        [
            ("héllo €", GSM7, False, 0x00, b"h\x05llo \x1b\x65"),
            ("Grüße", GSM7, False, 0x00, b"Gr\x7e\x1ee"),
            ("ê", GSM7, False, 0x08, b"\x00\xea"),
            ("🙂", GSM7, False, 0x08, b"\xd8\x3d\xde\x42"),
            ("Grüße", LATIN1, False, 0x03, b"Gr\xfc\xdfe"),
            ("Grüße", DEFAULT_LATIN1, False, 0x00, b"Gr\xfc\xdfe"),
            ("5 €", LATIN1, False, 0x08, b"\x00\x35\x00\x20\x20\xac"),
            ("5 €", DEFAULT_LATIN1, False, 0x08, b"\x00\x35\x00\x20\x20\xac"),
            ("ê", LATIN1, False, 0x08, b"\x00\xea"),
            ("[x]", LATIN1, False, 0x03, b"[x]"),
            ("now", GSM7, True, 0x10, b"now"),
            ("now @", LATIN1, True, 0x10, b"now \x00"),
            ("5 €", LATIN1, True, 0x10, b"5 \x1b\x65"),
            ("水", GSM7, True, 0x18, b"\x6c\x34"),
            ("", GSM7, False, 0x00, b""),
        ],
    )
    def test_codings(self, text, alphabet, flash, coding, octets):
        [body] = bodies(text, alphabet, flash=flash)
        assert (body.data_coding, body.octets, body.tlvs, body.esm_class) == (coding, octets, {}, 0)
        assert body.registered_delivery == 1

    @pytest.mark.parametrize(
        ("text", "octets"),
        [("x" * 161, b"x" * 161), ("水" * 71, "水".encode("utf-16-be") * 71), ("€" * 81, b"\x1b\x65" * 81)],
    )
    def test_what_needs_two_segments_goes_into_a_payload(self, text, octets):
        [body] = bodies(text)
        assert (body.octets, body.tlvs) == (b"", {Tag.MESSAGE_PAYLOAD: octets})

    @pytest.mark.parametrize("text", ["x" * 160, "水" * 70, "€" * 80])
    def test_what_needs_one_does_not(self, text):
        for payload in (True, False):
            [body] = bodies(text, payload=payload)
            assert body.octets
            assert body.tlvs == {}
            assert body.esm_class == 0

    @given(TEXT, st.sampled_from(list(DefaultAlphabet)), st.booleans(), st.booleans())
    def test_the_other_side_reads_the_same_text(self, text, alphabet, flash, payload):
        sent = bodies(text, alphabet, flash=flash, payload=payload)
        parts = [user_data(body, alphabet) for body in sent]
        joined = join_parts(parts)
        assert joined.missing == ()
        assert joined.text == text
        assert all(len(body.octets) <= 160 for body in sent)
        assert len(sent) == 1 or all(body.esm_class == 0x40 for body in sent)
        assert [body.registered_delivery for body in sent] == [0] * (len(sent) - 1) + [1]

    @given(TEXT)
    def test_what_is_common_stays(self, text):
        for body in bodies(text, payload=False, validity="000001000000000R", service_type="CMT"):
            assert body.source == Address(1, 1, "49")
            assert body.destination == Address(1, 1, "491")
            assert (body.validity, body.service_type) == ("000001000000000R", "CMT")

    def test_segments_of_latin_1_keep_their_length(self):
        first, second = bodies("ß" * 200, LATIN1, payload=False)
        assert first.octets == b"\x05\x00\x03\x07\x02\x01" + b"\xdf" * 153
        assert second.octets[6:] == b"\xdf" * 47

    def test_references_wrap(self):
        first, _ = bodies("x" * 200, payload=False, reference=0x1FF)
        assert first.octets[3] == 0xFF

    @pytest.mark.parametrize("text", ["half \ud83d", "x" * (153 * 255 + 1), "水" * (67 * 255 + 1)])
    def test_what_cannot_be_sent(self, text):
        with pytest.raises(TextRefused):
            bodies(text)


class TestReading:
    """From octets to what they say."""

    @given(st.integers(0, 255), st.binary(max_size=300), st.sampled_from([0, 0x40]), st.sampled_from(DefaultAlphabet))
    def test_anything_says_something(self, coding, octets, esm_class, alphabet):
        found = user_data(ShortMessage(octets=octets, data_coding=coding, esm_class=esm_class), alphabet)
        join_parts([found])
        if found.alphabet is Alphabet.GSM7:
            assert all(octet < 0x80 for octet in found.payload)

    @given(st.dictionaries(st.sampled_from([0x020C, 0x020E, 0x020F]), st.binary(max_size=5)))
    def test_any_sar_parameters_are_a_place_or_none(self, tlvs):
        concat = user_data(ShortMessage(octets=b"x", tlvs=tlvs), GSM7).concat
        assert concat is None or 1 <= concat.sequence <= concat.total <= 255

    def test_a_header_wins_over_sar_parameters(self):
        tlvs = {0x020C: b"\1", 0x020E: b"\3", 0x020F: b"\2"}
        message = ShortMessage(octets=b"\5\0\3\7\2\1x", esm_class=0x40, tlvs=tlvs)
        concat = user_data(message, GSM7).concat
        assert (concat.reference, concat.total, concat.sequence) == (7, 2, 1)


class TestAddresses:
    """Numbers and names."""

    @pytest.mark.parametrize(
        ("text", "ton", "npi", "expected"),
        [
            ("+491701234567", None, None, Address(1, 1, "491701234567")),
            ("12345", None, None, Address(3, 0, "12345")),
            ("My Bank", None, None, Address(5, 0, "My Bank")),
            ("", None, None, Address(0, 0, "")),
            ("+491701234567", 0, 0, Address(0, 0, "491701234567")),
            ("12345", 6, 9, Address(6, 9, "12345")),
            ("", 5, None, Address(5, 0, "")),
            ("+" + "9" * 20, None, None, Address(1, 1, "9" * 20)),
            ("+" + "9" * 21, None, None, None),
            ("Bänk", None, None, None),
            ("a\nb", None, None, None),
            ("a" * 21, None, None, None),
            ("+", None, None, Address(5, 0, "+")),
            ("１２３", None, None, None),
        ],
    )
    def test_by_their_look(self, text, ton, npi, expected):
        assert address(text, ton, npi) == expected

    @given(st.integers(1_000_000, 999_999_999_999_999))
    def test_a_number_comes_back_as_it_went(self, number):
        assert number_of(address(f"+{number}", None, None), plain_is_international=False) == f"+{number}"

    @given(st.integers(0, 255), st.text(max_size=60), st.booleans())
    def test_whatever_comes_is_short_and_visible(self, ton, digits, plain):
        found = number_of(Address(ton, 0, digits), plain_is_international=plain)
        assert len(found) <= 41
        assert found.isprintable() or not found


class TestPeriods:
    """validity_period."""

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (1, "000000000001000R"),
            (59, "000000000059000R"),
            (3600, "000000010000000R"),
            (86_400, "000001000000000R"),
            (86_400 + 3723, "000001010203000R"),
            (29 * 86_400, "000029000000000R"),
            (30 * 86_400, "000100000000000R"),
            (365 * 86_400, "010000000000000R"),
            (0, "000000000001000R"),
            (-5, "000000000001000R"),
            (10**12, "990000000000000R"),
        ],
    )
    def test_as_the_specification_writes_them(self, seconds, text):
        assert relative_period(seconds) == text

    @given(st.integers(1, 99 * 365 * 86_400))
    def test_they_say_what_they_were(self, seconds):
        text = relative_period(seconds)
        assert len(text) == 16
        years, months, days, hours, minutes, rest = (int(text[at : at + 2]) for at in range(0, 12, 2))
        assert months <= 12
        assert days < 30
        assert hours < 24
        assert minutes < 60
        assert rest < 60
        total = ((years * 365 + months * 30 + days) * 24 + hours) * 3600 + minutes * 60 + rest
        assert total == seconds
