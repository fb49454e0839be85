"""The examples of events and webhooks in the OpenAPI document."""

from __future__ import annotations

import json
from typing import Any

EVENT: dict[str, Any] = {
    "id": "evt_0000000000043",
    "type": "message.delivered",
    "timestamp": "2026-11-20T14:05:09.120Z",
    "data": {
        "id": "msg_0000008000001",
        "status": "delivered",
        "to": "+447900900123",
        "from": "+447900900001",
        "reference": "order-4711",
        "batch": None,
        "segments": 1,
        "channel": "sms",
        "sim": "8944110068256270054",
        "provider": None,
        "cause": None,
        "created_at": "2026-11-20T14:05:00.000Z",
        "sent_at": "2026-11-20T14:05:03.410Z",
    },
}
STREAM = (
    "retry: 3000\nid: evt_0000000000042\n: events follow\n\n"
    f"id: {EVENT['id']}\nevent: {EVENT['type']}\ndata: {json.dumps(EVENT)}\n\n"
)
WEBHOOK: dict[str, Any] = {
    "id": "whk_0000000000001",
    "user": "shop",
    "url": "https://shop.example.com/sms",
    "label": "orders",
    "events": ["message.*", "optout.added"],
    "all_users": False,
    "allow_private": False,
    "active": True,
    "state": "failing",
    "stopped_why": None,
    "told_up_to": "evt_0000000000042",
    "delivered": 41,
    "given_up": 0,
    "retries": 1,
    "failing_since": "2026-11-20T14:05:09.120Z",
    "failures": 2,
    "next_try_at": "2026-11-20T14:05:19.870Z",
    "last_at": "2026-11-20T14:05:14.230Z",
    "last_status": None,
    "last_error": "nothing listens at shop.example.com",
    "secrets": 1,
    "created_at": "2026-11-19T09:00:00.000Z",
}
WEBHOOK_WITH_SECRET: dict[str, Any] = WEBHOOK | {"secret": "whsec_" + "ZXhhbXBsZSBvbmx5LCBub3QgYSBzZWNyZXQ="}
NEW_WEBHOOK: dict[str, Any] = {
    "own messages": {"url": "https://shop.example.com/sms", "events": ["message.*"], "label": "orders"},
    "what needs a person": {"url": "https://ops.example.com:8443/alerts", "events": ["issue.*", "modem.failed"]},
}
WEBHOOK_PATCH: dict[str, Any] = {
    "another address": {"url": "https://shop.example.com/sms/v2"},
    "stop": {"active": False},
    "go on": {"active": True},
}
ROTATE: dict[str, Any] = {"at leisure": {"keep_old_for_s": 86_400}, "at once": {"keep_old_for_s": 0}}
REPLAY: dict[str, Any] = {"since a time": {"since": "2026-11-20T14:00:00Z"}}
TEST: dict[str, Any] = {
    "ok": False,
    "status": 401,
    "ms": 84,
    "error": "it answered 401: no success",
    "event": "evt_test_5f0c1d2e3b4a5968",
}
