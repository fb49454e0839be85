"""Numbers as people write them, into the one form that everything compares."""

import re

import phonenumbers
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from modembank.messages import numbers
from modembank.messages.numbers import (
    MAX_INPUT,
    BadNumber,
    is_landline,
    is_settled,
    normalise_recipient,
    normalise_sender,
)

WELL = "+447911123456"


@pytest.mark.parametrize(
    ("written", "region", "expected"),
    [
        (WELL, "", WELL),
        ("+44 (7911) 123-456", "", WELL),
        ("0044 7911 123456", "", WELL),
        ("  +447911123456 ", "", WELL),
        ("+44 (0) 7911 123456", "", WELL),
        ("\u202a+447911123456\u202c", "", WELL),
        ("＋447911123456", "", WELL),
        ("+44\u00a07911\u2011123456", "", WELL),
        ("07911123456", "GB", WELL),
        ("٠٧٩١١١٢٣٤٥٦", "GB", WELL),
        ("0151 23456789", "DE", "+4915123456789"),
        ("0612345678", "IT", "+390612345678"),
        ("2025550123", "US", "+12025550123"),
        ("+39 06 1234567", "", "+39061234567"),
        ("12345", "", "12345"),
        ("1 2 3 4 5", "", "12345"),
        ("123", "DE", "123"),
        ("118118", "GB", "118118"),
        ("312345", "AD", "+376312345"),
    ],
)
def test_what_people_write(written, region, expected):
    assert normalise_recipient(written, region) == expected


@pytest.mark.parametrize(
    ("written", "region", "why"),
    [
        ("", "", "is empty"),
        ("+", "", "is empty"),
        (" - ", "GB", "is empty"),
        ("12", "", "not international"),
        ("07911 123456", "", "set the box's region"),
        ("+999123456789", "", "no country code that exists"),
        ("00", "GB", "no country code"),
        ("+4479", "", "too short"),
        ("+4479111234567890", "", "too long"),
        ("Modembank", "GB", "has letters"),
        ("+44791112345O", "", "has letters"),
        ("07911123456,07911123457", "GB", "several numbers"),
        ("07911123456; 07911123457", "GB", "several numbers"),
        ("*100#", "GB", "U+002A"),
        ("07911\n123456", "GB", "U+000A"),
        ("++447911123456", "", "U+002B"),
        ("44+7911123456", "", "U+002B"),
        ("0", "GB", "is no"),
        ("1" * (MAX_INPUT + 1), "", "longer than"),
    ],
)
def test_what_is_no_number_is_refused_with_the_reason(written, region, why):
    with pytest.raises(BadNumber, match=why.replace("+", r"\+")):
        normalise_recipient(written, region)


@given(st.from_regex(r"\+447[4-9][0-9]{8}", fullmatch=True), st.sampled_from(["", "GB", "DE", "US"]))
def test_e164_stays_as_it_is_whatever_the_region(number, region):
    assert normalise_recipient(number, region) == number


@given(st.from_regex(r"7[4-9][0-9]{8}", fullmatch=True), st.data())
def test_all_ways_to_write_a_number_are_one(subscriber, data):
    def spaced(number: str) -> str:
        between = data.draw(st.lists(st.sampled_from(["", " ", "-", ".", "\u00a0"]), min_size=len(number)))
        return "".join(char + gap for char, gap in zip(number, between, strict=False)).ljust(1)

    forms = ["+44" + subscriber, "0044" + subscriber, "0" + subscriber, "+44(0)" + subscriber]
    assert {normalise_recipient(spaced(form)[:MAX_INPUT], "GB") for form in forms} == {"+44" + subscriber}


@given(st.text(max_size=80), st.sampled_from(["", "GB", "DE", "IT", "US", "AD", "CN", "ZZ"]))
def test_any_text_is_a_clean_number_or_refused(written, region):
    try:
        number, why = normalise_recipient(written, region), ""
    except BadNumber as error:
        number, why = "", str(error)
    assert len(why) < 300
    assert bool(number) is not bool(why)
    assert (number + why).isprintable()
    if number:
        digits = number.removeprefix("+")
        assert digits.isascii()
        assert digits.isdigit()
        assert 3 <= len(digits) <= 20


def test_a_trunk_prefix_written_twice_makes_no_second_form():
    assert normalise_recipient("+490035310730") == normalise_recipient("+4935310730") == "+4935310730"


@given(st.text("0123456789+ -()", max_size=30), st.sampled_from(["", "GB", "DE", "IT", "US"]))
def test_normal_numbers_are_fixed_points(written, region):
    try:
        number = normalise_recipient(written, region)
    except BadNumber:
        return  # most are; `assume` would find too few to count as a search
    assert normalise_recipient(number, region) == number


def countries() -> st.SearchStrategy[int]:
    return st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE))


