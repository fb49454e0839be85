"""The words of the messages slice: states, policies, and the rows other layers see."""

from __future__ import annotations

import enum
import functools

import msgspec

from modembank.modem.outcome import AttemptOutcome


class MessageState(enum.IntEnum):
    """Life cycle of an outbound message; never to a smaller value, but from UNKNOWN to SENT when that is proved."""

    ACCEPTED = 10
    SCHEDULED = 20
    QUEUED = 30
    SENDING = 40
    """At least one attempt was made; also while it waits for the next."""
    SENT = 50
    """The network took every segment."""
    UNKNOWN = 60
    """Some segment may or may not have been sent; held, or settled later by delivery reports."""
    UNDELIVERED = 70
    """A delivery report says that it did not reach the recipient."""
    EXPIRED = 72
    FAILED = 74
    CANCELLED = 76
    DELIVERED = 80

    @functools.cached_property
    def word(self) -> str:
        """The API's word for it."""
        return self.name.lower()


TIMED = 2
"""The value of ``messages.ready`` for what waits for a time; 1 may be dispatched."""
HELD = 3
"""The value of ``messages.ready`` for what waits until an admin decides."""
PAUSED = 4
"""The value of ``messages.ready`` for what waits until its batch goes on."""
SET_ASIDE = frozenset({HELD, PAUSED})
"""The values of ``messages.ready`` for what is not dispatched before somebody says so."""
TERMINAL = frozenset(
    {
        MessageState.UNDELIVERED,
        MessageState.EXPIRED,
        MessageState.FAILED,
        MessageState.CANCELLED,
        MessageState.DELIVERED,
    }
)


class OnUnknown(enum.IntEnum):
    """What to do with a segment that may have been sent: hold (never twice) or resend (never lost)."""

    HOLD = 0
    RESEND = 1


class MessageFlags(enum.IntFlag):
    """Per-message switches."""

    NONE = 0
    DELIVERY_REPORT = 1
    FLASH = 2
    FORCE_UCS2 = 4
    FORCE_GSM7 = 8
    CONSENT = 16
    """The box's own answer to an opt-out: the one message that may go to a number that is out."""
    REDACTED = 32
    """Its text was taken away after it was sent or had ended."""
    HIDDEN = 64
    """Deleted: no list and no look-up shows it any more."""
    COUNTED = 128
    """Its batch has counters by state."""
    RETRIED = 256
    """It failed, and was sent again as another message."""
    EMAIL = 512
    WHATSAPP = 1024


class InboxHiding(enum.IntEnum):
    """How much of an inbound message was taken away; NULL in its row: nothing."""

    REDACTED = 0
    """Its content."""
    DELETED = 1
    """All: no list and no look-up shows it any more."""


WHOLE = 0
"""In the place of a segment: an attempt at all of a message at once, as providers take it."""


class Stage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Some of those who may take a message; the next stage is for when none of them can."""

    bank: bool = False
    """Any SIM."""
    sims: tuple[int, ...] = ()
    """These SIMs (row ids)."""
    pools: tuple[str, ...] = ()
    """All SIMs with these labels."""
    providers: tuple[int, ...] = ()
    """These providers (row ids)."""


class Route(msgspec.Struct, frozen=True):
    """What a message may leave through: stages in order, or named SIMs (row ids), or a pool (SIMs with that label).

    With none of these, whoever carries its channel, as rules and costs say.
    """

    id: int
    sims: tuple[int, ...] = ()
    pool: str | None = None
    channel: str = "sms"
    stages: tuple[Stage, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether nobody is named."""
        return not (self.sims or self.pool is not None or self.stages)


class QueuedMessage(msgspec.Struct, frozen=True, gc=False):
    """All that dispatch needs of a message that may be sent now. A Struct: it is made for every accepted message."""

    id: int
    user_id: int
    recipient: str
    text: str
    segments: int
    flags: MessageFlags
    route_id: int
    rank: int
    expires_at: int
    window: str | None
    on_unknown: OnUnknown
    tries: int
    sim_id: int | None
    """The SIM that earlier segments left through, if any did: the rest must follow through it. Negative: a provider."""
    done: frozenset[int] = frozenset()
    """Segments that need not be sent (again): accepted ones, and UNKNOWN ones under HOLD."""
    concat: int | None = None
    """The concatenation reference of segments that are, or may be, out already: the rest must carry the same."""
    subject: str | None = None
    """Of an e-mail."""


