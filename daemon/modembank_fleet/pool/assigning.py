"""The hub's side: what it assigns to which box, what it believes, what ends with time. No I/O and no clock.

A message has one assignment at a time. One that the hub has not noted as accepted is over when its lease is, for the
box may not have begun (``holding``). One that it has noted is the box's: at most once means that only the box's own
word frees it, and that it ends as unknown where none comes.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

import msgspec
from msgspec.structs import replace

from modembank_fleet.pool.leases import DRIFT, GUARD_S, LEASE_S, SHORTEST_S, Credit, dead_at, longest_lease_s
from modembank_fleet.pool.words import FOR_GOOD, Code, Dup, Word


class State(enum.StrEnum):
    """How a message stands in the hub."""

    QUEUED = "queued"
    ASSIGNED = "assigned"
    """A box was told to take it."""
    ACCEPTED = "accepted"
    """A box has it."""
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It may have been sent; it is not sent again."""
    EXPIRED = "expired"
    """Its time was over before anything of it was sent."""
    EXPIRED_UNKNOWN = "expired_unknown"
    """Its time is over, and the box that had it has not said what became of it."""
    CANCELLED = "cancelled"


ENDED = frozenset(State) - {State.QUEUED, State.ASSIGNED, State.ACCEPTED}
_OUTCOMES: dict[Word, State] = {
    Word.SENT: State.SENT,
    Word.FAILED: State.FAILED,
    Word.UNKNOWN: State.UNKNOWN,
    Word.DELIVERED: State.DELIVERED,
    Word.UNDELIVERED: State.UNDELIVERED,
}
_ON_AIR = frozenset({Word.SENT, Word.DELIVERED, Word.UNDELIVERED})
_WENT = frozenset({State.SENT, State.DELIVERED, State.UNDELIVERED})
_LATE = _ON_AIR | {Word.FAILED}
_REFINED: dict[State, frozenset[Word]] = {
    State.UNKNOWN: _LATE,
    State.EXPIRED: _LATE,
    State.EXPIRED_UNKNOWN: _LATE | {Word.UNKNOWN},
    State.SENT: frozenset({Word.DELIVERED, Word.UNDELIVERED}),
}
"""What a box may still say of a message that has ended: it knows better than what the hub had to guess."""


class Stage(enum.StrEnum):
    """How an assignment stands."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    OVER = "over"


class Message(msgspec.Struct, frozen=True):
    """What the hub decides by, of a message."""

    id: str
    not_after: float
    """Unix seconds by the hub's clock."""
    dup: Dup = Dup.AT_MOST_ONCE
    state: State = State.QUEUED
    code: Code = Code.NONE
    fence: int = 0
    """Of the latest assignment; it grows with each."""
    maybe_dup: bool = False
    """It was assigned anew although it may have been sent."""
    went_by: int = 0
    """The fence of the assignment by which it was first known to be sent."""
    cancel: bool = False
    """Somebody wants it back."""
    conflicts: int = 0
    """How often boxes said of it what cannot all be as wished: a duplicate that was measured."""


class Assignment(msgspec.Struct, frozen=True):
    """A message that is or was a box's."""

    message: str
    fence: int
    box: int
    epoch: str
    run: str
    up: float
    """Of the credit that it was given for."""
    lease_s: int
    dead_at: float
    """Monotonic seconds of the hub."""
    stage: Stage = Stage.OFFERED
    code: Code = Code.NONE
    went: bool = False
    """Its box has said that it sent the message."""


class HubNow(msgspec.Struct, frozen=True):
    """The hub at this moment, by both of its clocks, in seconds."""

    mono: float
    wall: float


class Change(msgspec.Struct, frozen=True):
    """A message and an assignment of it as they are from now on; ``told`` says whether there is anything new."""

    message: Message
    assignment: Assignment | None
    told: bool = True


# -- giving


