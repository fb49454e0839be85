"""The box's side: what it takes, when it may begin to send, what it gives back. No I/O and no clock.

Three rules keep a message from being sent twice, whatever is lost, repeated or late. A box takes each assignment once:
what it refused or gave back leaves a tombstone. It begins only when the hub is known to have noted that it accepted:
the hub assigns anew what it has not noted, and nothing else. And it begins only within the lease: then what the hub
notes too late does no harm.
"""

from __future__ import annotations

import enum

import msgspec
from msgspec.structs import replace

from modembank_fleet.pool.leases import until
from modembank_fleet.pool.words import Code, Word


class Stage(enum.StrEnum):
    """How a message of the pool stands on a box."""

    HELD = "held"
    """Accepted; the hub is not known to have noted that."""
    QUEUED = "queued"
    """In the box's own queue."""
    STARTED = "started"
    """A modem has it, or had it when the box died."""
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    GONE = "gone"
    """Refused or given back: a tombstone."""
    VOID = "void"
    """In a backup that was restored: what became of it the box does not know, and does not say."""


WORDS: dict[Stage, Word] = {
    Stage.HELD: Word.ACCEPTED,
    Stage.QUEUED: Word.ACCEPTED,
    Stage.STARTED: Word.ACCEPTED,
    Stage.SENT: Word.SENT,
    Stage.FAILED: Word.FAILED,
    Stage.UNKNOWN: Word.UNKNOWN,
    Stage.DELIVERED: Word.DELIVERED,
    Stage.UNDELIVERED: Word.UNDELIVERED,
    Stage.GONE: Word.RELEASED,
    Stage.VOID: Word.UNKNOWN,
}
"""What a box says of each."""
WAITING = frozenset({Stage.HELD, Stage.QUEUED})
"""Nothing of it was sent, and it may be."""
OPEN = WAITING | {Stage.STARTED}
"""What takes of a box's window."""
_SPENT = frozenset({Stage.STARTED, Stage.SENT, Stage.FAILED, Stage.DELIVERED, Stage.UNDELIVERED})


class Offer(msgspec.Struct, frozen=True):
    """A message that the hub assigns to this box."""

    id: str
    fence: int
    run: str
    told_up: float
    """The run and uptime (seconds) of the credit that it is given for."""
    lease_s: float
    not_after: float
    """Unix seconds."""


class Entry(msgspec.Struct, frozen=True):
    """What a box keeps of a message of the pool."""

    id: str
    fence: int
    stage: Stage
    code: Code = Code.NONE
    run: str = ""
    until: float = 0.0
    """Uptime in that run before which it may begin."""
    not_after: float = 0.0
    accepted: int = 0
    """Number of the result that told the hub that it was accepted."""


class BoxNow(msgspec.Struct, frozen=True):
    """The box at this moment."""

    run: str
    up: float
    wall: float | None
    """Unix seconds; None where nobody knows the time."""
    acked: int = 0
    """Up to which number the hub has the box's results."""
    held: int = 0
    """How many messages it has in OPEN stages."""
    window: int = 0


class Start(enum.Enum):
    """Whether a message may be given to a modem."""

    GO = enum.auto()
    WAIT = enum.auto()
    OVER = enum.auto()


class Reply(msgspec.Struct, frozen=True):
    """What a box does with an assignment or a recall: what it keeps (None: what it had), and what it says."""

    keep: Entry | None
    word: Word
    code: Code = Code.NONE


# -- assignments


def judge(offer: Offer, known: Entry | None, now: BoxNow, left_s: float) -> Reply:
    """Take an assignment, or not; ``left_s`` is what is left of the command's own time."""
    if known is not None and is_fenced(offer.fence, known):
        return Reply(None, Word.REFUSED, Code.FENCED)
    if known is not None and is_known(offer.fence, known):
        return Reply(None, WORDS[known.stage], known.code)
    if known is not None and is_spent(known):  # it went already, for an earlier assignment
        return Reply(replace(known, fence=offer.fence), WORDS[known.stage], known.code)
    if known is not None and known.stage in WAITING and may_begin(known, now):
        return Reply(None, Word.REFUSED, Code.STILL_HELD)
    ends = until(offer.told_up, offer.lease_s, now.up, left_s)
    refusal = _refusal(offer, ends, now)
    if refusal is not Code.NONE:
        return Reply(_tombstone(offer.id, offer.fence, refusal), Word.REFUSED, refusal)
    return Reply(Entry(offer.id, offer.fence, Stage.HELD, Code.NONE, now.run, ends, offer.not_after), Word.ACCEPTED)


