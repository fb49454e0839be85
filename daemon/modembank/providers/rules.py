"""Routing rules: which providers take which messages, the first rule that fits a message counts."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Annotated

import msgspec

from modembank.errors import FieldProblem, InvalidRequest
from modembank.providers.model import Channel

MOST_RULES = 200
BANK = "bank"
"""The name of the bank of modems among providers."""
_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_PREFIX = re.compile(r"\+[1-9]\d{0,14}", re.ASCII)
Priority = Annotated[int, msgspec.Meta(ge=0, le=9)]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule; what is left out fits every message."""

    providers: tuple[str, ...]
    """In order: names of providers, ``bank``, ICCIDs, slots or labels of SIMs."""
    channel: Channel = Channel.SMS
    prefixes: tuple[str, ...] = ()
    """Of recipients' numbers, such as ``+44``."""
    domains: tuple[str, ...] = ()
    """Of recipients' addresses, such as ``clinic.example``."""
    operators: tuple[str, ...] = ()
    """Names of the operators that recipients' numbers were first given to; one that was ported is not known."""
    users: tuple[str, ...] = ()
    """Names of users whose messages are meant."""
    priority_from: Priority = 0
    priority_to: Priority = 9
    hours: str = ""
    """``HH:MM-HH:MM`` in the box's time: only then."""

    def fits(self, recipient: str, user: str, priority: int) -> bool:
        """Return whether a message of the rule's channel is meant, whatever the hour."""
        return (
            self.priority_from <= priority <= self.priority_to
            and (not self.users or user in self.users)
            and (not self.prefixes or recipient.startswith(self.prefixes))
            and (not self.domains or recipient.rpartition("@")[2].lower() in self.domains)
            and (not self.operators or operator_of(recipient) in self.operators)
        )


def check_rules(rules: Sequence[Rule]) -> None:
    """Raise InvalidRequest for what no message could be meant by, with the place of each."""
    if len(rules) > MOST_RULES:
        raise InvalidRequest(FieldProblem("", f"are {len(rules)} rules: at most {MOST_RULES}"))
    problems: list[FieldProblem] = []
    for place, rule in enumerate(rules):
        if not rule.providers:
            problems.append(FieldProblem(f"/{place}/providers", "names nobody"))
        for at, prefix in enumerate(rule.prefixes):
            if not _PREFIX.fullmatch(prefix):
                problems.append(FieldProblem(f"/{place}/prefixes/{at}", "must be a + and digits, such as +44"))
        if rule.hours and not _HOURS.fullmatch(rule.hours):
            problems.append(FieldProblem(f"/{place}/hours", "must be HH:MM-HH:MM, such as 08:00-20:00"))
        if rule.priority_from > rule.priority_to:
            problems.append(FieldProblem(f"/{place}/priority_to", "is less than priority_from"))
    if problems:
        raise InvalidRequest(*problems)


@functools.lru_cache(maxsize=10_000)
def operator_of(number: str) -> str:
    """Return the operator that a number was first given to, as phonenumbers names it in English; empty: not known."""
    import phonenumbers
    from phonenumbers import carrier

    try:
        return carrier.name_for_number(phonenumbers.parse(number), "en")
    except phonenumbers.NumberParseException:
        return ""
