"""One post of one event to one endpoint, signed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from modembank.outgoing import Outcome, Poster, attempt
from modembank.webhooks.signing import signature

TIMEOUT_S = 10.0
"""For one exchange, from the look-up of the name to the end of the answer."""
_encode = msgspec.json.Encoder().encode


class Endpoint(Protocol):
    """Whom an event is posted to."""

    @property
    def url(self) -> str:
        """Where to."""

    @property
    def allow_private(self) -> bool:
        """Whether that may be in a private network."""

    def signing(self, now: int) -> tuple[str, ...]:
        """Return the secrets that are signed with at a time (unix milliseconds), newest first."""


async def deliver(poster: Poster, webhook: Endpoint, event: Mapping[str, Any], now: float) -> Outcome:
    """Post an event as it is told (with ``id``); ``now`` is unix seconds. Never raises for what the endpoint does."""
    body = _encode(event)
    event_id, timestamp = str(event["id"]), int(now)
    headers = {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(webhook.signing(round(now * 1000)), event_id, timestamp, body),
    }
    return await attempt(poster, webhook.url, body, headers, allow_private=webhook.allow_private, timeout_s=TIMEOUT_S)