def is_fenced(fence: int, known: Entry) -> bool:
    """Whether a later assignment is known."""
    return fence < known.fence


def is_known(fence: int, known: Entry) -> bool:
    """Whether this very assignment is known, be it that it was refused or given back."""
    return fence == known.fence


def is_spent(known: Entry) -> bool:
    """Whether it was sent from here, or is going. What is unknown here the hub assigns anew on purpose, or never."""
    return known.stage in _SPENT


def is_of_this_run(run: str, now: BoxNow) -> bool:
    """Whether this start of the box's program told that credit: no former one, no copy of the box."""
    return run == now.run


def has_room(now: BoxNow) -> bool:
    """Whether one more may be held."""
    return now.held < now.window


def _refusal(offer: Offer, ends: float, now: BoxNow) -> Code:
    if not is_of_this_run(offer.run, now) or offer.told_up > now.up:
        return Code.STALE_CREDIT
    if is_over(ends, now) or is_past(offer.not_after, now):
        return Code.TOO_LATE
    return Code.NONE if has_room(now) else Code.NO_CREDIT


def _tombstone(message: str, fence: int, code: Code) -> Entry:
    return Entry(message, fence, Stage.GONE, code)


# -- beginning


def may_start(entry: Entry, now: BoxNow) -> Start:
    """Decide whether a message may be given to a modem now."""
    if entry.stage not in WAITING or not may_begin(entry, now):
        return Start.OVER
    return Start.GO if is_confirmed(entry, now) else Start.WAIT


def may_begin(entry: Entry, now: BoxNow) -> bool:
    """Whether its lease and its time go on."""
    return is_of_this_run(entry.run, now) and not is_over(entry.until, now) and not is_past(entry.not_after, now)


def is_over(ends: float, now: BoxNow) -> bool:
    """Whether a lease is over, by the clock that never jumps."""
    return now.up >= ends


def is_past(not_after: float, now: BoxNow) -> bool:
    """Whether the message's time is over by the box's clock, where that is to be trusted."""
    return now.wall is not None and now.wall >= not_after


def is_confirmed(entry: Entry, now: BoxNow) -> bool:
    """Whether the hub has noted that the box accepted it."""
    return 0 < entry.accepted <= now.acked


# -- giving back


def lapse(entry: Entry, now: BoxNow) -> Entry | None:
    """Return what becomes of a message that waits when it may not begin any more; None while it may."""
    if entry.stage not in WAITING or may_begin(entry, now):
        return None
    code = Code.LEASE_OVER if is_of_this_run(entry.run, now) else Code.RESTARTED
    return replace(entry, stage=Stage.GONE, code=code)


def recall(message: str, fence: int, known: Entry | None) -> Reply:
    """Answer the hub, which wants a message back."""
    if known is None:
        return Reply(_tombstone(message, fence, Code.RECALLED), Word.RELEASED, Code.RECALLED)
    if is_fenced(fence, known):
        return Reply(None, Word.REFUSED, Code.FENCED)
    if known.stage in WAITING or known.stage is Stage.GONE:  # of an earlier assignment too: that one is over
        return Reply(_tombstone(message, fence, Code.RECALLED), Word.RELEASED, Code.RECALLED)
    code = Code.STARTED if known.stage is Stage.STARTED else known.code
    return Reply(replace(known, fence=fence), WORDS[known.stage], code)


def resume(entry: Entry, *, restored: bool) -> Entry | None:
    """Return what a message is after the box's program was started, None: as it was.

    A backup does not know what was sent after it was made: what it holds is void, and never said to be released.
    """
    if entry.stage not in OPEN:
        return None
    if restored:
        return replace(entry, stage=Stage.VOID, code=Code.BOX_RESTORED)
    if entry.stage is Stage.STARTED:
        return replace(entry, stage=Stage.UNKNOWN, code=Code.RESTARTED)
    return replace(entry, stage=Stage.GONE, code=Code.RESTARTED)
