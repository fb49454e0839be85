"""Mail servers that do not take what is forwarded."""

from __future__ import annotations

from typing import Any

from modembank.clock import rfc3339
from modembank.health.model import Finding, Severity
from modembank.health.parts import Check, Standing
from modembank.health.surroundings import Surroundings
from modembank.mail import ForwardView

SERVER = "mail_in"
"""The subject of an issue about the box's own server."""
SHOWN_MS = 86_400_000
"""How long it is told that a message was given up."""


async def look(around: Surroundings, standing: Standing) -> list[Finding]:  # noqa: ARG001 - what all checks take
    """Find addresses that have been told nothing for a while, and those of whose messages one was given up lately."""
    late = around.now_ms - around.config.health.webhook_failing_after_s * 1000
    lately = around.now_ms - SHOWN_MS
    trouble = around.mail.server_trouble
    server = [Finding(SERVER, Severity.WARNING, f"The box {trouble}. It is tried again by itself.")] if trouble else []
    return server + [
        _finding(one)
        for one in around.mail.all()
        if (one.failing_since is not None and one.failing_since <= late)
        or (one.given_up_at is not None and one.given_up_at > lately)
    ]


def _finding(one: ForwardView) -> Finding:
    evidence: dict[str, Any] = {"server": one.server, "to": one.to, "given_up": one.given_up, "error": one.last_error}
    if one.failing_since is None:
        summary = (
            f"Inbound messages that the forward {one.forward} was to tell {one.to} were given up after days: "
            f"{one.last_error}. They are in the box's inbox."
        )
        return Finding(one.name, Severity.WARNING, summary, evidence)
    since = rfc3339(one.failing_since)
    summary = (
        f"The forward {one.forward} has told {one.to} nothing since {since[:19]}Z: {one.last_error}. It goes on where"
        " it was; what was not taken for seven days is given up, and stays in the inbox."
    )
    return Finding(one.name, Severity.WARNING, summary, evidence | {"since": since})


CHECK = Check(
    kind="mail_failing",
    when="A mail server has not taken what `[[mail_out.forward]]` tells an address for `webhook_failing_after_s`, or"
    " within the last day a message was given up that it refused for days; or the box cannot listen for mails",
    severity="warning",
    todo="See to the server, the login or the address, as the sentence says; correct the configuration",
    look=look,
    remedies=("retry_mail",),
)
