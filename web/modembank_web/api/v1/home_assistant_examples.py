"""The example of the OpenAPI document about the link to Home Assistant's broker."""

from __future__ import annotations

from typing import Any

TIMES = ("since", "next_try_at", "announced_at")
HOME_ASSISTANT: dict[str, Any] = {
    "state": "online",
    "since": "2026-11-20T06:12:40.000Z",
    "why": "",
    "broker": "mqtts://homeassistant.example.com:8883",
    "node": "box-1",
    "next_try_at": None,
    "entities": 17,
    "announced_at": "2026-11-20T06:12:40.310Z",
    "privacy": "meta",
    "commands": False,
    "groups": ["on-call"],
    "notified": 3,
    "refused": 1,
    "last_refusal": "no_such_group",
}
