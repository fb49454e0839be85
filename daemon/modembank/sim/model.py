"""A SIM as the other layers see it, and what identifies one."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from modembank.errors import ModembankError
from modembank.sim.limits import RateLimits

IMSI_PREFIX = "imsi:"


class UnidentifiedSim(ModembankError):
    """A modem could tell neither the ICCID nor the IMSI: nothing can be booked on such a SIM."""

    key = "sim_unidentified"
    template = "the modem in {slot} tells neither the ICCID nor the IMSI of its SIM"


class SimChange(msgspec.Struct, frozen=True):
    """What to change of a SIM by hand; what is left out stays."""

    label: str | None = None
    limits: Mapping[str, float | None] | None = None
    """None as a limit goes back to what the file says."""
    pause: str | None = None
    """The reason."""
    resume: bool = False


class SimIdentity(msgspec.Struct, frozen=True):
    """What a modem tells of its SIM, as it tells it; None is unknown."""

    iccid: str | None = None
    imsi: str | None = None
    msisdn: str | None = None
    operator: str | None = None


class Sim(msgspec.Struct, frozen=True):
    """One SIM: its row, with the configuration and the box's defaults merged in; times are unix milliseconds."""

    id: int
    iccid: str
    """Digits, or 'imsi:<imsi>' while no modem could tell the ICCID."""
    imsi: str | None
    msisdn: str | None
    operator: str | None
    label: str
    limits: RateLimits
    """What holds: runtime overrides over the file's [[sim]] over the file's [limits]."""
    overrides: Mapping[str, float]
    """The limits set at run time."""
    paused_reason: str | None
    paused_at: int | None
    slot: str | None
    """Where it was last seen."""
    first_seen_at: int
    last_seen_at: int

    @property
    def name(self) -> str:
        """What people read: its label, else the slot it is in, else the ICCID's end."""
        return self.label or self.slot or self.iccid[-6:]

    @property
    def paused(self) -> bool:
        """Whether it may not send until somebody resumes it."""
        return self.paused_reason is not None


def normal_iccid(raw: str | None) -> str | None:
    """Return an ICCID as 18 to 20 digits, or None when it is none.

    Modems differ in filler, quotes and nibble order: EF_ICCID holds 10 octets, low nibble first, a 19-digit number
    filled with F (3GPP TS 51.011 10.1.1). Telecom cards start with 89 (ITU-T E.118), which shows swapped nibbles.
    """
    digits = re.sub(r"[\s\"'-]", "", raw or "").upper()
    if not digits.startswith("89") and len(digits) % 2 == 0:
        swapped = "".join(digits[at + 1] + digits[at] for at in range(0, len(digits), 2))
        digits = swapped if swapped.startswith("89") else digits
    digits = digits.rstrip("F")
    return digits if re.fullmatch(r"[0-9]{18,20}", digits, re.ASCII) else None


def normal_imsi(raw: str | None) -> str | None:
    """Return an IMSI as 6 to 15 digits (3GPP TS 23.003 2.2), or None when it is none."""
    digits = re.sub(r"[\s\"']", "", raw or "")
    return digits if re.fullmatch(r"[0-9]{6,15}", digits, re.ASCII) else None


def iccid_spellings(iccid: str) -> tuple[str, ...]:
    """Return the ways in which modems and printed cards write one ICCID: with and without its check digit, as is first.

    The check digit is Luhn's over the digits before it (ITU-T E.118, annex B of ISO/IEC 7812).
    """
    spellings = [iccid]
    if len(iccid) > 18 and luhn_digit(iccid[:-1]) == iccid[-1]:
        spellings.append(iccid[:-1])
    if len(iccid) < 20:
        spellings.append(iccid + luhn_digit(iccid))
    return tuple(spellings)


def luhn_digit(digits: str) -> str:
    """Return the check digit that belongs behind ``digits``."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def plain_msisdn(raw: str | None) -> str | None:
    """Return a SIM's own number as it told it, or None when that is none."""
    number = (raw or "").strip()
    return number if re.fullmatch(r"\+?[0-9]{3,20}", number, re.ASCII) else None


def plain_text(raw: str | None) -> str | None:
    """Return a short printable text, stripped and bounded; None when nothing is left."""
    kept = "".join(char for char in raw or "" if char.isprintable())
    return kept.strip()[:64] or None
