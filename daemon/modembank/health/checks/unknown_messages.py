"""Messages that may or may not have been sent, and for which no delivery report comes."""

from __future__ import annotations

from modembank.clock import rfc3339
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings
from modembank.ids import public_id


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find messages that have been UNKNOWN for long."""
    found = await around.messages.long_unknown(around.now_ms - around.config.health.unknown_after_s * 1000)
    if found is None:
        return []
    who = "1 message" if found.count == 1 else f"{found.count} messages"
    summary = (
        f"{who} may or may not have been sent, and no delivery report came. Ask the recipients, then say what became of"
        " them (POST /api/v1/messages/{id}/settle, or all old ones at once); nothing is sent twice by itself."
    )
    evidence = {"count": found.count, "oldest": public_id("msg", found.oldest), "oldest_since": rfc3339(found.since)}
    return [Finding("", Severity.WARNING, summary, evidence)]


CHECK = Check(
    kind="unknown_messages",
    when="Messages have been unknown for `unknown_after_s` without a delivery report",
    severity="warning",
    todo="Ask the recipients, then settle them: one by one, or all old ones with `POST /api/v1/messages/settle`",
    look=look,
    every_s=300,
)
