"""What the attempts at a message's segments add up to: one pure function, monotone over any order of events.

A message of several segments is no more than its worst segment and no less than its evidence:

- DELIVERED when every segment is reported delivered, whatever was believed before;
- UNDELIVERED as soon as one segment that the network took is finally given up: the rest cannot make it whole;
- SENT when the network took every segment;
- UNKNOWN when every segment was tried, nothing is left to try, and at least one may or may not have been sent;
- SENDING before that.

Whoever is UNKNOWN is SENT once the evidence of every segment says so: more is known then, and nothing has gone back.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import msgspec

from modembank.messages.model import TERMINAL, WHOLE, MessageState, OnUnknown
from modembank.modem.outcome import AttemptOutcome
from modembank.tpdu import ReportClass, ReportStatus

MOST_RESENDS = 3
"""How often a segment that may have been sent is sent again under RESEND; after that it is held."""

MAY_BE_SENT = frozenset({AttemptOutcome.ACCEPTED, AttemptOutcome.UNKNOWN})


class AttemptRow(msgspec.Struct, frozen=True):
    """One attempt as stored, whether its journal rows are folded yet or not."""

    segment: int
    n: int
    sim_id: int
    slot: str
    started_at: int
    finished_at: int | None = None
    outcome: AttemptOutcome | None = None
    """None while in flight."""
    tp_mr: int | None = None
    cause: str | None = None
    evidence: str | None = None
    awaiting: bool = False
    report_status: int | None = None
    report_at: int | None = None
    concat: int | None = None
    """The concatenation reference that it carried; stored within the evidence."""

    @property
    def report(self) -> ReportClass | None:
        """What its delivery report says; None when none came."""
        return None if self.report_status is None else _report_class(self.report_status)


class Fate(enum.IntEnum):
    """What is known of one segment, over all its attempts."""

    UNTRIED = 0
    FREE = 1
    """Every attempt is known not to have been sent, or to have been refused."""
    OPEN = 2
    """An attempt is in flight."""
    UNKNOWN = 3
    SENT = 4
    UNDELIVERED = 5
    DELIVERED = 6


_SETTLED = frozenset({Fate.SENT, Fate.UNDELIVERED, Fate.DELIVERED})


def fate_of(attempts: Iterable[AttemptRow]) -> Fate:
    """Return what the attempts at one segment say together; evidence of arrival beats evidence of failure."""
    fates = {_fate(attempt) for attempt in attempts}
    for fate in (Fate.DELIVERED, Fate.SENT, Fate.UNDELIVERED, Fate.OPEN, Fate.UNKNOWN, Fate.FREE):
        if fate in fates:
            return fate
    return Fate.UNTRIED


def fates(segments: int, attempts: Iterable[AttemptRow]) -> dict[int, Fate]:
    """Return the fate of every segment from 1 to ``segments``."""
    by_segment = _by_segment(segments, attempts)
    return {segment: fate_of(tries) for segment, tries in by_segment.items()}


def aggregate(current: MessageState, policy: OnUnknown, segments: int, attempts: Sequence[AttemptRow]) -> MessageState:
    """Return the message's state after what the attempts show; smaller than ``current`` is only SENT, than UNKNOWN."""
    found = fates(segments, attempts)
    if all(fate is Fate.DELIVERED for fate in found.values()):
        return MessageState.DELIVERED
    if current in TERMINAL:
        return current
    if any(fate is Fate.UNDELIVERED for fate in found.values()):
        return MessageState.UNDELIVERED
    reached = _under_way(found, done_segments(policy, segments, attempts))
    return reached if reached is MessageState.SENT and current is MessageState.UNKNOWN else max(current, reached)


def done_segments(policy: OnUnknown, segments: int, attempts: Iterable[AttemptRow]) -> frozenset[int]:
    """Return the segments that must not be sent (again): those taken, and UNKNOWN ones as the policy says."""
    by_segment = _by_segment(segments, attempts)
    return frozenset(segment for segment, tries in by_segment.items() if _is_done(policy, tries))


def all_sent(segments: int, attempts: Iterable[AttemptRow]) -> bool:
    """Return whether the network certainly took every segment."""
    return all(fate in _SETTLED for fate in fates(segments, attempts).values())


def _under_way(found: Mapping[int, Fate], done: frozenset[int]) -> MessageState:
    if all(fate in _SETTLED for fate in found.values()):
        return MessageState.SENT
    if len(done) == len(found):
        return MessageState.UNKNOWN
    if any(fate is not Fate.UNTRIED for fate in found.values()):
        return MessageState.SENDING
    return MessageState.ACCEPTED


def _is_done(policy: OnUnknown, tries: Sequence[AttemptRow]) -> bool:
    fate = fate_of(tries)
    if fate is not Fate.UNKNOWN:
        return fate in _SETTLED
    unknown = sum(_fate(attempt) is Fate.UNKNOWN for attempt in tries)
    return policy is OnUnknown.HOLD or unknown > MOST_RESENDS


def _fate(attempt: AttemptRow) -> Fate:
    match attempt.report:
        case ReportClass.DELIVERED:
            return Fate.DELIVERED
        case ReportClass.FAILED:
            return Fate.UNDELIVERED
        case ReportClass.PENDING:
            return Fate.SENT  # the service centre speaks of it, so it has it, whatever the modem said
    match attempt.outcome:
        case None:
            return Fate.OPEN
        case AttemptOutcome.ACCEPTED:
            return Fate.SENT
        case AttemptOutcome.UNKNOWN:
            return Fate.UNKNOWN
    return Fate.FREE


@lru_cache(maxsize=256)  # an octet
def _report_class(status: int) -> ReportClass:
    return ReportStatus(status).report_class


def _by_segment(segments: int, attempts: Iterable[AttemptRow]) -> dict[int, list[AttemptRow]]:
    found: dict[int, list[AttemptRow]] = {segment: [] for segment in range(1, segments + 1)}
    for attempt in attempts:
        if attempt.segment == WHOLE:
            for tries in found.values():
                tries.append(attempt)
        elif attempt.segment in found:
            found[attempt.segment].append(attempt)
    return found
