"""The example of the OpenAPI document about the link to a hub."""

from __future__ import annotations

from typing import Any

TIMES = ("since", "acknowledged_at", "oldest_waiting_at", "next_try_at")
FLEET: dict[str, Any] = {
    "state": "online",
    "since": "2026-11-20T06:12:40.000Z",
    "why": "",
    "broker": "mqtts://hub.example.com:8883",
    "site": "kiel",
    "box": "box-1",
    "epoch": "k3f9qw7x",
    "hub": "online",
    "acknowledged_at": "2026-11-20T14:05:09.120Z",
    "events_waiting": 0,
    "results_waiting": 0,
    "oldest_waiting_at": None,
    "next_try_at": None,
    "profile": "standard",
    "privacy": "meta",
    "commands_refused": 0,
    "configuration": 41,
    "configuration_newest": 42,
    "configuration_state": "rejected",
}
