"""What is said of a message of the pool: a box's words, and why."""

from __future__ import annotations

import enum


class Dup(enum.StrEnum):
    """What matters more to a message: that it is never there twice, or that it is there."""

    AT_MOST_ONCE = "amo"
    AT_LEAST_ONCE = "alo"


class Word(enum.StrEnum):
    """How a message stands, as a box says it; each word names the fence that it is about."""

    ACCEPTED = "accepted"
    """The box has it, and sends it once the hub is known to have heard so."""
    REFUSED = "refused"
    """It was not taken, and no later copy of this assignment will be."""
    RELEASED = "released"
    """It was taken, nothing of it was or will be sent."""
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It may have been sent."""
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"


class Code(enum.StrEnum):
    """Why."""

    NONE = ""
    FENCED = "fenced"
    """The box knows of a later assignment."""
    STALE_CREDIT = "stale_credit"
    """The credit that it was given for is of another run of the box."""
    TOO_LATE = "too_late"
    """The lease, or the message's time, was over when it came."""
    NO_CREDIT = "no_credit"
    """The box holds as many as it takes."""
    STILL_HELD = "still_held"
    """An earlier assignment of it is not over there."""
    LEASE_OVER = "lease_over"
    RESTARTED = "restarted"
    RECALLED = "recalled"
    STARTED = "started"
    """It cannot be recalled: the modem has it, and how that ends follows."""
    BOX_RESTORED = "box_restored"
    """The box was made anew from a backup, and does not know."""
    NO_ANSWER = "no_answer"
    OPTED_OUT = "opted_out"
    INVALID = "invalid"
    """The box could not send it at any time: its site permits no such recipient or text."""


FOR_GOOD: frozenset[Code] = frozenset({Code.OPTED_OUT})
"""Refusals that count for all boxes."""
