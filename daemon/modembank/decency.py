"""The configuration of the rules of decency: opt-outs, quiet hours, who may be written to, and the breaker of loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

TimeOfDay = Annotated[
    str, msgspec.Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?\Z", description="a time such as 21:00, or nothing")
]
Prefix = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(\+[1-9][0-9]{0,14}|[0-9]{1,6})\Z",
        description="the beginning of a number with + and country code, or of a short code",
    ),
]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
Reply = Annotated[str, msgspec.Meta(max_length=1_000)]


class OptOutConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[opt_out]``: which words stop messages to a number, and what it is answered."""

    enabled: bool = True
    """Whether what comes in is looked at; opt-outs that are there hold in any case."""
    languages: tuple[str, ...] = ("en",)
    keywords: tuple[Words, ...] = ()
    """Further stop words, such as the name of a service."""
    confirmation: Reply = "You will get no more messages from us. To get them again, reply START."
    welcome_back: Reply = "You will get our messages again. To stop them, reply STOP."


class QuietHoursConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"from_": "from"}):
    """``[quiet_hours]``: when nobody is disturbed, in the recipient's own time; empty: never."""

    from_: TimeOfDay = ""
    to: TimeOfDay = ""
    exempt_priority: Annotated[int, msgspec.Meta(ge=0, le=10)] = 9
    """Messages of at least this priority go at any time; 10: none do."""


class RecipientsConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[recipients]``: which numbers may be written to; the longest prefix that fits decides."""

    allowed_prefixes: tuple[Prefix, ...] = ()
    """Empty: all that are not blocked."""
    blocked_prefixes: tuple[Prefix, ...] = ()
    allow_premium: bool = False


class LoopsConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``[loops]``: when a SIM and a number are taken for two machines that answer each other."""

    exchanges: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 10
    """Messages in, and as many out; 0: never."""
    within_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 600


LANGUAGES = (
    "ar",
    "bg",
    "cs",
    "da",
    "de",
    "el",
    "en",
    "es",
    "et",
    "fi",
    "fr",
    "hi",
    "hr",
    "hu",
    "it",
    "lt",
    "lv",
    "nb",
    "nl",
    "pl",
    "pt",
    "ro",
    "ru",
    "sk",
    "sl",
    "sv",
    "tr",
    "uk",
)
"""Those of which the box knows the stop words."""


def contradictions(
    opt_out: OptOutConfig, quiet: QuietHoursConfig, recipients: RecipientsConfig
) -> Iterator[tuple[str, str]]:
    """Yield each key whose value cannot stand beside the others, with what is wrong."""
    for language in opt_out.languages:
        if language not in LANGUAGES:
            yield "languages", f"opt_out.languages: {language!a} is not known; allowed: {', '.join(LANGUAGES)}"
    if bool(quiet.from_) != bool(quiet.to):
        yield "(from|to)", "quiet_hours: from and to go together"
    if quiet.from_ and quiet.from_ == quiet.to:
        yield "from", "quiet_hours: from and to are the same time, and that leaves open whether it is never or always"
    both = sorted({*recipients.allowed_prefixes} & {*recipients.blocked_prefixes})
    if both:
        yield "blocked_prefixes", f"recipients: {both[0]} is both allowed and blocked"
