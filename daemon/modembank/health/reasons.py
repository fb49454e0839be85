"""Sorting the sentences that say why a message waits, so that a thousand of them become a few groups."""

from __future__ import annotations

import enum
import re


class Reason(enum.Enum):
    """What kind of reason it is."""

    LIMIT = "limit"
    """A SIM's limits: it goes on by itself."""
    TIME = "time"
    """A schedule, a window, quiet hours, or a loop, which is an issue of its own."""
    TURN = "turn"
    """Others are before it, or it is being sent."""
    OTHER = "other"
    """Something that may need a person."""


_WHEN = re.compile(r"(?:\d{4}-\d\d-\d\d )?\d\d:\d\d(?::\d\d)?")
_LIMIT = re.compile(
    r"(?:SIM|provider) .*: (?:[\d.]+ of [\d.]+ (?:this minute|this hour|in 24 hours|in 31 days|recipients in 31 days)"
    r"|[\d.]+ s between messages), (?:next (?:at|on) |more than the limit)"
)
_USED = re.compile(r"[\d.]+ of (?=[\d.]+ (?:this|in|recipients))")
_TURN = re.compile(r"it is next|being sent through|\d+ (?:or more )?messages? (?:is|are) before it")
_TIME = re.compile(r"scheduled for|outside its window|quiet hours of|held back, for")


def sort_reason(sentence: str) -> tuple[Reason, str]:
    """Return the kind of a reason, and the sentence without what differs from one message or moment to the next."""
    if _TURN.match(sentence):
        return Reason.TURN, "others are before it, or it is its turn"
    if _TIME.match(sentence):
        return Reason.TIME, _WHEN.sub("…", sentence)
    if _LIMIT.match(sentence):
        return Reason.LIMIT, _USED.sub("all of ", _WHEN.sub("…", sentence))
    return Reason.OTHER, _WHEN.sub("…", sentence)
