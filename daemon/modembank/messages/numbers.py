"""Telephone numbers as people write them, into the one form everything else compares: E.164, or a short code.

A ``+`` number is accepted when it is *possible* (its country code exists and its length occurs there), not only when it
is valid: numbering plans open new ranges faster than boxes in the field are updated, and the network has the last word.
A few plans (Germany's) have possible numbers of more than the 15 digits of E.164; a PDU carries 20.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

from modembank.errors import ModembankError

if TYPE_CHECKING:  # the library takes long to load: only when the first number is read
    from phonenumbers import PhoneNumber

MAX_INPUT = 64
"""Characters; the longest E.164 number written with separators is half of that."""

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SHORT_CODE = re.compile(r"[0-9]{3,6}")
_MEXICAN_MOBILE = re.compile(r"\+521[0-9]{10}")
"""Until 2020 a 1 stood before mobile numbers there, and networks still write it: a STOP comes from the same person."""
_FITS: dict[str, Callable[[str], object]] = {}
"""By how an E.164 number begins, plus and three digits: what _settled() matches."""
_NOTHING = re.compile(r"(?!)")
_DIGITS = re.compile(r"\+?[0-9]+")
_SEPARATORS = frozenset("./()[]~·•")


class BadNumber(ModembankError):
    """What was given is no number that a message can be sent to; the text says why and what would be."""

    key = "bad_number"
    template = "{why}"


def normalise_recipient(written: str, region: str = "") -> str:
    """Return a recipient in E.164, or a short code or service number as it is.

    ``region`` is the ISO 3166 country in which national numbers are read; without one only international numbers and
    short codes (3 to 6 digits) are understood. Raises BadNumber.
    """
    if _E164.fullmatch(written):
        return written if _settled(written[1:4]).fullmatch(written) else _international(written)
    digits = _digits_of(written)
    if digits.startswith("+"):
        return _international(digits)
    if _SHORT_CODE.fullmatch(digits):
        return _subscriber_of_small_plan(digits, region) or digits
    return _national(digits, region)


def is_settled(written: str) -> bool:
    """Return whether this is a number that normalise_recipient() returns as it is, in any region; a no says nothing."""
    fits = _FITS.get(written[:4])
    if fits is None:
        if _E164.fullmatch(written) is None:
            return False
        fits = _FITS[written[:4]] = _settled(written[1:4]).fullmatch
    return fits(written) is not None


def is_landline(number: str) -> bool:
    """Return whether a number in E.164 is known to be a fixed line, where the plan of its country tells these apart."""
    import phonenumbers as plan

    if not _E164.fullmatch(number) or not _fixed(number[1:4]).fullmatch(number):
        return False
    # Parsing would double what this costs, and there is nothing in it to be understood any more.
    code = country_code(number[1:4])
    national = number.removeprefix(f"+{code}")
    zeros = len(national) - len(national.lstrip("0"))
    parsed = plan.PhoneNumber(
        country_code=code,
        national_number=int(national),
        italian_leading_zero=zeros > 0 or None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )
    return bool(plan.number_type(parsed) == plan.PhoneNumberType.FIXED_LINE)


def country_code(start: str) -> int:
    """Return the country code with which the three first digits of an international number start; 0: there is none."""
    import phonenumbers as plan

    return next((int(start[:n]) for n in (1, 2, 3) if int(start[:n]) in plan.COUNTRY_CODE_TO_REGION_CODE), 0)


def normalise_sender(address: str, region: str = "") -> str:
    """Return an inbound address in the form recipients have, or as it came when it is no telephone number."""
    if not _DIGITS.fullmatch(address):
        return address
    try:
        return normalise_recipient(address, region)
    except BadNumber:
        return address


def _digits_of(written: str) -> str:
    """Return digits with at most a leading ``+``; separators and invisible characters of address books are dropped."""
    if len(written) > MAX_INPUT:
        raise BadNumber(why=f"is longer than {MAX_INPUT} characters: give one number")
    kept = []
    for char in written.strip():
        if char.isdecimal():
            kept.append(str(unicodedata.decimal(char)))
        elif char in "+＋" and not kept:
            kept.append("+")
        elif char in ",;":
            raise BadNumber(why="looks like several numbers: give them as a list")
        elif char.isalpha():
            raise BadNumber(why="has letters: a message goes to a telephone number, a sender name cannot receive")
        elif char not in _SEPARATORS and unicodedata.category(char) not in {"Zs", "Pd", "Cf", "Mn"}:
            raise BadNumber(why=f"has the character U+{ord(char):04X}: write digits, with a leading + if international")
    digits = "".join(kept)
    if not digits.strip("+"):
        raise BadNumber(why="is empty: write a number such as +447911123456")
    if digits.startswith("00"):  # the international prefix nearly everywhere (ITU-T E.164); no national number has it
        return "+" + digits[2:]
    return digits


@functools.cache  # 900 keys at most
def _settled(start: str) -> re.Pattern[str]:
    """Return what matches E.164 numbers that start with these digits and that parsing would leave as they are.

    Parsing costs as much as all the rest of accepting a message. It changes nothing in a number of a possible length
    that begins neither with a zero nor with what may be a trunk or carrier prefix.
    """
    import phonenumbers as plan

    code = country_code(start)
    region = plan.region_code_for_country_code(code)
    metadata = plan.PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    if metadata is None or metadata.general_desc is None:
        return _NOTHING
    prefix = metadata.national_prefix_for_parsing or _NOTHING.pattern
    lengths = "|".join(f"[0-9]{{{length}}}" for length in metadata.general_desc.possible_length)
    return re.compile(rf"\+{code}(?!0|{prefix})(?:{lengths})")


@functools.cache  # 900 keys at most
def _fixed(start: str) -> re.Pattern[str]:
    """Return what matches numbers that start with these digits and can be only a fixed line in some region.

    The plan asks a number for some ten other kinds before it says fixed line; most numbers of a list are mobile.
    """
    import phonenumbers as plan

    code = country_code(start)
    found = set()
    for region in plan.COUNTRY_CODE_TO_REGION_CODE.get(code, ()):
        metadata = plan.PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        fixed, mobile = (None, None) if metadata is None else (metadata.fixed_line, metadata.mobile)
        if fixed is None or not fixed.national_number_pattern:
            continue
        either = mobile.national_number_pattern if mobile is not None else None
        if either != fixed.national_number_pattern:
            found.add(f"(?!(?:{either or _NOTHING.pattern})$)(?:{fixed.national_number_pattern})")
    return re.compile(rf"\+{code}(?:{'|'.join(sorted(found))})") if found else _NOTHING


def _international(number: str) -> str:
    import phonenumbers as plan

    if _MEXICAN_MOBILE.fullmatch(number):
        number = "+52" + number[4:]
    try:
        parsed = plan.parse(number)
    except plan.NumberParseException:
        parsed = None
    if parsed is None or not _DIGITS.fullmatch(number):
        raise BadNumber(why=f"{number} has no country code that exists: write + and the country code first")
    reason = plan.is_possible_number_with_reason(parsed)
    if reason == plan.ValidationResult.IS_POSSIBLE:
        normal = _e164(parsed)
        # A second trunk prefix (+49 00…) shows only when the first is gone; one person must have one form.
        return normal if normal == number else _international(normal)
    wrong = _WRONG_LENGTH[reason]
    raise BadNumber(why=f"{number} is no possible number of country code +{parsed.country_code}: {wrong}")


# The values of phonenumbers.ValidationResult, so that the library need not be loaded to build the table.
_WRONG_LENGTH = {
    1: "the country code does not exist",
    2: "it is too short",
    3: "it is too long",
    4: "the area code is missing",
    5: "it has a wrong number of digits",
}


def _national(digits: str, region: str) -> str:
    if not region:
        raise BadNumber(why=f"{digits} is not international: write + and the country code, or set the box's region")
    import phonenumbers as plan

    try:
        parsed = plan.parse(digits, region)
    except plan.NumberParseException:
        parsed = None
    if parsed is not None:
        if plan.is_possible_number_with_reason(parsed) == plan.ValidationResult.IS_POSSIBLE:
            return _international(_e164(parsed))
        short = plan.PhoneNumber(country_code=parsed.country_code, national_number=int(digits))
        # Service numbers can be longer than short codes, as far as the plan knows them (in India, up to 7 digits).
        if digits[0] != "0" and _is_service_number(short, region):
            return digits
        wrong = _WRONG_LENGTH[plan.is_possible_number_with_reason(parsed)]
        raise BadNumber(why=f"{digits} is no possible number in {region}: {wrong}; write + and the country code")
    raise BadNumber(why=f"{digits} is no number in {region}: write + and the country code")


def _is_service_number(number: PhoneNumber, region: str) -> bool:
    from phonenumbers import shortnumberinfo

    return bool(shortnumberinfo.is_possible_short_number_for_region(number, region))


def _subscriber_of_small_plan(digits: str, region: str) -> str | None:
    """Where subscribers have numbers as short as short codes (Andorra, Greenland, …), return theirs completed."""
    if not region:
        return None
    import phonenumbers as plan
    from phonenumbers import shortnumberinfo

    try:
        parsed = plan.parse(digits, region)
    except plan.NumberParseException:
        return None
    is_mobile = plan.number_type(parsed) in {plan.PhoneNumberType.MOBILE, plan.PhoneNumberType.FIXED_LINE_OR_MOBILE}
    if not is_mobile or shortnumberinfo.is_valid_short_number_for_region(parsed, region):
        return None
    return _international(_e164(parsed))


def _e164(parsed: PhoneNumber) -> str:
    import phonenumbers as plan

    return str(plan.format_number(parsed, plan.PhoneNumberFormat.E164))
