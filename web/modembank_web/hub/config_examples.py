"""Examples of the hub's API of configurations, which its tests run."""

from __future__ import annotations

from typing import Any

OWN = {"sims": {"*": {"limits": {"per_day": 200}}}}
OF_GROUP = {"profile": "lean", "quiet_hours": {"from": "21:00", "to": "08:00", "exempt_priority": 9}}
CONFIG: dict[str, Any] = {
    "box": "leeds/b1",
    "state": "rejected",
    "version": 42,
    "reported_version": 42,
    "in_force": 41,
    "reported_at": "2026-11-20T14:05:01.000Z",
    "sent_at": "2026-11-20T14:05:00.030Z",
    "errors": [{"path": "profile", "code": "site_owned", "detail": "the site keeps profile to itself"}],
    "local": ["sims.0123456789abcdef.label"],
}
DETAIL = CONFIG | {
    "document": OF_GROUP | OWN,
    "own": OWN,
    "of_group": OF_GROUP,
    "wishes": {"sims.0123456789abcdef.label": None},
    "by": "anna",
    "at": "2026-11-20T14:05:00.000Z",
}
VERSION = {
    "version": 42,
    "document": OF_GROUP | OWN,
    "hash": "9f86d081884c7d659a2feaa0c55ad015",
    "by": "anna",
    "at": "2026-11-20T14:05:00.000Z",
    "why": "its own document",
    "ended": "rejected",
    "ended_at": "2026-11-20T14:05:01.000Z",
}
GROUP = {
    "name": "cellars",
    "pattern": "leeds/*",
    "revision": 17,
    "document": OF_GROUP,
    "by": "anna",
    "at": "2026-11-20T13:00:00.000Z",
}
GROUP_DETAIL = GROUP | {"boxes": ["leeds/b1", "leeds/b2"]}
ROLLOUT_ROW: dict[str, Any] = {
    "id": "7",
    "group": "cellars",
    "revision": 17,
    "by": "anna",
    "at": "2026-11-20T14:05:00.000Z",
    "state": "running",
    "why": "",
    "steps": [10, 100],
    "step": 1,
    "limit_percent": 10,
    "wait_s": 900,
    "boxes": 2,
    "given": 1,
    "applied": 0,
    "failed": 0,
    "silent": 1,
    "ended_at": None,
    "software": None,
}
ROLLOUT = ROLLOUT_ROW | {
    "items": [
        {"box": "leeds/b2", "step": 1, "version": 3, "outcome": "", "errors": [], "command": None},
        {"box": "leeds/b1", "step": 2, "version": None, "outcome": "", "errors": [], "command": None},
    ],
}
PAUSED = ROLLOUT | {"state": "paused"}
ABORTED = ROLLOUT | {"state": "aborted", "ended_at": "2026-11-20T14:09:00.000Z"}
