"""Leases: until when a box may begin to send what it was given, by clocks that never jump.

A lease runs from the moment at which the box told its credit, by the box's own clock: the hub names that moment when it
assigns. However long anything is under way, the box's lease is therefore over before the hub believes so, since the hub
counts from when it heard of the credit. Nobody's wall clock matters, nor how long a broker or a socket keeps something.
"""

from __future__ import annotations

import msgspec

DRIFT = 0.01
"""By how much one clock may run faster than another."""
GUARD_S = 90.0
"""The longest that a modem takes for one message: after a lease, what was begun in it can be told of within this."""
LEASE_S = 600
SHORTEST_S = 30.0
"""A lease of which less is left is not worth giving."""


class Credit(msgspec.Struct, frozen=True):
    """How many messages of the pool a box takes, as it told the hub."""

    box: int
    """The hub's number of it."""
    epoch: str
    run: str
    """Random for each start of the box's program."""
    up: float
    """The box's uptime in seconds when it told this."""
    window: int
    """How many it holds at most; 0: it takes none, and gives back what it has."""
    heard_at: float
    """Seconds of the hub's monotonic clock."""


def longest_lease_s(most_s: float, not_after: float, wall: float, age_s: float) -> int:
    """Return the seconds of a lease on a credit of some age, over before ``not_after`` even if the box's clock is slow.

    ``wall`` and ``not_after`` are unix seconds by the hub's clock.
    """
    return int(min(most_s, (not_after - wall + age_s) / (1 + DRIFT)))


def dead_at(credit: Credit, lease_s: float) -> float:
    """Return the hub's monotonic seconds from which on nothing of an assignment begins, and all that did has ended."""
    return credit.heard_at + lease_s * (1 + DRIFT) + GUARD_S


def until(told_up: float, lease_s: float, received_up: float, left_s: float) -> float:
    """Return the box's uptime before which it may begin: the lease, or what the broker left of the command's time."""
    return min(told_up + lease_s, received_up + left_s)
