"""What identifies a SIM, however a modem writes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modembank.sim import Sim, normal_iccid, normal_imsi
from modembank.sim.limits import RateLimits
from modembank.sim.model import iccid_spellings, luhn_digit, plain_msisdn, plain_text

digits = st.text("0123456789", min_size=16, max_size=17)


def swapped(text):
    return "".join(text[at + 1] + text[at] for at in range(0, len(text), 2))


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("8949020000001234567", "8949020000001234567"),
        ("8949020000001234567F", "8949020000001234567"),
        ("8949020000001234567f", "8949020000001234567"),
        ('"89490200000012345678"', "89490200000012345678"),
        (" 8949 0200 0000 1234 5678 ", "89490200000012345678"),
        ("894902000000123456FF", "894902000000123456"),
        ("98942000000021436587", "89490200000012345678"),
        ("989420000000214365F7", "8949020000001234567"),
        ("", None),
        (None, None),
        ("ERROR", None),
        ("8949", None),
        ("8949020000001234567A", None),
        ("89490200000012345678901", None),
        ("8" * 10_000, None),
        ("٨٩٤٩٠٢٠٠٠٠٠٠١٢٣٤٥٦٧", None),
    ],
)
def test_iccids_are_brought_to_one_form(raw, normal):
    assert normal_iccid(raw) == normal


@given(digits)
def test_filler_and_swapped_nibbles_make_no_difference(tail):
    iccid = "89" + tail
    filled = iccid + "F" * (20 - len(iccid))
    assert normal_iccid(filled) == iccid
    assert normal_iccid(swapped(filled)) == iccid
    assert normal_iccid(iccid.lower()) == iccid


@given(st.text(max_size=40))
def test_anything_else_is_none_or_digits(raw):
    found = normal_iccid(raw)
    assert found is None or (found.isdigit() and 18 <= len(found) <= 20)
    imsi = normal_imsi(raw)
    assert imsi is None or (imsi.isdigit() and 6 <= len(imsi) <= 15)


@pytest.mark.parametrize(("body", "digit"), [("7992739871", "3"), ("453201511283036", "6"), ("0", "0")])
def test_the_check_digit_is_luhns(body, digit):
    assert luhn_digit(body) == digit


@given(digits)
def test_a_number_and_the_same_with_its_check_digit_share_a_spelling(tail):
    body = "89" + tail
    full = body + luhn_digit(body)
    assert full in iccid_spellings(body)
    if len(full) > 18:
        assert body in iccid_spellings(full)


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("+4915112345678", "+4915112345678"),
        (" 015112 ", "015112"),
        ("", None),
        (None, None),
        ("+", None),
        ("+49x", None),
    ],
)
def test_own_numbers_are_numbers(raw, number):
    assert plain_msisdn(raw) == number


@given(st.text(max_size=200))
def test_texts_are_short_and_printable(raw):
    found = plain_text(raw)
    assert found is None or (0 < len(found) <= 64 and found.isprintable())


def test_people_read_the_label_then_the_slot_then_the_end_of_the_number():
    def sim(label, slot):
        return Sim(1, "8949020000001234567", None, None, None, label, RateLimits(), {}, None, None, slot, 0, 0)

    assert sim("spare", "slot-1").name == "spare"
    assert sim("", "slot-1").name == "slot-1"
    assert sim("", None).name == "234567"
