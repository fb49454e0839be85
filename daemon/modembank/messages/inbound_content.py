"""What a PDU from the air says: read without ever raising, cleaned, and joined when it came in parts."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from modembank.clock import to_ms
from modembank.messages.model import ReportFacts
from modembank.tpdu import (
    ContentKind,
    DeliverTpdu,
    MalformedTpdu,
    StatusReportTpdu,
    SubmitTpdu,
    Timestamp,
    classify,
    decode_pdu,
    join_parts,
)

RAW_LIMIT = 4096
"""Characters kept of a raw PDU; a real one has at most 352 hex digits."""

# Line feed, carriage return, tab and form feed have a meaning in a text; the other C0 and C1 controls only do harm.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")


class Unreadable(msgspec.Struct, frozen=True):
    """A PDU that is none; ``reason`` holds nothing of its content."""

    reason: str


class Content(msgspec.Struct, frozen=True):
    """What a message holds once its parts are together; ``sent_at`` is the earliest of their time stamps, unix ms."""

    kind: ContentKind
    text: str
    octets: bytes | None
    parts: int
    missing: tuple[int, ...]
    sent_at: int | None


Received = DeliverTpdu | StatusReportTpdu | SubmitTpdu | Unreadable


def read_pdu(pdu: str) -> Received:
    """Decode hex; a SUBMIT is what a SIM's memory may hold of messages that a telephone sent. Never raises."""
    try:
        return decode_pdu(pdu).tpdu
    except MalformedTpdu as error:
        try:
            return decode_pdu(pdu, direction="outbound").tpdu
        except MalformedTpdu:
            return Unreadable(str(error))


def read_part(pdu: str) -> DeliverTpdu | None:
    """Decode a PDU that was kept as a part; None when this release cannot read it any more."""
    tpdu = read_pdu(pdu)
    return tpdu if isinstance(tpdu, DeliverTpdu) else None


def content_of(parts: Sequence[DeliverTpdu]) -> Content:
    """Join the parts that there are of one message (at least one, in any order); a single message is one part."""
    first = min(parts, key=_place)
    joined = join_parts([part.user_data for part in parts])
    # The first octets say what a binary message is, and they may have been cut by the sender.
    whole = first.user_data if joined.octets is None else replace(first.user_data, payload=joined.octets)
    concat = first.user_data.concat
    stamps = [stamp for part in parts if (stamp := moment_ms(part.timestamp)) is not None]
    return Content(
        kind=classify(first.pid, first.dcs, whole),
        text=clean_text(joined.text or ""),
        octets=joined.octets,
        parts=1 if concat is None else concat.total,
        missing=joined.missing,
        sent_at=min(stamps, default=None),
    )


def report_facts(tpdu: StatusReportTpdu, pdu: str, received_at: int) -> ReportFacts:
    """Return what a status report says, in the outbox's words."""
    return ReportFacts(
        tp_mr=tpdu.reference,
        recipient=tpdu.recipient.number,
        status=tpdu.status.value,
        submitted_at=moment_ms(tpdu.timestamp),
        discharged_at=moment_ms(tpdu.discharge),
        received_at=received_at,
        pdu=kept_raw(pdu),
    )


def clean_text(text: str) -> str:
    """Return the text as it came, without the control characters that have no place in one."""
    return _CONTROLS.sub("", text)


def kept_raw(pdu: str) -> str:
    """Return a raw PDU in a form that can be stored whatever it holds, bounded."""
    return pdu[:RAW_LIMIT].encode("utf-8", "backslashreplace").decode()[:RAW_LIMIT]


def moment_ms(timestamp: Timestamp) -> int | None:
    """Return a time stamp as unix milliseconds, or None when it is no time."""
    moment = timestamp.moment
    return None if moment is None else to_ms(moment.timestamp())


def _place(part: DeliverTpdu) -> int:
    concat = part.user_data.concat
    return 0 if concat is None else concat.sequence
