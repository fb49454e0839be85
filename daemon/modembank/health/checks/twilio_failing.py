"""Endpoints of clients of the Twilio dialect that take nothing."""

from __future__ import annotations

from typing import Any

from modembank.clock import rfc3339
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings
from modembank.twilio import Account


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find accounts of which an endpoint has been failing for a while."""
    late = around.now_ms - around.config.health.webhook_failing_after_s * 1000
    return [
        _finding(account)
        for account in await around.twilio.all()
        if account.active and account.failing_since is not None and account.failing_since <= late
    ]


def _finding(account: Account) -> Finding:
    since = rfc3339(account.failing_since or 0)
    summary = (
        f"An address to which the account {account.sid} of {account.user} has posts made has been failing since"
        f" {since[:19]}Z. What is for it waits; each event is given up after three days of trying."
    )
    evidence: dict[str, Any] = {"user": account.user, "since": since}
    return Finding(account.sid, Severity.WARNING, summary, evidence)


CHECK = Check(
    kind="twilio_failing",
    when="An address that an account of the Twilio dialect has posts made to takes nothing for"
    " `webhook_failing_after_s`",
    severity="warning",
    todo="See to the address: `modembank twilio list` tells the last error; correct it, or delete the account",
    look=look,
    remedies=("retry_twilio",),
)
