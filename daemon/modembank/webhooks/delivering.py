"""One post of one event to one endpoint, signed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from modembank.outgoing import AddressRefused, EndpointFailed, Poster
from modembank.webhooks.model import Outcome, Webhook
from modembank.webhooks.signing import signature

TIMEOUT_S = 10.0
"""For one exchange, from the look-up of the name to the end of the answer."""
_encode = msgspec.json.Encoder().encode


async def deliver(poster: Poster, webhook: Webhook, event: Mapping[str, Any], now: float) -> Outcome:
    """Post an event as it is told (with ``id``); ``now`` is unix seconds. Never raises for what the endpoint does."""
    body = _encode(event)
    event_id, timestamp = str(event["id"]), int(now)
    headers = {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(webhook.signing(round(now * 1000)), event_id, timestamp, body),
    }
    started = time.monotonic()
    try:
        reply = await poster.post(webhook.url, body, headers, allow_private=webhook.allow_private, timeout_s=TIMEOUT_S)
    except (AddressRefused, EndpointFailed) as error:
        return Outcome(None, error.reason, round((time.monotonic() - started) * 1000))
    if 200 <= reply.status < 300:
        return Outcome(reply.status, None, reply.ms, reply.headers)
    what = "a redirect, which is not followed" if 300 <= reply.status < 400 else "no success"
    return Outcome(reply.status, f"it answered {reply.status}: {what}", reply.ms, reply.headers)
