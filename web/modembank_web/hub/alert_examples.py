"""Examples of the hub's API of alerts, which its tests run."""

from __future__ import annotations

from typing import Any

ALERT: dict[str, Any] = {
    "id": "4711",
    "kind": "box.offline",
    "subject": "leeds/b1",
    "topic": "",
    "title": "leeds/b1 is offline",
    "particulars": "its connection broke",
    "severity": "critical",
    "state": "open",
    "detail": {"why": "will"},
    "round": 1,
    "first_at": "2026-11-20T14:10:00.000Z",
    "since_at": "2026-11-20T14:05:00.000Z",
    "opened_at": "2026-11-20T14:10:00.000Z",
    "acknowledged_at": None,
    "acknowledged_by": "",
    "note": "",
    "ended_at": None,
    "silenced_until": None,
}
ACKNOWLEDGED = ALERT | {
    "state": "acknowledged",
    "acknowledged_at": "2026-11-20T14:12:00.000Z",
    "acknowledged_by": "anna",
    "note": "a van is on its way",
}
DETAIL = ACKNOWLEDGED | {
    "way": [
        {"at": "2026-11-20T14:10:00.000Z", "what": "opened", "by": "", "note": ""},
        {"at": "2026-11-20T14:12:00.000Z", "what": "acknowledged", "by": "anna", "note": "a van is on its way"},
    ],
}
SUMMARY = {"open": 1, "acknowledged": 0, "critical": 1, "pending": 2, "kinds": {"box.offline": 1}}
RULE = {
    "kind": "box.queue",
    "when": "so many messages wait to be sent",
    "place": "site:leeds",
    "active": True,
    "severity": "warning",
    "hold_s": 900,
    "clear_s": 300,
    "threshold": 5000,
    "unit": "messages",
    "by": "anna",
    "at": "2026-11-20T13:00:00.000Z",
}
NEW_RULE = {"kind": "box.queue", "place": "site:leeds", "threshold": 5000}
SILENCE = {
    "id": "12",
    "place": "site:leeds",
    "kind": "",
    "begin": "2026-11-20T14:00:00.000Z",
    "until": "2026-11-20T16:00:00.000Z",
    "reason": "a new mast",
    "by": "anna",
    "at": "2026-11-20T13:00:00.000Z",
}
NEW_SILENCE = {"place": "site:leeds", "for_s": 7200, "reason": "a new mast"}
CHANNEL: dict[str, Any] = {
    "id": "3",
    "name": "on call",
    "means": "webhook",
    "url": "https://pager.example.com/hook",
    "allow_private": False,
    "recipients": [],
    "least": "warning",
    "place": "*",
    "ends": True,
    "active": True,
    "state": "working",
    "stopped_why": None,
    "delivered": 17,
    "failures": 0,
    "failing_since": None,
    "last_at": "2026-11-20T14:10:31.000Z",
    "last_error": None,
    "created_at": "2026-10-01T08:00:00.000Z",
}
NEW_CHANNEL = CHANNEL | {
    "delivered": 0, "last_at": None, "secret": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
}  # fmt: skip
CHANNEL_DETAIL = CHANNEL | {
    "letters": [
        {
            "id": "ltr_0123456789abcdef01234567",
            "made_at": "2026-11-20T14:10:30.000Z",
            "opened": 1,
            "ended": 0,
            "state": "delivered",
            "tries": 1,
            "next_try_at": None,
            "error": None,
            "settled_at": "2026-11-20T14:10:31.000Z",
        },
    ],
}
TRIED = {"ok": True, "status": 204, "error": None}
