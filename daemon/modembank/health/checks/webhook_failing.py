"""Endpoints of webhooks that take nothing."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from modembank.clock import rfc3339
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings
from modembank.ids import public_id
from modembank.webhooks import WEBHOOK_ID, Webhook


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find endpoints that have been failing for a while, and those that the box gave up."""
    late = around.now_ms - around.config.health.webhook_failing_after_s * 1000
    return [
        _finding(webhook)
        for webhook in await around.webhooks.all()
        if (webhook.runs and webhook.failing_since is not None and webhook.failing_since <= late)
        or (webhook.owner_active and webhook.stopped_why is not None)
    ]


def _finding(webhook: Webhook) -> Finding:
    name = public_id(WEBHOOK_ID, webhook.id)
    host = urlsplit(webhook.url).hostname  # the rest of an address may hold a password
    evidence: dict[str, Any] = {"host": host, "user": webhook.user, "label": webhook.label}
    if webhook.stopped_why is not None:
        summary = (
            f"The webhook {name} to {host} was stopped: {webhook.stopped_why}. Delete it, or make it active again."
        )
        return Finding(name, Severity.WARNING, summary, evidence)
    since = rfc3339(webhook.failing_since or 0)
    summary = (
        f"The webhook {name} to {host} has been failing since {since[:19]}Z: {webhook.last_error}. It goes on"
        " where it was; what it has not taken for seven days is given up, and counted."
    )
    return Finding(name, Severity.WARNING, summary, evidence | {"since": since, "status": webhook.last_status})


CHECK = Check(
    kind="webhook_failing",
    when="A webhook's endpoint has taken nothing for `webhook_failing_after_s`, or answered that it is gone for good",
    severity="warning",
    todo="See to the endpoint; correct the webhook's address, or delete it",
    look=look,
    remedies=("retry_webhook",),
)
