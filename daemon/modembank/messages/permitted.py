"""Which numbers may be written to: allowed and blocked prefixes, and numbers at a premium rate.

Ten thousand recipients are asked about at once: a number is parsed only when a pattern of its country says that it may
be of a premium rate.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import msgspec

from modembank.decency import RecipientsConfig
from modembank.messages.numbers import BadNumber, country_code, normalise_recipient

_NOTHING = re.compile(r"(?!)")
_PREMIUM = "is at a premium rate, for which recipients.allow_premium = true is needed in the configuration"


class Rules(msgspec.Struct, frozen=True):
    """What a process needs to know to say which numbers may be written to."""

    config: RecipientsConfig
    region: str = ""
    """ISO 3166 country of numbers without a country code, and of short codes."""

    def refusal(self) -> Callable[[str], str]:
        """Return what tells why the box does not send to a number in the form of messages; empty when it does."""
        permitted = Permitted(self.config, self.region)
        by_prefix = bool(self.config.allowed_prefixes or self.config.blocked_prefixes)

        def refused(number: str) -> str:
            if not by_prefix and number.startswith("+") and _premium(number[1:4]).fullmatch(number) is None:
                return ""  # nearly all
            try:
                # A number of any country is the same everywhere; a short code may be a whole number in the box's own.
                number = number if number.startswith("+") else normalise_recipient(number, self.region)
            except BadNumber as error:
                return str(error)
            why = permitted.refusal(number)
            return "" if why is None else f"{number} {why}"

        return refused


class Permitted:
    """The box's rules; to be used from any thread."""

    def __init__(self, config: RecipientsConfig, region: str = "") -> None:
        """``region`` is the ISO 3166 country whose short codes are meant; empty: their cost is not known."""
        self._config = config
        self._region = region
        self._rules = dict.fromkeys(config.blocked_prefixes, False) | dict.fromkeys(config.allowed_prefixes, True)
        self._lengths = sorted({len(prefix) for prefix in self._rules}, reverse=True)

    @property
    def rules(self) -> Rules:
        """The same for another process."""
        return Rules(self._config, self._region)

    def refusal(self, number: str) -> str | None:
        """Return why a number, in the form messages are stored with, is not written to; None: it may be."""
        if self._rules:
            prefix = next((number[:n] for n in self._lengths if number[:n] in self._rules), None)
            if prefix is None and self._config.allowed_prefixes:
                return "begins with none of recipients.allowed_prefixes in the configuration"
            if prefix is not None and not self._rules[prefix]:
                return f"begins with {prefix}, which is among recipients.blocked_prefixes in the configuration"
        return _PREMIUM if self.is_too_dear(number) else None

    def is_too_dear(self, number: str) -> bool:
        """Return whether a number is at a premium rate and those are not allowed."""
        return not self._config.allow_premium and is_premium(number, self._region)


def is_premium(number: str, region: str = "") -> bool:
    """Return whether calling or texting a number is expected to cost a premium rate."""
    if not number.startswith("+"):
        return bool(region) and _is_dear_short_code(number, region)
    pattern = _premium(number[1:4])
    return pattern.fullmatch(number) is not None and _is_premium_by_plan(number)


@functools.cache  # 900 keys at most
def _premium(start: str) -> re.Pattern[str]:
    """Return what matches numbers that start with these digits and fit a premium range of any region there."""
    import phonenumbers as plan

    code = country_code(start)
    patterns = set()
    for region in plan.COUNTRY_CODE_TO_REGION_CODE.get(code, ()):
        metadata = plan.PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        if metadata is not None and metadata.premium_rate is not None:
            patterns.add(metadata.premium_rate.national_number_pattern)
    found = sorted(pattern for pattern in patterns if pattern)
    return re.compile(rf"\+{code}0?(?:{'|'.join(f'(?:{one})' for one in found)})") if found else _NOTHING


@functools.lru_cache(4_096)
def _is_premium_by_plan(number: str) -> bool:
    import phonenumbers as plan

    try:
        return bool(plan.number_type(plan.parse(number)) == plan.PhoneNumberType.PREMIUM_RATE)
    except plan.NumberParseException:
        return False


@functools.lru_cache(4_096)
def _is_dear_short_code(number: str, region: str) -> bool:
    import phonenumbers as plan
    from phonenumbers import shortnumberinfo

    code = plan.country_code_for_region(region)
    short = plan.PhoneNumber(country_code=code, national_number=int(number), italian_leading_zero=False)
    cost = shortnumberinfo.expected_cost_for_region(short, region)
    return bool(cost == shortnumberinfo.ShortNumberCost.PREMIUM_RATE)
