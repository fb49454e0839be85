"""A hub that does not take the box's token, or gives it no new certificate."""

from __future__ import annotations

from modembank.clock import rfc3339
from modembank.fleet import EnrolmentState
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings

LATE_DAYS = 7
"""So long a renewal may be overdue: a hub is away now and then."""


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find a token that was refused, and a certificate that should have been renewed."""
    enrolment = around.fleet.enrolment
    if enrolment.state is EnrolmentState.REFUSED and enrolment.asked is not None:
        summary = f"The hub does not take this box's token: {enrolment.why}. The box works on, and does not ask again."
        return [Finding("", Severity.WARNING, summary, {"hub": enrolment.hub, "code": enrolment.asked.refused})]
    member = enrolment.membership
    if member is None:
        return []
    pair = member.coming or member.pair
    if around.now_ms < (pair.renew_at + LATE_DAYS * 86_400) * 1000:
        return []
    ends = rfc3339(round(pair.not_after * 1000))
    ended = around.now_ms >= pair.not_after * 1000
    why = enrolment.why or "the hub has not answered"
    summary = (
        f"The certificate with which this box reaches its hub {'ended' if ended else 'ends'} {ends[:10]} and could not"
        f" be renewed: {why}."
    )
    return [Finding("", Severity.WARNING, summary, {"hub": enrolment.hub, "ends_at": ends, "why": enrolment.why})]


CHECK = Check(
    kind="hub_enrolment",
    when="A hub refused the box's token, or its certificate for the link is overdue for renewal by a week",
    severity="warning",
    todo="See System for the reason; get a new token at the hub, and enrol the box with it",
    look=look,
)
