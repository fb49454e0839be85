"""Events that no endpoint took in days, and that nobody will be told of any more."""

from __future__ import annotations

from modembank.clock import rfc3339
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings
from modembank.ids import public_id
from modembank.webhooks import WEBHOOK_ID

SHOWN_MS = 86_400_000
"""After the last one."""


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find webhooks and accounts of the Twilio dialect for which something was given up within the last day."""
    after = around.now_ms - SHOWN_MS
    webhooks, accounts = await around.webhooks.all(), await around.twilio.all()
    found = [(public_id(WEBHOOK_ID, one.id), "webhook", one.user, one.given_up, one.given_up_at) for one in webhooks]
    found += [(one.sid, "Twilio account", one.user, one.given_up, one.given_up_at) for one in accounts]
    return [_finding(*one) for one in found if one[4] is not None and one[4] > after]


def _finding(name: str, what: str, user: str, events: int, last: int | None) -> Finding:
    summary = (
        f"The {what} {name} of {user} was not told of {events} events, since its endpoint did not take them for days."
        " What became of the messages is in /api/v1/messages and /api/v1/inbox."
    )
    return Finding(name, Severity.WARNING, summary, {"user": user, "events": events, "last": rfc3339(last or 0)})


CHECK = Check(
    kind="events_given_up",
    when="Within the last day an event was given up that an endpoint of a webhook or a Twilio account did not take for"
    " days",
    severity="warning",
    todo="Look up what the endpoint's owner missed; a webhook can be told again (`POST …/replay`)",
    look=look,
)