def offer(message: Message, credit: Credit, open_there: int, now: HubNow, most_s: int = LEASE_S) -> Change | None:
    """Assign a message to a box, where it may be; None where not.

    ``open_there`` counts the assignments of that box that are not over. The change is to be durable before the box is
    told, and the box is told nothing else of that fence.
    """
    if message.state is not State.QUEUED or message.cancel or open_there >= credit.window:
        return None
    age = now.mono - credit.heard_at
    lease = longest_lease_s(most_s, message.not_after, now.wall, age)
    if lease - age < SHORTEST_S:
        return None
    fence = message.fence + 1
    given = Assignment(
        message.id, fence, credit.box, credit.epoch, credit.run, credit.up, lease, dead_at(credit, lease)
    )
    return Change(replace(message, state=State.ASSIGNED, code=Code.NONE, fence=fence), given)


def nowhere(message: Message, takers: AbstractSet[int], refused_by: AbstractSet[int]) -> Change | None:
    """Fail a message that every box which takes messages now could never send; None while one might."""
    if message.state is not State.QUEUED or not takers or not takers <= refused_by:
        return None
    return Change(replace(message, state=State.FAILED, code=Code.INVALID), None)


def left_s(given: Assignment, now: HubNow) -> float:
    """Return for how many seconds an assignment may still be told to its box; the broker forgets it then."""
    return given.dead_at - GUARD_S - given.lease_s * DRIFT - now.mono


def is_newer(credit: Credit, known: Credit | None) -> bool:
    """Whether a credit takes the place of the one that was known: of one run the later, else the one heard later."""
    if known is None or known.run != credit.run:
        return True
    return credit.up >= known.up


# -- believing


def hear(message: Message, given: Assignment, word: Word, code: Code, epoch: str) -> Change:
    """Take a box's word of an assignment; what is late, repeated or of another life of the box changes nothing."""
    if not is_of_its_life(given, epoch):
        return Change(message, given, told=False)
    if word in (Word.REFUSED, Word.RELEASED):
        return _freed(message, given, code)
    if word is Word.ACCEPTED:
        if given.stage is not Stage.OFFERED or message.state is not State.ASSIGNED:
            return Change(message, given, told=False)
        return Change(replace(message, state=State.ACCEPTED, code=code), replace(given, stage=Stage.ACCEPTED))
    return _ended(message, given, word, code)


def is_of_its_life(given: Assignment, epoch: str) -> bool:
    """Whether a word is from the life of the box that got the assignment: a restored one cannot know what was sent."""
    return given.epoch == epoch


def may_send_again(message: Message) -> bool:
    """Whether a message that may have been sent is sent again."""
    return message.dup is Dup.AT_LEAST_ONCE


def _ended(message: Message, given: Assignment, word: Word, code: Code) -> Change:
    """Take a word of how it went."""
    on_air = word in _ON_AIR
    over = replace(given, stage=Stage.OVER, code=code, went=given.went or on_air)
    if message.state not in ENDED:
        return Change(_went(message, given, word, code), over)
    if message.state in _WENT and given.fence != message.went_by:
        twice = on_air and not given.went
        return Change(replace(message, conflicts=message.conflicts + 1) if twice else message, over, told=twice)
    if word not in _REFINED.get(message.state, ()):
        return Change(message, over, told=given.stage is not Stage.OVER)
    went_by = given.fence if on_air else message.went_by
    return Change(replace(message, state=_OUTCOMES[word], code=code, went_by=went_by), over)


def _went(message: Message, given: Assignment, word: Word, code: Code) -> Message:
    """Return a message that had not ended, of which a box says how it went."""
    if word is Word.UNKNOWN and may_send_again(message) and not message.cancel:
        if given.fence != message.fence:  # it is another box's by now
            return replace(message, maybe_dup=True)
        return replace(message, state=State.QUEUED, code=code, maybe_dup=True)
    if given.fence != message.fence and word not in _ON_AIR:  # the box that has it now may do better
        return message
    return replace(message, state=_OUTCOMES[word], code=code, went_by=given.fence if word in _ON_AIR else 0)


