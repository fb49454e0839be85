"""What a caller sees: immutable views, ready for JSON. Times are RFC 3339 UTC, ids are public ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import msgspec

MESSAGE_ID = "msg"
BATCH_ID = "bat"
INBOX_ID = "inb"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; ``cursor`` asks for the next, None at the end."""

    items: tuple[T, ...]
    cursor: str | None


class Accepted(msgspec.Struct, frozen=True):
    """One recipient's message as it was accepted."""

    id: str
    """Empty in a dry run."""
    to: str
    status: str
    segments: int
    encoding: str


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


class AttemptView(msgspec.Struct, frozen=True):
    """One try of one segment; ``outcome`` is ``in_flight`` or the lower-case name of an AttemptOutcome."""

    segment: int
    n: int
    sim: str | None
    slot: str
    started_at: str
    finished_at: str | None
    outcome: str
    tp_mr: int | None
    cause: str | None
    report_status: int | None
    """TP-ST (3GPP TS 23.040 9.2.3.15)."""
    report_at: str | None
    evidence: dict[str, Any] = {}
    """What was seen on the wire: ``prompt_s ctrl_z_s final_s`` (seconds after the command), ``octets_written final``,
    and ``concat`` for a part of a long message; only what is known."""


class ReportView(msgspec.Struct, frozen=True):
    """What the delivery reports say of the whole message."""

    status: Literal["pending", "delivered", "undelivered", "partial"]
    """``partial``: some segments are reported delivered, none as failed, others not yet."""
    reported: int
    """Segments with a final report."""
    segments: int
    at: str | None
    """Of the latest report."""


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """An outbound message with its whole history."""

    id: str
    direction: Literal["outbound"] = "outbound"
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
    priority: int
    delivery_report: bool
    flash: bool
    created_at: str
    send_at: str | None
    """Not before this time: asked for, or the next try."""
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


class InboxView(msgspec.Struct, frozen=True, kw_only=True):
    """An inbound message."""

    id: str
    direction: Literal["inbound"] = "inbound"
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
    sent_at: str | None
    received_at: str


@dataclass(frozen=True, slots=True)
class Conservation:
    """Accepted = terminal + open: the recorded counters against a count of the table, by MessageState word."""

    recorded: dict[str, int]
    counted: dict[str, int]

    @property
    def holds(self) -> bool:
        """Whether both agree in every state."""
        return self.recorded == self.counted
