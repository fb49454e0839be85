"""What a caller sees: immutable views, ready for JSON. Times are RFC 3339 UTC, ids are public ids."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

import msgspec

from modembank.messages.model import TERMINAL

MESSAGE_ID = "msg"
BATCH_ID = "bat"
INBOX_ID = "inb"

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a list; ``cursor`` asks for the next, None at the end."""

    items: tuple[T, ...]
    cursor: str | None
    unsearched: int = 0
    """When words were looked for: how many rows are not indexed yet, and were not looked at."""


REFUSED = "refused"
"""In the place of a state, for a recipient that got no message."""


class Accepted(msgspec.Struct, frozen=True, omit_defaults=True):
    """One recipient's message as it was accepted; or, in an answer in parts, why there is none."""

    id: str
    """Empty in a dry run, and for a recipient that was refused."""
    to: str
    """As messages are stored with it; as it was written when it was refused."""
    status: str
    """A state, or ``refused``."""
    segments: int
    encoding: str
    reason: str = ""
    """Why it was refused, for programs: ``bad_number``, ``not_permitted`` or ``opted_out``."""
    detail: str = ""
    """The same for people."""


class Note(msgspec.Struct, frozen=True):
    """Something the caller should know that is no error: where, and what."""

    pointer: str
    detail: str


class SubmitReceipt(msgspec.Struct, frozen=True):
    """The answer to a request; ``replayed`` is for the header, the rest for the body."""

    messages: tuple[Accepted, ...]
    batch: str | None = None
    """Only when there were many recipients."""
    notes: tuple[Note, ...] = ()
    dry_run: bool = False
    replayed: bool = False
    refused: int = 0
    """How many of ``messages`` are none: only when an answer in parts was asked for."""


class Replacement(msgspec.Struct, frozen=True):
    """A character that forces UCS-2 and could be written otherwise."""

    character: str
    replacement: str


class Preview(msgspec.Struct, frozen=True):
    """How a text would go out, and what could make it shorter."""

    encoding: str
    segments: int
    characters_left: int
    """Septets (gsm7) or UTF-16 code units (ucs2) that the last segment still takes."""
    forced_by: tuple[str, ...]
    """The characters that made it UCS-2, in order of appearance."""
    replacements: tuple[Replacement, ...] = ()
    text_after: str | None = None
    """The text with all replacements applied; None when nothing is replaceable."""
    segments_after: int | None = None
    segments_saved: int = 0


