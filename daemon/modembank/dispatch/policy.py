"""What follows when a segment was not taken: one table, by the class of the cause (3GPP TS 27.005 3.2.5)."""

from __future__ import annotations

import enum
import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import msgspec

from modembank.modem.outcome import AttemptOutcome, Cause, CauseClass


class Action(enum.Enum):
    """What to do with the message."""

    NEXT = "next"
    """Taken: go on with the next segment."""
    FAIL = "fail"
    LATER = "later"
    """Try again after the step's delay; the message waits, nobody else does."""
    OTHER_SIM = "other_sim"
    """At once through another SIM if there is one, else LATER."""
    WITHOUT_VALIDITY = "without_validity"
    """At once, without a validity period: this SIM's service centre refuses them."""
    BACK = "back"
    """Back to the queue: the modem is to blame, which rests for the step's delay."""
    UNKNOWN = "unknown"
    """It may have been sent: the message's policy decides."""


class Blame(enum.Enum):
    """Whom the refusal counts against."""

    NOBODY = "nobody"
    SIM = "sim"
    NETWORK = "network"
    """Against the SIM only if other SIMs get through meanwhile."""


class Rule(msgspec.Struct, frozen=True):
    """What a class of causes means; ``delays_s`` by how often the message was tried, the last one repeats."""

    action: Action
    delays_s: tuple[float, ...] = (0.0,)
    blame: Blame = Blame.NOBODY
    most_tries: int | None = None
    """Tries after which the message fails; None: until its validity ends."""
    other_sim_from: int | None = None
    """From this try on another SIM goes first."""


RULES: Mapping[CauseClass, Rule] = MappingProxyType(
    {
        CauseClass.RECIPIENT: Rule(Action.FAIL),
        CauseClass.SIM: Rule(Action.OTHER_SIM, (60.0, 300.0, 900.0, 3600.0), Blame.SIM, most_tries=8),
        CauseClass.NETWORK: Rule(
            Action.LATER, (10.0, 60.0, 300.0, 300.0, 900.0, 1800.0), Blame.NETWORK, other_sim_from=2
        ),
        CauseClass.MODEM: Rule(Action.BACK, (2.0, 5.0, 15.0, 60.0)),
        CauseClass.PORT: Rule(Action.BACK, (2.0, 5.0, 15.0, 60.0)),
        CauseClass.SIM_ABSENT: Rule(Action.BACK, (60.0, 300.0)),
        CauseClass.STORAGE: Rule(Action.BACK, (10.0, 60.0)),
        CauseClass.VALIDITY: Rule(Action.WITHOUT_VALIDITY, (10.0, 60.0, 300.0)),
        CauseClass.AMBIGUOUS: Rule(Action.UNKNOWN, (60.0, 300.0)),
    }
)
ONCE_LATER = frozenset({"cms_27"})
"""Final causes that are worth one more try: 27 is "destination out of service"."""
_ONCE_LATER_RULE = Rule(Action.LATER, (300.0,), most_tries=2)
_PROVIDER_RESTS_S = (1.0, 5.0, 15.0, 30.0, 120.0, 300.0, 600.0)
_JITTER = (0.75, 1.25)


class Ended(Protocol):
    """What became of a segment given to a modem, or of a message given to a provider."""

    @property
    def outcome(self) -> AttemptOutcome:
        """What is true of it."""

    @property
    def cause(self) -> Cause | None:
        """Why it was not taken."""


class Step(msgspec.Struct, frozen=True):
    """What to do now."""

    action: Action
    delay_s: float = 0.0
    blame: Blame = Blame.NOBODY
    other_sim: bool = False


def step_after(result: Ended, tries: int, chance: random.Random) -> Step:
    """Return what follows the ``tries``-th try of a message (from 1); delays carry a jitter of a quarter."""
    if result.outcome is AttemptOutcome.ACCEPTED:
        return Step(Action.NEXT)
    rule = _rule(result)
    if rule.most_tries is not None and tries >= rule.most_tries:
        return Step(Action.FAIL, blame=rule.blame)
    delay_s = rule.delays_s[min(tries, len(rule.delays_s)) - 1] * chance.uniform(*_JITTER)
    other = rule.other_sim_from is not None and tries >= rule.other_sim_from
    return Step(rule.action, delay_s, rule.blame, other)


def rest_s(klass: CauseClass | None, failures: int, chance: random.Random) -> float:
    """Return how long a line rests after the ``failures``-th failure in a row (from 1) its modem is to blame for."""
    delays = RULES[klass if klass is not None and RULES[klass].action is Action.BACK else CauseClass.MODEM].delays_s
    return delays[min(failures, len(delays)) - 1] * chance.uniform(*_JITTER)


def provider_rest_s(failures: int, chance: random.Random) -> float:
    """Return how long a provider is left alone after the ``failures``-th failure in a row (from 1) that is its own.

    From the fifth on it is longer than messages wait for it: those that have another way take it.
    """
    return _PROVIDER_RESTS_S[min(failures, len(_PROVIDER_RESTS_S)) - 1] * chance.uniform(*_JITTER)


def cause_text(cause: Cause | None) -> str | None:
    """Return a cause as it is stored: the stable key, then the words for people."""
    return None if cause is None else f"{cause.code}: {cause.text}"


def _rule(result: Ended) -> Rule:
    cause = result.cause
    if result.outcome is AttemptOutcome.UNKNOWN:
        return RULES[CauseClass.AMBIGUOUS]
    if cause is None or cause.klass is CauseClass.AMBIGUOUS:  # nothing ambiguous about a refusal or an unsent PDU
        return RULES[CauseClass.MODEM if result.outcome is AttemptOutcome.NOT_SENT else CauseClass.NETWORK]
    if cause.code in ONCE_LATER:
        return _ONCE_LATER_RULE
    return RULES[cause.klass]
