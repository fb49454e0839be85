"""Inbound messages that may have meant to opt out and wait for a person."""

from __future__ import annotations

from modembank import optouts
from modembank.events import OptOutsChanged
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Count them."""
    count = await around.store.read(optouts.open_reviews)
    if not count:
        return []
    who = "1 message looks" if count == 1 else f"{count} messages look"
    summary = (
        f"{who} like an opt-out and may be none: read and decide. Until then their senders get messages as before."
    )
    return [Finding("", Severity.INFO, summary, {"count": count})]


CHECK = Check(
    kind="opt_outs_to_review",
    when="Inbound messages look like an opt-out without being one to the letter",
    severity="info",
    todo="Read them (`GET /api/v1/opt-outs/reviews`) and decide each with `POST /api/v1/opt-outs/reviews/{id}/decide`",
    look=look,
    on=(OptOutsChanged,),
)
