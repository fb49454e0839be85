"""The examples of mailings in the OpenAPI document; a test reads each back through the shape it illustrates."""

from __future__ import annotations

from typing import Any

from modembank.messages import MessageState

_FILE = "name,phone,due\nAnn,+447900900123,Monday\nBob,+447900900124,Tuesday\n"
FORMS: dict[str, Any] = {
    "named": {
        "file": _FILE,
        "name": "Reminders",
        "to_column": "phone",
        "template": "Dear {name}, your book is due on {due}.",
    },
    "scheduled": {
        "file": "+447900900123;Your order is ready.\n+447900900124;Your order is late.\n",
        "text_column": "2",
        "header": "no",
        "window": "08:00-20:00",
        "valid_for_s": 86400,
        "priority": 3,
        "hold": True,
    },
    "canary": {
        "file": _FILE,
        "template": "Hello {name}",
        "canary_share": 1.0,
        "canary_minutes": 30,
        "canary_max_failed": 5.0,
    },
    "dry_run": {"file": _FILE, "template": "Hello {name}", "dry_run": True},
}
_LAYOUT: dict[str, Any] = {
    "kind": "csv",
    "columns": ["name", "phone", "due"],
    "to_column": "phone",
    "header": True,
    "charset": "utf-8",
    "delimiter": ",",
}
_SAMPLE: dict[str, Any] = {
    "line": 2,
    "number": "+447900900123",
    "to": "+447900900123",
    "text": "Dear Ann, your book is due on Monday.",
    "encoding": "gsm7",
    "segments": 1,
    "forced_by": [],
    "replacements": [],
    "text_after": None,
    "segments_after": None,
    "reason": "",
}
PREVIEW: dict[str, Any] = {"layout": _LAYOUT, "sample": [_SAMPLE]}
_REFUSED: dict[str, Any] = {
    "line": 17,
    "number": "4.479E+11",
    "kind": "refused",
    "reason": "was turned into 4.479E+11 by a spreadsheet, and its last digits are lost: format the column as text "
    "there, enter the number again and export the file again",
}
PREFLIGHT: dict[str, Any] = {
    **PREVIEW,
    "rows": 1200,
    "accepted": 1180,
    "refused": 12,
    "duplicates": 8,
    "segments": 1180,
    "ucs2": 3,
    "opted_out": 2,
    "landlines": 4,
    "forced_by": [{"character": "\u2019", "messages": 3, "replacement": "'"}],
    "messages_replaceable": 3,
    "segments_saved": 3,
    "needed_s": 2360,
    "finishes_at": "2026-11-20T14:44:20.000Z",
    "first_refused": [_REFUSED],
    "quota_left": None,
}
_NONE: dict[str, int] = dict.fromkeys((state.word for state in MessageState), 0)
NEW: dict[str, Any] = {
    "id": "mlg_0000008000001",
    "name": "Reminders",
    "status": "importing",
    "file": "reminders.csv",
    "columns": ["name", "phone", "due"],
    "to_column": "phone",
    "charset": "utf-8",
    "delimiter": ",",
    "progress": {
        "phase": "checking",
        "rows": 0,
        "read": 0,
        "accepted": 0,
        "refused": 0,
        "duplicates": 0,
        "waits_for": 1,
    },
    "messages": _NONE,
    "segments": 0,
    "cause": None,
    "created_at": "2026-11-20T14:05:00.000Z",
    "send_at": None,
    "expires_at": "2026-11-22T14:05:00.000Z",
    "window": None,
    "started_at": None,
    "finished_at": None,
    "rate_per_minute": 0.0,
    "eta_s": None,
    "finishes_at": None,
    "canary": None,
}
_CANARY: dict[str, Any] = {
    "share": 1.0,
    "size": 12,
    "continue": "after_minutes",
    "minutes": 30,
    "max_failed": 5.0,
    "state": "continued",
    "messages": {},
    "left_at": "2026-11-20T14:06:00.000Z",
    "continues_at": None,
    "stopped": None,
}
MAILING: dict[str, Any] = {
    **NEW,
    "status": "sending",
    "progress": {
        "phase": "done",
        "rows": 1200,
        "read": 1200,
        "accepted": 1180,
        "refused": 12,
        "duplicates": 8,
        "waits_for": 0,
    },
    "messages": {**_NONE, "queued": 880, "sending": 2, "sent": 40, "delivered": 258},
    "segments": 1180,
    "started_at": "2026-11-20T14:05:02.000Z",
    "rate_per_minute": 30.0,
    "eta_s": 1764,
    "finishes_at": "2026-11-20T14:45:00.000Z",
    "canary": _CANARY,
}
PAGE: dict[str, Any] = {"items": [MAILING], "next": "/api/v1/mailings?limit=50&cursor=eyJpZCI6MX0"}
ROWS: dict[str, Any] = {
    "items": [
        _REFUSED,
        {"line": 20, "number": "07900 900123", "kind": "duplicate", "reason": "is the same number as in line 2"},
    ],
    "next": None,
}
HISTORY: dict[str, Any] = {
    "items": [
        {"at": "2026-11-20T14:05:02.000Z", "messages": {**_NONE, "queued": 1180}},
        {"at": "2026-11-20T14:05:12.000Z", "messages": {**_NONE, "queued": 1170, "sent": 4, "delivered": 6}},
    ]
}
REFUSALS = "line,number,kind,reason\r\n17,4.479E+11,refused,was turned into 4.479E+11 by a spreadsheet\r\n"
RESULTS = (
    "id,to,status,reference,segments,sent_at,settled_at,cause\r\n"
    "msg_0000008000002,'+447900900123,delivered,,1,2026-11-20T14:05:09.000Z,2026-11-20T14:05:14.000Z,\r\n"
)
