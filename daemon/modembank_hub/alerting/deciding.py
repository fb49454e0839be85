"""What becomes of alerts at one look: pure, so that every case can be told to it. Times are unix milliseconds.

A condition must hold for a while before its alert opens, and be gone for a while before it ends; an alert that opens
again and again must be gone for longer each time. What cannot be judged now changes nothing, and what had not opened
yet begins to count anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from modembank_hub.alerting.facts import Held, Key

MOST_DAMPING = 3
"""Doublings of the time that a condition must be gone."""


class Pending(msgspec.Struct, frozen=True):
    """A condition that has not held for long enough."""

    key: Key
    since_at: int


class Standing(msgspec.Struct, frozen=True):
    """An alert that has not ended."""

    id: int
    key: Key
    round: int
    severity: str
    clear_at: int | None
    clear_s: int
    """By the rule that holds for it now."""


class Begin(msgspec.Struct, frozen=True):
    """A condition begins to hold."""

    held: Held


class Drop(msgspec.Struct, frozen=True):
    """It held for too short a time, or nobody knows whether it does."""

    key: Key


class Open(msgspec.Struct, frozen=True):
    """It has held for long enough: an alert, or the one of before again."""

    held: Held
    since_at: int


class Clearing(msgspec.Struct, frozen=True):
    """The condition is gone since ``at``; None: it holds again."""

    id: int
    at: int | None


class End(msgspec.Struct, frozen=True):
    """It has been gone for long enough."""

    id: int
    key: Key


class Regrade(msgspec.Struct, frozen=True):
    """It is as bad as another rule says."""

    id: int
    severity: str


Change: TypeAlias = Begin | Drop | Open | Clearing | End | Regrade


def decide(
    pending: Sequence[Pending],
    standing: Sequence[Standing],
    held: Mapping[Key, Held],
    is_unknown: Callable[[Key], bool],
    now: int,
) -> list[Change]:
    """Return what changes; ``is_unknown`` tells whether a kind of a subject can be judged now."""
    return [
        *(change for one in standing for change in _standing(one, held.get(one.key), is_unknown(one.key), now)),
        *(change for one in pending for change in _pending(one, held.get(one.key), is_unknown(one.key), now)),
        *_new(pending, standing, held, is_unknown, now),
    ]


def clear_ms(one: Standing) -> int:
    """Return how long its condition must be gone."""
    return one.clear_s * 1000 << min(one.round - 1, MOST_DAMPING)


def _standing(one: Standing, held: Held | None, unknown: bool, now: int) -> Iterator[Change]:
    if unknown:
        if one.clear_at is not None:
            yield Clearing(one.id, None)
    elif held is not None:
        if one.clear_at is not None:
            yield Clearing(one.id, None)
        if held.severity != one.severity:
            yield Regrade(one.id, held.severity)
    elif now - (now if one.clear_at is None else one.clear_at) >= clear_ms(one):
        yield End(one.id, one.key)
    elif one.clear_at is None:
        yield Clearing(one.id, now)


def _pending(one: Pending, held: Held | None, unknown: bool, now: int) -> Iterator[Change]:
    if unknown or held is None:
        yield Drop(one.key)
    elif now - one.since_at >= held.hold_s * 1000:
        yield Open(held, one.since_at)


def _new(
    pending: Sequence[Pending],
    standing: Sequence[Standing],
    held: Mapping[Key, Held],
    is_unknown: Callable[[Key], bool],
    now: int,
) -> Iterator[Change]:
    known = {one.key for one in pending} | {one.key for one in standing}
    for key, one in held.items():
        if key not in known and not is_unknown(key):
            yield Begin(one) if one.hold_s else Open(one, now)
