"""Numbers that emulated hardware carries: IMEI, ICCID, IMSI, MSISDN, with their check digits."""

from __future__ import annotations


def luhn_digit(digits: str) -> str:
    """The check digit that makes `digits` plus it pass the Luhn test (ITU-T E.118, 3GPP TS 23.003 B.2)."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def luhn_valid(number: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others."""
    return number.isdigit() and luhn_digit(number[:-1]) == number[-1]


def imei(index: int) -> str:
    """15 digits: the type code 35000000 of no sold model, a serial, the check digit."""
    body = f"35000000{index + 1:06d}"
    return body + luhn_digit(body)


def iccid(index: int) -> str:
    """19 digits for even SIMs, 20 for odd ones: both are in the field (ITU-T E.118; 3GPP TS 31.102 4.2.2).

    The 1 keeps the two apart: some modems leave the check digit of 20 out, and then one would look like the other.
    """
    body = f"890101{'1' if index % 2 else ''}{index + 1:012d}"
    return body + luhn_digit(body)


def imsi(index: int) -> str:
    """15 digits in the test network 001 01 (3GPP TS 36.508)."""
    return f"00101{index + 1:010d}"


def msisdn(pattern: str, index: int) -> str:
    """The SIM's own number; `pattern` formats the number counted from 1."""
    return pattern.format(index + 1)