def parsed(number: str) -> str | None:
    """What the library makes of an international number by parsing it, until that changes nothing any more.

    The 1 before Mexican mobile numbers is our own matter: the library knows it only before some of them.
    """
    number = re.sub(r"^\+521(\d{10})$", r"+52\1", number)
    try:
        found = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
    possible = phonenumbers.is_possible_number_with_reason(found) == phonenumbers.ValidationResult.IS_POSSIBLE
    normal = phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)
    return None if not possible else normal if normal == number else parsed(normal)


def accepted(number: str) -> str | None:
    try:
        return normalise_recipient(number)
    except BadNumber:
        return None


@settings(max_examples=1000)
@given(countries(), st.text("0123456789", min_size=3, max_size=14))
def test_numbers_of_all_countries_become_what_parsing_makes_of_them(country, subscriber):
    number = f"+{country}{subscriber}"[:16]
    assert accepted(number) == parsed(number)


@pytest.mark.parametrize("code", sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
def test_every_country_s_own_examples_become_what_parsing_makes_of_them(code):
    """Also with a trunk prefix, a zero, and a digit too many or too few."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    examples = [phonenumbers.example_number_for_type(region, kind) for region in regions for kind in range(11)]
    examples.append(phonenumbers.example_number_for_non_geo_entity(code))
    for example in filter(None, examples):
        subscriber = phonenumbers.national_significant_number(example)
        for prefix in ("", "0", "1", "8", "9", "15", "90"):
            number = f"+{code}{prefix}{subscriber}"
            for written in (number, number[:-1], number + "7"):
                read = re.sub(r"^\+521(\d{10})$", r"+52\1", written)  # the 1 that Mexico has given up
                assert accepted(written) == parsed(read), written


@pytest.mark.parametrize(("digits", "region"), [("10655", "CN"), ("1234567", "IN")])
def test_service_numbers_stay_as_they_are_where_the_plan_knows_them(digits, region):
    assert normalise_recipient(digits, region) == digits


@pytest.mark.parametrize("digits", ["1065512345678901", "106551234567890123", "10655123456789012345"])
def test_longer_service_numbers_are_refused(digits):
    with pytest.raises(BadNumber):
        normalise_recipient(digits, "CN")
    assert normalise_sender(digits, "CN") == digits


@pytest.mark.parametrize(
    ("address", "region", "expected"),
    [
        ("07911123456", "GB", WELL),
        (WELL, "", WELL),
        ("Vodafone", "GB", "Vodafone"),
        ("12345", "GB", "12345"),
        ("0", "GB", "0"),
        ("07911123456", "", "07911123456"),
        ("", "GB", ""),
    ],
)
def test_inbound_addresses_never_fail(address, region, expected):
    assert normalise_sender(address, region) == expected


@pytest.mark.parametrize("region", ["", "MX", "GB"])
def test_a_mexican_mobile_is_one_number_with_the_former_1_and_without(region):
    """A STOP that comes from the one form must stop what goes to the other."""
    assert normalise_sender("+5215512345678", region) == normalise_recipient("+525512345678", region)
    assert normalise_recipient("+52 1 55 1234 5678", region) == "+525512345678"
    with pytest.raises(BadNumber):
        normalise_recipient("+52155123456789", region)


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True) | st.text(max_size=20), st.sampled_from(["", "GB", "DE"]))
def test_what_is_settled_at_a_glance_is_what_reading_it_gives(written: str, region: str) -> None:
    if is_settled(written):
        assert normalise_recipient(written, region) == numbers._international(written) == written


def test_landlines_are_those_that_the_numbering_plan_tells() -> None:
    kinds = phonenumbers.PhoneNumberType
    seen = {True: 0, False: 0}
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in (kinds.FIXED_LINE, kinds.MOBILE, kinds.FIXED_LINE_OR_MOBILE, kinds.TOLL_FREE, kinds.VOIP):
            example = phonenumbers.example_number_for_type(region, kind)
            number = example and phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
            if number and len(number) <= 16:
                told = is_landline(number)
                assert told == (phonenumbers.number_type(phonenumbers.parse(number)) == kinds.FIXED_LINE), number
                seen[told] += 1
    assert min(seen.values()) > 100
    assert not any(map(is_landline, ("12345", "", "+", "+9999999999", "+12125550123")))


EXAMPLES = sorted(
    phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    for region in phonenumbers.SUPPORTED_REGIONS
    if (example := phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.FIXED_LINE))
)


@given(st.sampled_from(EXAMPLES), st.lists(st.tuples(st.integers(3, 15), st.sampled_from("0123456789")), max_size=6))
def test_what_is_no_landline_at_a_glance_is_none_in_the_plan(example: str, changes: list[tuple[int, str]]) -> None:
    digits = list(example)
    for place, digit in changes:
        digits[min(place, len(digits) - 1)] = digit
    number = "".join(digits)
    assume(is_settled(number))
    kind = phonenumbers.number_type(phonenumbers.parse(number))
    assert is_landline(number) == (kind == phonenumbers.PhoneNumberType.FIXED_LINE)
