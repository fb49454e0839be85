"""From stored rows to what a caller sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from modembank.clock import rfc3339
from modembank.ids import public_id
from modembank.messages.evidence import evidence_view, verdict
from modembank.messages.model import HELD, PAUSED, TIMED, MessageFlags, MessageState, OnUnknown
from modembank.messages.outbox import AttemptRow, Fate, fates
from modembank.messages.stored import ShownSim, StoredMessage, Story
from modembank.messages.views import BATCH_ID, MESSAGE_ID, AttemptView, MessageView, ReportView
from modembank.messages.waiting import WaitingMessage

MAY_BE_SENT = (
    "unknown whether it was sent: a delivery report settles it, or somebody who knows"
    " (POST /api/v1/messages/{id}/settle)"
)
"""What an UNKNOWN message waits for, when whoever sends says nothing more exact."""
_DELIVERY_REPORT, _FLASH, _REDACTED = (
    int(flag) for flag in (MessageFlags.DELIVERY_REPORT, MessageFlags.FLASH, MessageFlags.REDACTED)
)
_EMAIL, _WHATSAPP = int(MessageFlags.EMAIL), int(MessageFlags.WHATSAPP)
_NEVER_SENT = frozenset({MessageState.FAILED, MessageState.EXPIRED, MessageState.CANCELLED})


def message_view(story: Story, sims: Mapping[int, ShownSim]) -> MessageView:
    """Return a message as it is shown, but for what it waits for."""
    message = story.message
    sim = None if message.sim_id is None else sims.get(message.sim_id)
    flags = int(message.flags)  # an IntFlag makes an object of every answer
    return MessageView(
        id=public_id(MESSAGE_ID, message.id),
        to=message.recipient,
        from_=sim.msisdn if sim else None,
        text=message.text,
        status=message.state.word,
        reference=message.reference,
        batch=None if message.batch_id is None else public_id(BATCH_ID, message.batch_id),
        segments=message.segments,
        encoding=message.encoding.value,
        sim=sim.iccid if sim else None,
        provider=sim.provider if sim else None,
        channel=channel_of(flags),
        subject=message.subject,
        priority=9 - message.rank,
        on_unknown="resend" if message.on_unknown is OnUnknown.RESEND else "hold",
        delivery_report=bool(flags & _DELIVERY_REPORT),
        flash=bool(flags & _FLASH),
        redacted=bool(flags & _REDACTED),
        created_at=rfc3339(message.created_at),
        send_at=_moment(message.not_before if message.state is MessageState.SCHEDULED else None),
        next_try_at=_moment(message.not_before if _is_put_off(message) else None),
        expires_at=rfc3339(message.expires_at),
        window=message.window,
        sent_at=_moment(message.sent_at),
        settled_at=_moment(message.settled_at),
        cause=message.cause,
        attempts=tuple(_attempt_view(attempt, sims) for attempt in story.attempts),
        report=_report_view(message, story.attempts),
    )


def channel_of(flags: int) -> Literal["sms", "email", "whatsapp"]:
    """Return by which channel a message goes."""
    if flags & _EMAIL:
        return "email"
    return "whatsapp" if flags & _WHATSAPP else "sms"


def waiting_message(message: StoredMessage) -> WaitingMessage | None:
    """Return what to ask the WaitExplainer about a message; None when it waits for nothing."""
    if message.state >= MessageState.SENT and message.state is not MessageState.UNKNOWN:
        return None
    return WaitingMessage(
        id=message.id,
        route_id=message.route_id,
        rank=message.rank,
        state=message.state,
        ready=message.ready == 1,
        held=message.ready == HELD,
        paused=message.ready == PAUSED,
        not_before=message.not_before,
        window=message.window,
        cause=message.cause,
    )


def _is_put_off(message: StoredMessage) -> bool:
    return message.ready == TIMED and message.state is not MessageState.SCHEDULED


def _attempt_view(attempt: AttemptRow, sims: Mapping[int, ShownSim]) -> AttemptView:
    sim = sims.get(attempt.sim_id)
    return AttemptView(
        segment=attempt.segment,
        n=attempt.n,
        sim=sim.iccid if sim else None,
        slot=attempt.slot,
        started_at=rfc3339(attempt.started_at),
        finished_at=_moment(attempt.finished_at),
        outcome="in_flight" if attempt.outcome is None else attempt.outcome.name.lower(),
        tp_mr=attempt.tp_mr,
        cause=attempt.cause,
        report_status=attempt.report_status,
        report_at=_moment(attempt.report_at),
        verdict=verdict(attempt),
        evidence=evidence_view(attempt),
    )


def _report_view(message: StoredMessage, attempts: Sequence[AttemptRow]) -> ReportView | None:
    if not int(message.flags) & _DELIVERY_REPORT:
        return None
    reports = [attempt.report_at for attempt in attempts if attempt.report_at is not None]
    if message.state in _NEVER_SENT and not reports and not any(attempt.awaiting for attempt in attempts):
        return None
    found = list(fates(message.segments, attempts).values())
    delivered, failed = found.count(Fate.DELIVERED), found.count(Fate.UNDELIVERED)
    return ReportView(
        status=_report_status(message.segments, delivered, failed),
        reported=delivered + failed,
        segments=message.segments,
        at=_moment(max(reports, default=None)),
    )


def _report_status(
    segments: int, delivered: int, failed: int
) -> Literal["pending", "delivered", "undelivered", "partial"]:
    if failed:
        return "undelivered"
    if delivered == segments:
        return "delivered"
    return "partial" if delivered else "pending"


def _moment(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
