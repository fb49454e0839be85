"""What is known of an attempt, derived from the little that is stored of it; what nobody knows is null, not false."""

from __future__ import annotations

import msgspec

from modembank.messages.model import WHOLE
from modembank.messages.outbox import INTERRUPTED, AttemptRow
from modembank.messages.views import EvidenceView
from modembank.modem.outcome import AttemptOutcome
from modembank.tpdu import ReportClass


class _Stored(msgspec.Struct, frozen=True):
    """The JSON in ``attempts.evidence``: only what was seen, to spare the card."""

    prompt_s: float | None = None
    ctrl_z_s: float | None = None
    final_s: float | None = None
    octets_written: int | None = None
    """None: nothing was told of the exchange."""
    final: str | None = None
    concat: int | None = None
    provider: dict[str, str | int | float | bool] | None = None
    """None: a modem."""
    receipt: str | None = None


def evidence_view(attempt: AttemptRow) -> EvidenceView:
    """Return the evidence for one attempt."""
    stored = _stored(attempt)
    if attempt.segment == WHOLE:
        return _of_provider(attempt, stored)
    known = stored.octets_written is not None
    ctrl_z = stored.ctrl_z_s is not None
    # Only a modem that refuses the command itself is so quick that there is nothing to make durable beforehand.
    refused_at_once = known and not ctrl_z and attempt.outcome is AttemptOutcome.REJECTED
    return EvidenceView(
        intent_durable=not refused_at_once,
        prompt_seen=stored.prompt_s is not None if known else None,
        octets_written=stored.octets_written,
        ctrl_z_written=ctrl_z if known else None,
        final_seen=stored.final is not None if known else None,
        final=stored.final,
        report_seen=attempt.report is not None,
        prompt_s=stored.prompt_s,
        ctrl_z_s=stored.ctrl_z_s,
        final_s=stored.final_s,
        concat=attempt.concat,
    )


def _of_provider(attempt: AttemptRow, stored: _Stored) -> EvidenceView:
    told = dict(stored.provider or {})
    if stored.receipt is not None:
        told["receipt"] = stored.receipt
    return EvidenceView(intent_durable=True, report_seen=attempt.report is not None, provider=told)


def verdict(attempt: AttemptRow) -> str:
    """Return one sentence: what happened, and whether it was sent."""
    if attempt.segment == WHOLE:
        return _verdict_of_provider(attempt)
    match attempt.report:
        case ReportClass.DELIVERED:
            return "it arrived: a delivery report says so"
        case ReportClass.FAILED:
            return "it was sent and did not arrive: a delivery report says so"
        case ReportClass.PENDING:
            return "it was sent: the service centre has it and still tries to deliver it"
    match attempt.outcome:
        case None:
            return "it is being sent: how it ends is not known yet"
        case AttemptOutcome.NOT_SENT:
            return "the modem was not given the text: it was not sent"
        case AttemptOutcome.ACCEPTED:
            return "it was sent: the network took it"
        case AttemptOutcome.REJECTED:
            return "it was refused, so it was not sent"
    return _unknown(attempt)


def _verdict_of_provider(attempt: AttemptRow) -> str:
    match attempt.report:
        case ReportClass.DELIVERED:
            return "it arrived: the provider's receipt says so"
        case ReportClass.FAILED:
            return "the provider took it and it did not arrive: its receipt says so"
        case ReportClass.PENDING:
            return "the provider has it and still tries to deliver it"
    match attempt.outcome:
        case None:
            return "it is being handed to the provider: how that ends is not known yet"
        case AttemptOutcome.NOT_SENT:
            return "the provider was not given it"
        case AttemptOutcome.ACCEPTED:
            return "the provider took it"
        case AttemptOutcome.REJECTED:
            return "the provider refused it"
    if attempt.cause == INTERRUPTED:
        return "the box stopped in the middle, and whether the provider has it is not known"
    return "the provider may have it: its answer did not come, or leaves that open"


def _unknown(attempt: AttemptRow) -> str:
    if attempt.cause == INTERRUPTED:
        return "the box stopped in the middle, and how far it came is not known: it may have been sent"
    if _stored(attempt).final is not None:
        return "the text was given to the modem and its answer leaves the rest open: it may have been sent"
    return "the text was given to the modem and no answer came: it may have been sent"


def _stored(attempt: AttemptRow) -> _Stored:
    return _Stored() if attempt.evidence is None else msgspec.json.decode(attempt.evidence, type=_Stored)