def _freed(message: Message, given: Assignment, code: Code) -> Change:
    """Nothing of this assignment was or will be sent."""
    if given.stage is Stage.OVER:
        return Change(message, given, told=False)
    over = replace(given, stage=Stage.OVER, code=code)
    if given.fence != message.fence:
        return Change(message, over)
    if message.state in ENDED:
        known = message.state is State.EXPIRED_UNKNOWN and not message.maybe_dup
        return Change(replace(message, state=State.EXPIRED, code=code) if known else message, over)
    if message.cancel:
        return Change(replace(message, state=State.CANCELLED, code=code), over)
    state = State.FAILED if code in FOR_GOOD else State.QUEUED
    return Change(replace(message, state=state, code=code), over)


# -- time


def pass_time(message: Message, given: Assignment | None, now: HubNow) -> Change | None:
    """Return what time alone changes of a message and its latest assignment, None for nothing."""
    if message.state in ENDED:
        return None
    past = now.wall >= message.not_after
    if message.state is State.QUEUED or given is None:
        if message.cancel:
            return Change(replace(message, state=State.CANCELLED), given)
        return Change(replace(message, state=_expired(message)), given) if past else None
    long_past = now.wall >= message.not_after + GUARD_S
    dead = is_dead(given, now)
    over = replace(given, stage=Stage.OVER, code=Code.NO_ANSWER)
    if given.stage is Stage.OFFERED:
        if long_past:
            return Change(replace(message, state=_expired(message), code=Code.NO_ANSWER), over)
        return _freed(message, given, Code.NO_ANSWER) if dead else None
    if long_past:
        return Change(replace(message, state=State.EXPIRED_UNKNOWN, code=Code.NO_ANSWER), given)
    if dead and may_send_again(message) and not message.cancel and not past:
        return Change(replace(message, state=State.QUEUED, code=Code.NO_ANSWER, maybe_dup=True), over)
    return None


def is_dead(given: Assignment, now: HubNow) -> bool:
    """Whether nothing of an assignment can begin any more, and all that did has ended."""
    return now.mono >= given.dead_at


def _expired(message: Message) -> State:
    return State.EXPIRED_UNKNOWN if message.maybe_dup else State.EXPIRED


def restored(message: Message, given: Assignment, epoch: str) -> Change | None:
    """Return what it means for a message that its box lives a new life: nobody knows what was sent in the old one."""
    if given.epoch == epoch or given.stage is not Stage.ACCEPTED:
        return None
    over = replace(given, stage=Stage.OVER, code=Code.BOX_RESTORED)
    if message.state in ENDED or given.fence != message.fence:
        return Change(message, over)
    return Change(_went(message, given, Word.UNKNOWN, Code.BOX_RESTORED), over)


def hub_started(given: Assignment, now: HubNow) -> Assignment:
    """Return an assignment that is not over as a hub that was started counts its time: from the beginning again."""
    return replace(given, dead_at=now.mono + given.lease_s * (1 + DRIFT) + GUARD_S)


# -- wanting back


def to_recall(message: Message, given: Assignment, credit: Credit | None, now: HubNow) -> bool:
    """Whether a box is to be asked to give a message back.

    Because somebody cancelled it, another box has sent it meanwhile, the box takes none any more, or is silent about it
    although its lease is over.
    """
    if given.stage is Stage.OVER:
        return False
    if message.cancel or given.fence != message.fence or message.state in _WENT:
        return True
    if credit is not None and credit.run == given.run and credit.window == 0:
        return True
    return given.stage is Stage.ACCEPTED and is_dead(given, now)


def open_at(box: int, given: Iterable[Assignment]) -> int:
    """Return how many assignments of a box are not over."""
    return sum(1 for one in given if one.box == box and one.stage is not Stage.OVER)
