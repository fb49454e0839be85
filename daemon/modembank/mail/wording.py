"""What stands in a mail about an inbound message. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from modembank.mail.model import Post
from modembank.providers.adapters.letters import Letter, message_id

SEPARATOR = "-- "
"""What stands below is a signature: mail programs leave it out of an answer."""
_NUMBER = re.compile(r"\+?[0-9]{3,20}")
_TEXTS = frozenset({"text", "flash", "silent", "mwi"})


def letter_of(
    post: Post, told: Mapping[str, Any], label: str, *, box: str, domain: str, zone: tzinfo | None = None
) -> Letter:
    """Return the mail that tells of a message, the same each time.

    ``told`` is what the event log tells of it; ``domain`` is where answers become messages, empty when nowhere.
    """
    sender, received = str(told["from"]), datetime.fromisoformat(str(told["received_at"]))
    return Letter(
        id=message_id(f"{box}/{told['id']}", post.server.sender),
        sender=post.server.sender,
        to=post.to,
        subject=f"SMS from {sender}",
        text=f"{_text(told)}\n\n{SEPARATOR}\n{_facts(told, label, received.astimezone(zone), domain)}\n",
        at=received.timestamp(),
        sender_name=post.server.sender_name or box,
        reply_to=f"{sender}@{domain}" if _answerable(sender, domain) else "",
    )


def _answerable(sender: str, domain: str) -> bool:
    return bool(domain) and _NUMBER.fullmatch(sender) is not None


def _text(told: Mapping[str, Any]) -> str:
    kind, missing = told["kind"], told["missing"]
    text = str(told["text"]) if kind in _TEXTS else f"(This is no text but {kind}: the box's inbox has it.)"
    if missing:
        parts = ", ".join(str(part) for part in missing)
        text += f"\n(Of a long message part {parts} never came.)"
    return text


def _facts(told: Mapping[str, Any], label: str, at: datetime, domain: str) -> str:
    to = " ".join(part for part in (told["to"] or "", f"(SIM {label})" if label else "") if part)
    lines = [f"From {told['from']}{f' to {to}' if to else ''}, {at.isoformat(' ', 'seconds')}, {told['id']}"]
    if _answerable(str(told["from"]), domain):
        lines.append("An answer to this mail goes to the number as SMS.")
    return "\n".join(lines)