class EvidenceView(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one attempt; null where nobody knows, as after a crash. Times are seconds after the command."""

    intent_durable: bool
    """It was on the disk that this would be tried before the modem was given the text."""
    prompt_seen: bool | None = None
    octets_written: int | None = None
    ctrl_z_written: bool | None = None
    """The text was given to the modem: from here on it may be sent."""
    final_seen: bool | None = None
    """The modem told how it ended."""
    final: str | None = None
    """In its own words."""
    report_seen: bool
    """A delivery report came."""
    prompt_s: float | None = None
    ctrl_z_s: float | None = None
    final_s: float | None = None
    concat: int | None = None
    """The concatenation reference of a part of a long message."""
    provider: dict[str, str | int | float | bool] | None = None
    """What a provider answered, and what its receipt said."""


class AttemptView(msgspec.Struct, frozen=True):
    """One try of one segment; ``outcome`` is ``in_flight`` or the lower-case name of an AttemptOutcome."""

    segment: int
    """From 1; 0: all of it at once, as providers take it."""
    n: int
    sim: str | None
    slot: str
    """Where the SIM sat; a provider's name."""
    started_at: str
    finished_at: str | None
    outcome: str
    tp_mr: int | None
    cause: str | None
    report_status: int | None
    """TP-ST (3GPP TS 23.040 9.2.3.15)."""
    report_at: str | None
    verdict: str
    """What all this means, for people."""
    evidence: EvidenceView


class ReportView(msgspec.Struct, frozen=True):
    """What the delivery reports say of the whole message."""

    status: Literal["pending", "delivered", "undelivered", "partial"]
    """``partial``: some segments are reported delivered, none as failed, others not yet."""
    reported: int
    """Segments with a final report."""
    segments: int
    at: str | None
    """Of the latest report."""


class MessageView(msgspec.Struct, frozen=True, kw_only=True, tag_field="direction", tag="outbound"):
    """An outbound message with its whole history; ``direction`` tells it from an inbound one in the same list."""

    id: str
    to: str
    from_: str | None = msgspec.field(name="from")
    """The sending SIM's own number, when a SIM was chosen and its number is known."""
    text: str
    status: str
    reference: str | None
    batch: str | None
    segments: int
    encoding: str
    sim: str | None
    """ICCID."""
    provider: str | None = None
    """Who took it, or last tried to, where that is not the bank."""
    channel: Literal["sms", "email", "whatsapp"] = "sms"
    subject: str | None = None
    priority: int
    on_unknown: Literal["hold", "resend"]
    """What is done with a segment that may have been sent: never sent twice, or never lost."""
    delivery_report: bool
    flash: bool
    created_at: str
    send_at: str | None
    """When it was asked to go, until that time has come."""
    next_try_at: str | None
    """No try before this time: it waits after one, or for the hours in which its text may go."""
    expires_at: str
    window: str | None
    sent_at: str | None
    settled_at: str | None
    cause: str | None
    attempts: tuple[AttemptView, ...] = ()
    report: ReportView | None = None
    """None when no delivery report was asked for, or none can come because nothing was sent."""
    waiting_for: str | None = None
    """Why it is not sent yet, while it is not."""
    redacted: bool = False
    """Its text was taken away."""


class AgeView(msgspec.Struct, frozen=True):
    """How many held messages had been due for so long: at least ``from_s``, and less than ``to_s`` seconds."""

    from_s: int
    to_s: int | None
    held: int


class HeldRouteView(msgspec.Struct, frozen=True):
    """How many held messages may leave through what."""

    route: str
    held: int


class OutagePeriod(msgspec.Struct, frozen=True):
    """A time in which nothing could be sent on a route; ``until`` is null while it goes on."""

    route: str
    kind: str
    """``down`` the box, ``no_sim`` every SIM for it, ``clock`` nobody knows, ``restored`` from a backup."""
    cause: str
    since: str
    until: str | None
    held: int
    """Messages that were held for it, whatever became of them."""
    expired: int
    """Messages that were given up for it by the box's rule."""


class OutageView(msgspec.Struct, frozen=True):
    """Held messages and the outages behind them."""

    held: int
    oldest_due_at: str | None
    """Since when the oldest of them could have been sent."""
    ages: tuple[AgeView, ...]
    routes: tuple[HeldRouteView, ...]
    outages: tuple[OutagePeriod, ...]
    """Those that go on, then those that have ended, newest first."""
    rule: str
    after_s: int
    older_than_s: int


class OutageDecision(msgspec.Struct, frozen=True):
    """What a decision did."""

    sent: int
    """Put back into the queue, by rank and age."""
    expired: int
    """Given up, or past their validity."""
    held: int
    """Still held."""


class InboxView(msgspec.Struct, frozen=True, kw_only=True, tag_field="direction", tag="inbound"):
    """An inbound message."""

    id: str
    from_: str = msgspec.field(name="from")
    to: str | None
    """The receiving SIM's own number, when known."""
    kind: str
    """A ContentKind of the codec: ``text``, ``flash``, ``mwi``, …"""
    text: str
    octets: str | None
    """Hex of content that is not text."""
    parts: int
    missing: tuple[int, ...]
    """Numbers of the parts that never came (yet)."""
    sim: str | None
    """ICCID."""
    provider: str | None = None
    """Who brought it, where that is not the bank."""
    channel: Literal["sms", "email", "whatsapp"] = "sms"
    sent_at: str | None
    received_at: str
    redacted: bool = False
    """Its content was taken away."""


class Conservation(msgspec.Struct, frozen=True):
    """Accepted = terminal + open, as of one commit: the counters by MessageState word, and a count of the table."""

    accepted: int
    """All messages ever accepted."""
    recorded: dict[str, int]
    counted: dict[str, int] | None = None
    """None when the table was not read."""
    rows: int = 0
    """All rows of the table, whatever their state."""
    stranded: tuple[str, ...] = ()
    """Public ids of open messages that nothing will hand out any more."""

    @property
    def terminal(self) -> int:
        """How many messages have ended, by the counters."""
        return sum(self.recorded[state.word] for state in TERMINAL)

    @property
    def open(self) -> int:
        """How many have not, by the counters."""
        return sum(self.recorded.values()) - self.terminal

    @property
    def holds(self) -> bool:
        """Whether every leg of the law stands."""
        return not self.breaches()

    def breaches(self) -> tuple[str, ...]:
        """Return what is wrong, one sentence for each leg that does not stand."""
        found = []
        total = sum(self.recorded.values())
        if self.accepted != total:
            found.append(f"{self.accepted} messages were ever accepted, but the counters by state add up to {total}")
        if self.counted is not None:
            found += [
                f"{self.recorded[word]} messages are recorded as {word}, but the table has {n}"
                for word, n in self.counted.items()
                if self.recorded[word] != n
            ]
            if self.rows != self.accepted:
                found.append(f"{self.accepted} messages were ever accepted, but the table has {self.rows}")
        if self.stranded:
            found.append(f"{len(self.stranded)} open messages are stranded: nothing would ever hand them out")
        return tuple(found)