class Intent(msgspec.Struct, frozen=True):
    """One attempt that is about to be made."""

    message_id: int
    segment: int
    """From 1, or WHOLE."""
    n: int
    sim_id: int
    """Negative: a provider."""
    slot: str
    at: int
    concat: int | None = None
    """The concatenation reference of a message in several segments."""


class Settlement(msgspec.Struct, frozen=True):
    """How one attempt ended, ready for the journal."""

    intent: Intent
    outcome: AttemptOutcome
    at: int
    tp_mr: int | None = None
    cause: str | None = None
    evidence: str = "{}"
    reference: str | None = None
    """By which a provider calls it in its receipts."""


class JournalKind(enum.IntEnum):
    """What a row of the journal says."""

    INTENT = 1
    """An attempt is about to be made: committed before Ctrl-Z."""
    SETTLED = 2
    """How that attempt ended."""
    REPORT = 3
    """A delivery report came; ``n`` is its TP-ST."""
    RECEIPT = 4
    """A receipt of a provider came; ``n`` is what it says, as a TP-ST."""


class BeginVerdict(enum.Enum):
    """The gate's answer; only GO may be followed by Ctrl-Z."""

    GO = "go"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    OPTED_OUT = "opted_out"
    """The recipient wants no messages."""
    GONE = "gone"
    """Not to be sent any more (terminal, held, already sent, or in flight elsewhere): drop it."""


class RetryAt(msgspec.Struct, frozen=True):
    """Not before ``ms``; the message keeps its place by rank and age."""

    ms: int
    cause: str | None = None


class Fail(msgspec.Struct, frozen=True):
    """Final: it will not be sent."""

    cause: str


class Hold(msgspec.Struct, frozen=True):
    """It may have been sent: stays UNKNOWN until a delivery report or a person settles it."""

    cause: str


class Expire(msgspec.Struct, frozen=True):
    """It is given up before it was sent; a message of which a part is UNKNOWN becomes UNKNOWN instead."""

    cause: str | None = None
    """What went wrong last."""
    why: str | None = None
    """Why it is given up, where that is not the end of its validity."""


class OptedOut(msgspec.Struct, frozen=True):
    """Its recipient has opted out: what is left of it is not sent. A part that is UNKNOWN keeps it UNKNOWN."""


Decision = RetryAt | Fail | Hold | Expire | OptedOut


class ReportFacts(msgspec.Struct, frozen=True):
    """What a status report says; the codec's words without the codec."""

    tp_mr: int
    recipient: str
    """As the report names it: with ``+`` when international, else as it came."""
    status: int
    """TP-ST, as received."""
    submitted_at: int | None
    """TP-SCTS: when the service centre had received the message, by its own clock; None when it is no time."""
    discharged_at: int | None
    received_at: int
    pdu: str
    """Hex, kept with a report that belongs to nothing yet."""


class ReceiptFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a provider's receipt says."""

    reference: str
    status: int
    """As TP-ST (3GPP TS 23.040 9.2.3.15) would say it."""
    received_at: int
    detail: str = ""
    happened_at: int | None = None


class ReportMatch(enum.StrEnum):
    """What a delivery report was found to belong to."""

    MATCHED = "matched"
    PROVED = "proved"
    """It settled an attempt that was UNKNOWN."""
    DUPLICATE = "duplicate"
    ORPHAN = "orphan"
    """Nothing yet: kept for an attempt whose end is not known."""


class RecoveryReport(msgspec.Struct, frozen=True):
    """What was found at start."""

    folded: int = 0
    """Journal rows applied."""
    interrupted: int = 0
    """Attempts that were under way when the daemon stopped: now UNKNOWN."""
    held: int = 0
    """Messages that are UNKNOWN because of it."""
    resending: int = 0
    """Messages that will send such a segment again, by their policy."""
