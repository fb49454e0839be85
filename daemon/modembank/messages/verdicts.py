"""Verdicts on single recipients: why one gets no message, and all of them in the order in which they were given."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from modembank.messages.views import REFUSED, Accepted

BAD_NUMBER = "bad_number"
NOT_PERMITTED = "not_permitted"
OPTED_OUT = "opted_out"
MOST_SHOWN = 64
"""Characters of a recipient as it was written that an answer repeats: more than any number has."""


class Refused(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A recipient that gets no message."""

    at: int
    """Its place among the recipients given."""
    to: str
    """As it was written, at most MOST_SHOWN characters."""
    reason: str
    """BAD_NUMBER, NOT_PERMITTED or OPTED_OUT."""
    detail: str


def in_order(accepted: Sequence[Accepted], places: Sequence[int], refused: Sequence[Refused]) -> tuple[Accepted, ...]:
    """Return a verdict for each recipient, in the order given; ``places`` are those of ``accepted``."""
    verdicts = dict(zip(places, accepted, strict=True))
    for each in refused:
        verdicts[each.at] = Accepted("", each.to, REFUSED, 0, "", each.reason, each.detail)
    return tuple(verdicts[at] for at in sorted(verdicts))
