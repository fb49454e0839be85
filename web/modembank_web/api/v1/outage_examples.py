"""The examples of the OpenAPI document about outages; a test reads each back through the shape it illustrates."""

from __future__ import annotations

from typing import Any

OUTAGE: dict[str, Any] = {
    "held": 120,
    "oldest_due_at": "2026-11-20T06:12:40.000Z",
    "ages": [
        {"from_s": 0, "to_s": 3600, "held": 0},
        {"from_s": 3600, "to_s": 14400, "held": 0},
        {"from_s": 14400, "to_s": 43200, "held": 120},
        {"from_s": 43200, "to_s": 86400, "held": 0},
        {"from_s": 86400, "to_s": 172800, "held": 0},
        {"from_s": 172800, "to_s": 604800, "held": 0},
        {"from_s": 604800, "to_s": None, "held": 0},
    ],
    "routes": [{"route": "any SIM", "held": 120}],
    "outages": [
        {
            "route": "any SIM",
            "kind": "down",
            "cause": "the box was not running",
            "since": "2026-11-20T06:10:00.000Z",
            "until": "2026-11-20T12:31:07.000Z",
            "held": 120,
            "expired": 0,
        }
    ],
    "rule": "ask",
    "after_s": 1800,
    "older_than_s": 14400,
}
DECIDE: dict[str, Any] = {
    "send": {"decision": "send"},
    "expire": {"decision": "expire", "older_than_s": 43200},
}
DECIDED: dict[str, Any] = {"sent": 118, "expired": 2, "held": 0}
